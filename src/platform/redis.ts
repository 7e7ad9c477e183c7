import { type Breaker, PartAway, createBreaker } from "./breaker.ts";
import { codeOf } from "./error-code.ts";
import { type Log, errorFields } from "./log.ts";
import { type Trouble, createTrouble } from "./trouble.ts";

/**
 * How long a connection that is being made may stand still. One that stands never does: what is
 * written to it counts as well, so it is pings that tell whether it is heard.
 */
const SOCKET_IDLE_MS_MAX = 5_000;
const PING_EVERY_MS = 1_000;
/** A ping that is not answered when so many more were due: the connection is given up and made anew. */
const PINGS_DUE_MAX = 4;
/** The same failure is told of once in so long, however many requests meet it. */
const TOLD_EVERY_MS = 60_000;
const CONNECT_MS_MAX = 2_000;
const RECONNECT_MS_MAX = 500;
/** Commands that may wait for an answer; past it a command fails at once. */
const COMMANDS_WAITING_MAX = 10_000;

/** What answers that are texts begin with in Redis's protocol: a dollar sign. */
const BLOB_STRING = 36;

/** What Redis answers when it is there and cannot do its work; what it was asked was right. */
const UNABLE_CODES = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOAUTH",
  "NOPERM",
  "NOREPLICAS",
  "OOM",
  "READONLY",
]);
/** What to do about some of them. */
const ADVICE: Record<string, string> = {
  OOM: "redis is full: raise its maxmemory, or give it a maxmemory-policy that lets old keys go",
  READONLY: "redis is a replica that takes no writes: REDIS_URL should name the one it copies",
};
const REPLY_ERRORS = new Set(["BlobError", "ErrorReply", "SimpleError"]);
/** The client's own words for more commands than `COMMANDS_WAITING_MAX`; it has no kind for it. */
const QUEUE_IS_FULL = "The queue is full";

const AWAY_ERRORS = new Set([
  "ClientClosedError",
  "ClientOfflineError",
  "ConnectionTimeoutError",
  "DisconnectsClientError",
  "ReconnectStrategyError",
  "SocketClosedUnexpectedlyError",
  "SocketTimeoutError",
  "SocketTimeoutDuringMaintenanceError",
  "TimeoutError",
]);

export type RedisClient = ReturnType<typeof openClient> & {
  /**
   * What `work`, which sends commands, comes to; rejects with an error that `isRedisAway` knows when
   * that takes too long, and at once for a while afterwards. Whoever is waited for asks by this.
   */
  inTime: Breaker["run"];
  /** That Redis is away, which all connections to it tell of together. */
  trouble: Trouble;
};

/**
 * A connection that is made, lost and made again by itself, also when nothing is heard on it. A command
 * while it is lost fails at once instead of waiting; one that is sent is waited for by `inTime`.
 */
export function openRedis(
  url: string,
  log: Log,
  trouble = createTrouble({ log, level: "warn" }),
): RedisClient {
  // Without the password.
  const address = URL.parse(url)?.host ?? "";
  const breaker = createBreaker();
  const tell = tellSeldom(log);
  const client: RedisClient = Object.assign(openClient(url), {
    trouble,
    inTime: async <T>(work: () => Promise<T>, msMax?: number): Promise<T> => {
      try {
        return await breaker.run(work, msMax);
      } catch (error) {
        tell(error);
        throw error;
      }
    },
  });
  const lose = (error: unknown): void => {
    const code = codeOf(error);
    trouble.begin(
      { address, ...(code !== "" && { code }), error: reasonOf(error) },
      "redis is away: processes are not joined until it is back; see REDIS_URL",
    );
  };
  client.on("error", lose);
  client.on("ready", () => {
    trouble.end("redis is back");
    // It has just answered who it is.
    breaker.mend();
  });
  watchPings(client, () => {
    lose(new Error("it does not answer; the connection is made anew"));
    client.destroy();
    client
      .connect()
      .catch((error: unknown) => log.debug(errorFields(error), "redis was not connected"));
  });
  // `connect` resolves at the first success only; failures arrive as `error` events and are retried.
  client
    .connect()
    .catch((error: unknown) => log.warn(errorFields(error), "redis was not connected"));
  return client;
}

