import { type Log, errorFields } from "./log.ts";

/** How long a connection may stand still before it counts as broken. */
const SOCKET_IDLE_MS_MAX = 5_000;
const PING_EVERY_MS = 1_000;
const CONNECT_MS_MAX = 2_000;
const RECONNECT_MS_MAX = 500;
/** Commands that may wait for an answer; past it a command fails at once. */
const COMMANDS_WAITING_MAX = 10_000;

/** What answers that are texts begin with in Redis's protocol: a dollar sign. */
const BLOB_STRING = 36;

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

export type RedisClient = ReturnType<typeof openClient>;

/**
 * A connection that is made, lost and made again by itself. A command while it is lost fails at once
 * instead of waiting, so that nobody's request hangs on it.
 */
export function openRedis(url: string, log: Log): RedisClient {
  const client = openClient(url);
  let lost = false;
  client.on("error", (error: unknown) => {
    // One line for each loss: the client tells of every further attempt as well.
    if (!lost) log.warn(errorFields(error), "redis is away");
    lost = true;
  });
  client.on("ready", () => {
    if (lost) log.info({}, "redis is back");
    lost = false;
  });
  // `connect` resolves at the first success only; failures arrive as `error` events and are retried.
  client
    .connect()
    .catch((error: unknown) => log.warn(errorFields(error), "redis was not connected"));
  return client;
}

/** Resolves when the connection stands, or after `waitMs` all the same. */
export function whenReady(client: RedisClient, waitMs: number): Promise<void> {
  if (client.isReady) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    client.once("ready", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * Ends a connection for good. An attempt to connect is let come to its end first, which takes at most
 * `CONNECT_MS_MAX`: the client forgets one that it is told to give up, and that socket stays open.
 */
export async function closeRedis(client: RedisClient): Promise<void> {
  if (!client.isOpen) return;
  if (!client.isReady) {
    await new Promise<void>((resolve) => {
      client.once("ready", resolve);
      client.once("error", () => resolve());
    });
  }
  if (client.isOpen) client.destroy();
}

/** Whether a command failed because Redis cannot be reached, not because of what was asked. */
export function isRedisAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    AWAY_ERRORS.has(error.constructor.name) || ("code" in error && error.code === "ECONNREFUSED")
  );
}

/** The same connection, whose answers are bytes. */
export function binaryOf(client: RedisClient) {
  return client.withTypeMapping({ [BLOB_STRING]: Buffer });
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
    pingInterval: PING_EVERY_MS,
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_WAITING_MAX,
  });
}
