import { randomBytes, randomUUID } from "node:crypto";
import type { Config } from "./config.ts";
import { createHolders } from "./features/accounts/feature.ts";
import { LANGUAGES } from "./features/transcription/model.ts";
import { createRedisAttempts } from "./http/attempts.redis.ts";
import { type Attempts, UNCOUNTED, createMemoryAttempts } from "./http/attempts.ts";
import type { Allowance } from "./platform/rate.ts";
import { createNetworkOf } from "./http/address.ts";
import { createKeyStore } from "./http/keys.store.ts";
import { createKeys } from "./http/keys.ts";
import { createTrustedProxies } from "./http/proxies.ts";
import { installationSecret } from "./http/secret.ts";
import { createTokens } from "./http/tokens.ts";
import { createRedisBus } from "./platform/bus.redis.ts";
import { createMemoryBus } from "./platform/bus.ts";
import { openDatabase } from "./platform/database.ts";
import { type RootLog } from "./platform/log.ts";
import { watchOpenFiles } from "./platform/open-files.ts";
import { watchProcess } from "./platform/process.ts";
import { closeRedis, openRedis, whenReady } from "./platform/redis.ts";
import { createRestarts } from "./platform/restarts.ts";
import type { Stops } from "./platform/stops.ts";
import { NO_TRACES } from "./platform/traces.ts";
import { hearSpans } from "./platform/traces.worker.ts";
import { createGateway } from "./realtime/gateway.ts";
import { createRedisSocketCounts } from "./realtime/socket-counts.redis.ts";
import { createMemorySocketCounts } from "./realtime/socket-counts.ts";
import { openRecognition, speechSettings } from "./speech/open.ts";
import { createTexts } from "./text/texts.ts";
import { createReading } from "./reading.ts";
import { VERSION } from "./version.ts";
import { spawnReadingWorker, spawnSpeechWorker, spawnTextWorker } from "./workers.ts";

/** A start waits so long for Redis; without it the server starts and says so in `/readyz`. */
const REDIS_START_MS = 2_000;
/** What was traced last has so long to be handed over; then it is lost. */
const TRACES_MS = 1_000;
/** Text frames of one socket. */
const FRAMES: Allowance = { burst: 1_000, everyMs: 5 };

export type Ground = Awaited<ReturnType<typeof openGround>>;

/** Opens what every feature stands on: the database, Redis, the workers, who callers are. */
export async function openGround(config: Config, log: RootLog, onStop: Stops["add"]) {
  const now = Date.now;
  const newId = randomUUID;
  const processId = newId();

  const { traces: collected } = config;
  const traces =
    collected === null
      ? NO_TRACES
      : (await import("./platform/traces.otel.ts")).createTraces({
          config: collected,
          version: VERSION,
          processId,
          log: log.part("traces"),
        });
  onStop((withinMs) => traces.close(Math.min(withinMs, TRACES_MS)), { part: "traces" });
  const database = openDatabase(config.databasePath, log.part("database"));
  onStop(() => database.close(), { part: "database" });
  const watched = watchProcess(VERSION);
  onStop(watched.close, { part: "measures" });
  onStop(watchOpenFiles({ log: log.part("main") }), { part: "open files" });
  const restarts = createRestarts();

  const redis = config.redisUrl === null ? null : openRedis(config.redisUrl, log.part("redis"));
  if (redis !== null) {
    onStop(() => closeRedis(redis), { part: "redis" });
    await whenReady(redis, REDIS_START_MS);
  }
  const bus =
    redis === null || config.redisUrl === null
      ? createMemoryBus()
      : createRedisBus({
          url: config.redisUrl,
          commands: redis,
          processId,
          log: log.part("bus"),
        });
  onStop(() => bus.close(), { part: "bus" });

  const isRedisThere = (): boolean | null =>
    redis === null ? null : redis.isReady && bus.connected();
  const texts = await createTexts({
    spawn: restarts.counted("text", config.textWorkers, spawnTextWorker),
    threads: config.textWorkers,
    log: log.part("text"),
  });
  onStop((withinMs) => texts.close(Math.min(withinMs, config.shutdownTimeoutMs / 4)), {
    part: "text",
  });
  const reading = createReading({
    database,
    path: config.databasePath,
    spawn: restarts.counted("reading", 1, spawnReadingWorker),
    log: log.part("reading"),
  });
  onStop((withinMs) => reading.close(Math.min(withinMs, config.shutdownTimeoutMs / 4)), {
    part: "reading",
  });
  const recognition = openRecognition({
    settings: speechSettings(config),
    languages: LANGUAGES,
    spawn: restarts.counted("speech", config.speechWorkers, () =>
      hearSpans(traces, spawnSpeechWorker()),
    ),
    log: log.part("speech"),
  });
  onStop(() => recognition?.close(), { part: "speech" });

  const secret = await installationSecret(database, () => randomBytes(32).toString("base64url"));
  const tokens = createTokens(config.jwtSecret ?? secret, now, createHolders(database, now));
  const keys = createKeys({ store: createKeyStore(database), configured: config.apiKeys, now });
  const proxies = createTrustedProxies(config.trustedProxies);
  const networkOf = createNetworkOf(proxies);
  const leaseMs = config.presenceLeaseMs;
  const socketCounts =
    redis === null
      ? createMemorySocketCounts()
      : createRedisSocketCounts({ redis, newId, leaseMs, log: log.part("sockets") });
  onStop(socketCounts.close, { part: "socket counts" });
  const gateway = createGateway({
    tokens,
    networkOf,
    frames: config.rateLimits ? FRAMES : null,
    counts: config.rateLimits ? socketCounts : null,
    now,
    newId,
    log: log.part("sockets"),
  });

  const count = (name: string, allowance: Allowance): Attempts => {
    if (!config.rateLimits) return UNCOUNTED;
    const here = createMemoryAttempts(allowance, uptime);
    if (redis === null) return here;
    return createRedisAttempts({ redis, name, allowance, meanwhile: here });
  };

  return {
    config,
    log,
    now,
    uptime,
    newId,
    processId,
    traces,
    database,
    watched,
    restarts,
    redis,
    bus,
    isRedisThere,
    texts,
    reading,
    recognition,
    tokens,
    keys,
    proxies,
    networkOf,
    gateway,
    count,
  };
}

/** For what only measures how long something takes: nobody sets this clock. */
function uptime(): number {
  return performance.now();
}
