import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { NetworkOf } from "../http/address.ts";
import type { Visitor } from "../http/guard.ts";
import { Problem } from "../http/problem.ts";
import type { Tokens } from "../http/tokens.ts";
import type { Log } from "../platform/log.ts";
import { type Measure, byLabel, counter, gauge } from "../platform/metrics.ts";
import { type Allowance, UNLIMITED, createRateLimit } from "../platform/rate.ts";
import { endsWithin } from "../platform/stops.ts";
import { CLOSE, REFUSAL_CODES, type RefusalCode } from "./refusal.ts";
import { type SocketCounts, type SocketOwners, ownersOf } from "./socket-counts.ts";
import {
  type Connection,
  LIFETIME_MS,
  type Protocol,
  type SocketLimits,
  SocketConnection,
  UNSENT_BYTES_MAX,
} from "./connection.ts";

/** What a route hands to the socket it opens. */
export interface Door {
  /** Which one it is, for whoever counts sockets. */
  kind: SocketKind;
  open(connection: Connection): Protocol;
  limits: SocketLimits;
}

const KINDS = ["chat", "transcription"] as const;
type SocketKind = (typeof KINDS)[number];

/** Travels with the upgrade. */
export interface SocketData {
  /** Gone once it was gone through: it would keep the whole request in memory. */
  entry: { door: Door; visitor: Visitor } | null;
  kind: SocketKind;
  /** Whom it is counted for. */
  owners: SocketOwners;
  connection: SocketConnection | null;
}

export interface Gateway {
  /**
   * Turns a request into a socket behind `door`. Rejects with `invalid` (426), `draining`,
   * `queue_full`, and `rate_limited` when its user or network has too many.
   */
  upgrade(
    request: Request,
    server: Server<SocketData> | null,
    visitor: Visitor,
    door: Door,
  ): Promise<Response | undefined>;
  websocket: WebSocketHandler<SocketData>;
  connections(): number;
  measure: Measure;
  /** The sessions of accounts that open sockets belong to. */
  sessions(): ReadonlySet<number>;
  /** Closes the sockets of sessions that are over: `session_expired`, 4401. */
  endSessions(ids: ReadonlySet<number>): void;
  /** The limits of a door's sockets, as their first frame tells them. */
  announced(limits: SocketLimits): Record<string, number>;
  /**
   * Lets every protocol finish within the time, then closes its socket with 1012. Those that take longer
   * are waited for a little, but not beyond `atMostMs` in all.
   */
  stop(withinMs: number, atMostMs?: number): Promise<void>;
}

export interface GatewayDependencies {
  tokens: Tokens;
  networkOf: NetworkOf;
  /** How fast one socket may send text frames; null for no limit. */
  frames: Allowance | null;
  /** Counts the sockets of users and networks; null for no limit. */
  counts: SocketCounts | null;
  now(): number;
  newId(): string;
  log: Log;
}

const SUBPROTOCOL = "earshot.v1";
const CONNECTIONS_MAX = 50_000;
const TOO_MANY_RETRY_MS = 5_000;
/** What protocols may take beyond the time that they were given: as much again, and never more than this. */
const STOP_SLACK_MS_MAX = 4_500;
const STOP_SLACK_MS_MIN = 500;
const INSPECT_EVERY_MS = 1_000;
/** Above our own frame limits, so that a frame too large is answered before the close. */
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
/** The far end of a socket that takes nothing; it is cut there, and `inspect` is gentler before. */
const UNSENT_BYTES_HARD_MAX = 4 * UNSENT_BYTES_MAX;
/** Bun pings a silent peer within this time and gives up on one that does not answer. */
const PEER_SILENT_S = 60;
/** What sockets end with besides our own codes: by the client, without a word, and cut. */
const OTHER_CODES = [1001, 1005, 1006];
/** Whatever else clients think of. */
const OTHER = "other";

