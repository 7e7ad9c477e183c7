import type { Static } from "@sinclair/typebox";
import type { ServerWebSocket } from "bun";
import { asProblem } from "../http/errors.ts";
import type { Visitor } from "../http/guard.ts";
import { type Log, errorFields } from "../platform/log.ts";
import { type RawFrame, commonFrames, createFrameReader, parseFrame, refOf } from "./frames.ts";
import type { RateLimit } from "./rate.ts";
import { CLOSE, type CloseCode, type Ref, Refusal, type RefusalCode } from "./refusal.ts";

/** One wire protocol on one socket. Its methods run one at a time, in the order frames came. */
export interface Protocol {
  frame(frame: RawFrame): void | Promise<void>;
  binary(bytes: Uint8Array): void | Promise<void>;
  /** The server stops: finish what is under way. The socket is closed with 1012 afterwards. */
  drain(): void | Promise<void>;
  /** The socket is gone; runs once, after the frames that came before. */
  closed(): void | Promise<void>;
}

export interface SocketLimits {
  textFrameBytesMax: number;
  binaryFrameBytesMax: number;
  /** A socket that sends nothing for so long is closed with 4408. */
  idleMs: number;
}

/** One socket, as protocols see it. */
export interface Connection {
  readonly id: string;
  readonly visitor: Visitor;
  send(frame: object): void;
  /** Sends a frame that is encoded already. */
  sendText(text: string): void;
  /** Sends the `error` frame, then closes if the refusal says so. */
  refuse(error: unknown, ref?: Ref): void;
  close(code: CloseCode): void;
  follow(topic: string): void;
  unfollow(topic: string): void;
  isOpen(): boolean;
}

/** The gateway's side of a connection. */
export interface ConnectionControl extends Connection {
  receive(message: string | Uint8Array): void;
  /** After the frames before it: `Protocol.drain`, the error frame `draining`, and the close. */
  drain(): Promise<void>;
  /** After the frames before it: `Protocol.closed`. */
  gone(): Promise<void>;
  /** Looked at once a second: idle, expired and slow sockets are closed. */
  inspect(): void;
}

export interface ConnectionDependencies {
  id: string;
  visitor: Visitor;
  open(connection: Connection): Protocol;
  limits: SocketLimits;
  verify(token: string): Promise<{ caller: { userId: number }; expiresAt: number | null } | null>;
  /** How fast text frames may come. */
  rate: RateLimit;
  now(): number;
  log: Log;
}

/** Frames that wait their turn; past either, reading from the socket stops until they are done. */
const INBOX_FRAMES_MAX = 64;
const INBOX_BYTES_MAX = 1024 * 1024;
/** What may still arrive after reading was stopped; past it the client is refused. */
const INBOX_SLACK_BYTES = 16 * 1024 * 1024;
/** Bytes sent that the client has not taken; past it the socket is closed with 1013. */
export const UNSENT_BYTES_MAX = 1024 * 1024;

/** A socket that lives longer is asked to come back; nothing else renews what it was let in with. */
export const LIFETIME_MS = 86_400_000;
/** Frames over the rate, one after the other, before the socket is closed. */
const REFUSED_FRAMES_MAX = 500;

type Turn = () => void | Promise<void>;

/** Frames that every socket answers, whatever its protocol. */
const commonClientFrames = [commonFrames.Ping, commonFrames.Authenticate];
type CommonFrame = Static<(typeof commonClientFrames)[number]>;
const readCommon = createFrameReader(commonClientFrames);

function isCommon({ type }: RawFrame): boolean {
  return type === "ping" || type === "authenticate";
}

/**
 * Gives a socket a bounded inbox in strict order. A frame that is answered at once takes no detour:
 * only while an earlier one is still being worked on do frames wait.
 */