/** The client stumbles over an answer to nothing that was asked, as Redis says no to strangers. */
function reasonOf(error: unknown): string {
  if (error instanceof TypeError) {
    return "it speaks before it is asked: no Redis, or one that refuses this machine (protected mode)";
  }
  return error instanceof Error ? error.message : String(error);
}

/** Resolves when the connection stands, was refused, or after `waitMs` all the same. */
export function whenReady(client: RedisClient, waitMs: number): Promise<void> {
  if (client.isReady) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    for (const event of ["ready", "error"]) {
      client.once(event, () => {
        clearTimeout(timer);
        resolve();
      });
    }
  });
}

/** Ends a connection for good, without a word from Redis: it may be what hangs. */
export async function closeRedis(client: RedisClient): Promise<void> {
  if (!client.isOpen) return;
  // The client forgets an attempt to connect that it is told to give up, and its socket stays open.
  if (!client.isReady) client.on("connect", () => client.destroy());
  client.destroy();
}

/**
 * Whether a command failed because Redis cannot be reached, gives no answer or cannot do its work, not
 * because of what was asked.
 */
export function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isUnreachable(error) || error instanceof PartAway) return true;
  if (error.message === QUEUE_IS_FULL) return true;
  return UNABLE_CODES.has(replyCodeOf(error) ?? "");
}

/** The same connection, whose answers are bytes. */
export function binaryOf(client: RedisClient) {
  return client.withTypeMapping({ [BLOB_STRING]: Buffer });
}

function isUnreachable(error: Error): boolean {
  return (
    AWAY_ERRORS.has(error.constructor.name) || ("code" in error && error.code === "ECONNREFUSED")
  );
}

/** The code of an error that Redis answered with, such as `OOM`; null for any other. */
function replyCodeOf(error: Error): string | null {
  if (!REPLY_ERRORS.has(error.constructor.name)) return null;
  // Before version 7 a script's own error stands within another: `ERR Error running script …: -OOM …`.
  const [code] = /(?<=: -)[A-Z]+|^[A-Z]+/.exec(error.message.replace(/^ERR (?=.*: -)/, "")) ?? [];
  return code ?? null;
}

/** Tells of what failed, except for lost connections, which are told of where they are lost. */
function tellSeldom(log: Log): (error: unknown) => void {
  const toldAt = new Map<string, number>();
  return (error) => {
    if (error instanceof Error && isUnreachable(error)) return;
    const code = error instanceof Error ? replyCodeOf(error) : null;
    const key = code ?? (error instanceof Error ? error.name : "");
    if (performance.now() - (toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return;
    toldAt.set(key, performance.now());
    if (error instanceof PartAway) {
      return log.warn({}, "redis is slow: what it does not answer in time is done without it");
    }
    // The words of an answer may name keys.
    const fields = code === null ? errorFields(error) : { code };
    log.warn(fields, ADVICE[code ?? ""] ?? "redis did not do what it was asked");
  };
}

/** Calls `onSilence` when a connection that stands answers no ping. */
function watchPings(client: RedisClient, onSilence: () => void): void {
  let timer: ReturnType<typeof setInterval> | undefined;
  const start = (): void => {
    clearInterval(timer);
    // Times are not compared: where this process stood still, Redis may have answered long ago.
    let due = 0;
    timer = setInterval(() => {
      if (!client.isReady) return;
      if (due === 0) {
        due = 1;
        const answered = (): void => {
          due = 0;
        };
        client.sendCommand(["PING"]).then(answered, answered);
      } else if (due++ >= PINGS_DUE_MAX) {
        clearInterval(timer);
        onSilence();
      }
    }, PING_EVERY_MS);
  };
  client.on("ready", start);
  client.on("end", () => clearInterval(timer));
}

function openClient(url: string) {
  // Loaded when it is wanted: it takes as long as the rest of a start, and most do without.
  const { createClient } = require("redis") as typeof import("redis");
  return createClient({
    url,
    socket: {
      connectTimeout: CONNECT_MS_MAX,
      socketTimeout: SOCKET_IDLE_MS_MAX,
      reconnectStrategy: (tries: number) =>
        Math.min(RECONNECT_MS_MAX, 20 * 2 ** Math.min(tries, 10)),
    },
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_WAITING_MAX,
  });
}