/** Owns every open socket of the process. */
export function createGateway(dependencies: GatewayDependencies): Gateway {
  const { tokens, networkOf, frames, counts, now, newId, log } = dependencies;
  const opened = countsOf(KINDS);
  const left = countsOf(KINDS);
  const closed = countsOf([...Object.values(CLOSE), ...OTHER_CODES, OTHER]);
  const refused = countsOf(REFUSAL_CODES);
  const shared = {
    verify: (token: string) => tokens.verify(token),
    // One for all sockets: an idle one costs nothing.
    rate: frames === null ? UNLIMITED : createRateLimit(frames, () => performance.now()),
    newId,
    now,
    onRefused: (code: RefusalCode) => count(refused, code),
    log,
  };
  const open = new Set<SocketConnection>();
  let draining = false;
  const inspection = setInterval(() => {
    for (const connection of open) connection.inspect();
  }, INSPECT_EVERY_MS);

  const checkRoom = (): void => {
    if (draining) throw new Problem("draining", "The server is stopping", { retryAfterMs: 1_000 });
    if (open.size >= CONNECTIONS_MAX) {
      throw new Problem("queue_full", "This server has all the sockets it can hold", {
        retryAfterMs: TOO_MANY_RETRY_MS,
      });
    }
  };

  const shake = (
    request: Request,
    server: Server<SocketData> | null,
    data: SocketData,
  ): Response | undefined => {
    // Again: counting may have taken a while.
    checkRoom();
    const offered = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
    const isOurs = offered.some((one) => one.trim() === SUBPROTOCOL);
    // Empty rather than absent: Bun would answer with the first one offered, maybe a token.
    const headers = { "sec-websocket-protocol": isOurs ? SUBPROTOCOL : "" };
    if (server?.upgrade(request, { data, headers }) === true) return undefined;
    throw new Problem("invalid", "The WebSocket handshake is not complete", { status: 400 });
  };

  return {
    upgrade: async (request, server, visitor, door) => {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new Problem("invalid", "Open this address as a WebSocket", { status: 426 });
      }
      checkRoom();
      const owners = ownersOf(visitor.caller, networkOf(request, server));
      if (counts !== null && !(await counts.add(owners))) {
        throw new Problem("rate_limited", "You have all the sockets that you may have", {
          retryAfterMs: TOO_MANY_RETRY_MS,
        });
      }
      const { kind } = door;
      const data: SocketData = { entry: { door, visitor }, kind, owners, connection: null };
      try {
        return shake(request, server, data);
      } catch (error) {
        await counts?.remove(owners);
        throw error;
      }
    },
    websocket: {
      maxPayloadLength: PAYLOAD_BYTES_MAX,
      backpressureLimit: UNSENT_BYTES_HARD_MAX,
      closeOnBackpressureLimit: true,
      idleTimeout: PEER_SILENT_S,
      sendPings: true,
      perMessageDeflate: false,
      open: (socket: ServerWebSocket<SocketData>) => {
        const { entry } = socket.data;
        if (entry === null) return;
        const { door, visitor } = entry;
        socket.data.entry = null;
        const connection = new SocketConnection(socket, shared, door.limits, visitor, (one) =>
          door.open(one),
        );
        socket.data.connection = connection;
        count(opened, door.kind);
        open.add(connection);
      },
      message: (socket, message) => socket.data.connection?.receive(message),
      close: async (socket, code) => {
        const { connection, kind, owners } = socket.data;
        count(left, kind);
        count(closed, closed.has(code) ? code : OTHER);
        const removed = counts?.remove(owners);
        if (connection !== null) {
          await connection.gone();
          open.delete(connection);
        }
        await removed;
      },
    },
    connections: () => open.size,
    measure: () => [
      gauge(
        "earshot_sockets_open",
        "Sockets that are open.",
        byLabel(
          "kind",
          KINDS.map((kind) => [kind, (opened.get(kind) ?? 0) - (left.get(kind) ?? 0)]),
        ),
      ),
      counter("earshot_sockets_opened_total", "Sockets that were opened.", byLabel("kind", opened)),
      counter(
        "earshot_sockets_closed_total",
        "Sockets that were closed, by the code of the close; 1013 is a client that took too little.",
        byLabel("code", closed),
      ),
      counter(
        "earshot_socket_errors_total",
        "Error frames that sockets were sent, by their code.",
        byLabel("code", refused),
      ),
    ],
    sessions: () => {
      const ids = new Set<number>();
      for (const connection of open) {
        const id = connection.session();
        if (id !== null) ids.add(id);
      }
      return ids;
    },
    endSessions: (ids) => {
      for (const connection of open) {
        const id = connection.session();
        if (id !== null && ids.has(id)) connection.expire("the session is over; log in again");
      }
    },
    announced: ({ textFrameBytesMax, idleMs }) => ({
      frame_bytes: textFrameBytesMax,
      idle_ms: idleMs,
      lifetime_ms: LIFETIME_MS,
      unsent_bytes: UNSENT_BYTES_MAX,
      ...(frames === null
        ? {}
        : { frames_per_s: 1_000 / frames.everyMs, frames_burst: frames.burst }),
    }),
    stop: async (withinMs, atMostMs = withinMs + STOP_SLACK_MS_MAX) => {
      draining = true;
      clearInterval(inspection);
      const slackMs = Math.min(STOP_SLACK_MS_MAX, withinMs + STOP_SLACK_MS_MIN);
      const drained = Promise.all([...open].map((connection) => connection.drain(withinMs)));
      await endsWithin(drained, Math.min(withinMs + slackMs, atMostMs));
      for (const connection of open) connection.turnAway();
    },
  };
}

/** Every count that there may be, so that the first of a kind is seen as one more. */
function countsOf<Key>(keys: readonly Key[]): Map<Key, number> {
  return new Map(keys.map((key) => [key, 0]));
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