export function createConnection(
  socket: ServerWebSocket<unknown>,
  dependencies: ConnectionDependencies,
): ConnectionControl {
  const { id, visitor, limits, verify, rate, now, log } = dependencies;
  const openedAt = now();
  let refusedFrames = 0;
  const inbox: { turn: Turn; bytes: number }[] = [];
  let inboxBytes = 0;
  let busy = false;
  let open = true;
  let heardAt = now();
  let expiresAt = visitor.expiresAt;

  const connection: ConnectionControl = {
    id,
    visitor,
    isOpen: () => open,
    send: (frame) => connection.sendText(JSON.stringify(frame)),
    sendText: (text) => {
      if (open) socket.sendText(text);
    },
    refuse: (error, ref) => {
      const refusal = asRefusal(error);
      if (refusal === null) log.error({ connection: id, ...errorFields(error) }, "a frame failed");
      const told =
        refusal ?? new Refusal("internal", "the server could not do this; it was logged");
      connection.send(told.frame(ref));
      if (told.extras.close !== undefined) connection.close(told.extras.close);
    },
    close: (code) => {
      if (!open) return;
      open = false;
      if (socket.isPaused) socket.resume();
      socket.close(code);
    },
    follow: (topic) => {
      if (open) socket.subscribe(topic);
    },
    unfollow: (topic) => {
      if (open) socket.unsubscribe(topic);
    },
    receive: (message) => {
      if (!open) return;
      heardAt = now();
      const isText = typeof message === "string";
      const bytes = isText ? message.length : message.byteLength;
      const bytesMax = isText ? limits.textFrameBytesMax : limits.binaryFrameBytesMax;
      if (bytes > bytesMax) {
        const detail = `a ${isText ? "text" : "binary"} frame may have ${bytesMax} bytes`;
        connection.refuse(new Refusal("frame_too_large", detail, { close: CLOSE.frameTooLarge }));
        return;
      }
      take(isText ? () => text(message) : () => binary(message), bytes);
    },
    drain: () =>
      after(async () => {
        await protocol.drain();
        connection.refuse(
          new Refusal("draining", "the server is stopping; come back", { close: CLOSE.draining }),
        );
      }),
    gone: () => {
      open = false;
      // What still waits came before the end and is worked on first.
      return after(() => protocol.closed());
    },
    inspect: () => {
      if (expiresAt !== null && now() >= expiresAt) {
        const detail = "the token has expired";
        connection.refuse(new Refusal("session_expired", detail, { close: CLOSE.unauthorized }));
      } else if (now() - heardAt > limits.idleMs) {
        const detail = `nothing was heard for ${limits.idleMs} ms`;
        connection.refuse(new Refusal("idle_timeout", detail, { close: CLOSE.idle }));
      } else if (open && socket.getBufferedAmount() > UNSENT_BYTES_MAX) {
        const detail = "more is unsent than this server holds; come back and recover";
        connection.refuse(new Refusal("overloaded", detail, { close: CLOSE.slowConsumer }));
      } else if (now() - openedAt > LIFETIME_MS) {
        const detail = "this socket has lived long enough; come back";
        connection.refuse(new Refusal("draining", detail, { close: CLOSE.draining }));
      }
    },
  };

  const text = async (message: string): Promise<void> => {
    let ref: Ref | undefined;
    try {
      const frame = parseFrame(message);
      ref = refOf(frame);
      checkRate();
      if (isCommon(frame)) await answer(readCommon(frame));
      else await protocol.frame(frame);
    } catch (error) {
      connection.refuse(error, ref);
    }
  };

  const checkRate = (): void => {
    const retryAfterMs = rate.take(id);
    if (retryAfterMs === 0) {
      refusedFrames = 0;
      return;
    }
    const isFlood = ++refusedFrames > REFUSED_FRAMES_MAX;
    throw new Refusal("rate_limited", "frames come faster than the limit", {
      retryAfterMs,
      ...(isFlood ? { close: CLOSE.rate } : {}),
    });
  };

  const binary = async (bytes: Uint8Array): Promise<void> => {
    try {
      await protocol.binary(bytes);
    } catch (error) {
      connection.refuse(error);
    }
  };

  const answer = async (frame: CommonFrame): Promise<void> => {
    const { type, ref } = frame;
    if (type === "ping") return connection.send({ type: "pong", ...withRef(ref) });
    await authenticate(frame.token, ref);
  };

  const authenticate = async (token: string, ref: Ref | undefined): Promise<void> => {
    const identity = await verify(token);
    if (identity === null)
      throw new Refusal("unauthorized", "the token is not valid or has expired");
    if (identity.caller.userId !== visitor.caller.userId) {
      throw new Refusal("forbidden", "the token belongs to another user");
    }
    expiresAt = identity.expiresAt;
    connection.send({ type: "authenticated", expires_at: expiresAt, ...withRef(ref) });
  };

  const take = (turn: Turn, bytes: number): void => {
    inbox.push({ turn, bytes });
    inboxBytes += bytes;
    if (!busy) void work();
    if (inbox.length > INBOX_FRAMES_MAX || inboxBytes > INBOX_BYTES_MAX) socket.pause();
    if (inboxBytes > INBOX_SLACK_BYTES) {
      const detail = "more frames wait than this server holds";
      connection.refuse(new Refusal("overloaded", detail, { close: CLOSE.bufferLimit }));
    }
  };

  /** Never rejects: each turn handles its own errors. */
  const work = async (): Promise<void> => {
    busy = true;
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
      inboxBytes -= next.bytes;
      const pending = next.turn();
      if (pending instanceof Promise) await pending;
      if (open && socket.isPaused && inbox.length < INBOX_FRAMES_MAX / 2) socket.resume();
    }
    busy = false;
  };

  const after = (turn: () => void | Promise<void>): Promise<void> =>
    new Promise((resolve) => {
      take(async () => {
        try {
          await turn();
        } catch (error) {
          log.error({ connection: id, ...errorFields(error) }, "a socket did not end cleanly");
        }
        resolve();
      }, 0);
    });

  const protocol = dependencies.open(connection);
  return connection;
}

export function withRef(ref: Ref | undefined): { ref?: Ref } {
  return ref === undefined ? {} : { ref };
}

const REFUSALS_FOR_PROBLEMS: Record<string, RefusalCode> = {
  unauthorized: "unauthorized",
  forbidden: "forbidden",
  not_found: "not_found",
  rate_limited: "rate_limited",
  draining: "draining",
  queue_full: "overloaded",
  internal: "internal",
};

/** A service's problem in a socket's words; null for an error that is ours. */
function asRefusal(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error;
  const problem = asProblem(error);
  if (problem === null) return null;
  const code = REFUSALS_FOR_PROBLEMS[problem.code] ?? "bad_request";
  const { retryAfterMs } = problem.extras;
  return new Refusal(code, problem.message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
