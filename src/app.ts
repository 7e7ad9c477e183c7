import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { type Api, createApi } from "./api.ts";
import type { Config } from "./config.ts";
import { createCleanup } from "./features/assistant/cleanup.ts";
import { createAssistantFeature } from "./features/assistant/feature.ts";
import { Inference } from "./features/assistant/inference.ts";
import { roomReader, transcriptionReader } from "./features/assistant/said.ts";
import { createAccountsFeature, createHolders, createRoles } from "./features/accounts/feature.ts";
import { createChatBelongings } from "./features/chat/belongings.store.ts";
import { createChatFeature } from "./features/chat/feature.ts";
import { createMessageRemoval } from "./features/chat/retention.store.ts";
import {
  KEPT_FIELDS_MAX,
  KEPT_MESSAGES_BYTES_MAX,
  KEPT_MESSAGES_MS,
} from "./features/transcription/kept-messages.ts";
import { createLookupFeature } from "./features/lookup/feature.ts";
import { readSources } from "./features/lookup/source-file.ts";
import { createTopicsFeature } from "./features/topics/feature.ts";
import { createPostRemoval } from "./features/topics/retention.store.ts";
import { roomSource, transcriptionSource } from "./features/topics/said.ts";
import { LANGUAGES } from "./features/transcription/model.ts";
import { createTranscriptionFeature } from "./features/transcription/feature.ts";
import { createTranscriptionRemoval } from "./features/transcription/retention.store.ts";
import { UPLOAD_BODY_BYTES_MAX } from "./features/transcription/uploads.ts";
import { createRedisAttempts } from "./http/attempts.redis.ts";
import { type Attempts, UNCOUNTED, createMemoryAttempts } from "./http/attempts.ts";
import type { Allowance } from "./platform/rate.ts";
import { createNetworkOf } from "./http/address.ts";
import { type Certificate, readCertificate, whyNotBelieved } from "./http/certificate.ts";
import { createIdentify } from "./http/guard.ts";
import { type HealthDependencies, healthMeasure } from "./http/health.ts";
import { createKeyStore } from "./http/keys.store.ts";
import { createKeys } from "./http/keys.ts";
import { createHttpCounts } from "./http/metrics.ts";
import { listenOrExplain } from "./http/listen-failure.ts";
import { createListener } from "./http/listener.ts";
import { IDLE_S } from "./http/patience.ts";
import { createTrustedProxies } from "./http/proxies.ts";
import { KEY_REQUESTS, NETWORK_REQUESTS, USER_REQUESTS } from "./http/request-rate.ts";
import { installationSecret } from "./http/secret.ts";
import { createTokens } from "./http/tokens.ts";
import { createRedisBus } from "./platform/bus.redis.ts";
import { createMemoryBus } from "./platform/bus.ts";
import { openDatabase } from "./platform/database.ts";
import { createRedisKept } from "./platform/kept.redis.ts";
import { createMemoryKept } from "./platform/kept.ts";
import { type RootLog, errorFields } from "./platform/log.ts";
import { gauge } from "./platform/metrics.ts";
import { watchOpenFiles } from "./platform/open-files.ts";
import { watchProcess } from "./platform/process.ts";
import { closeRedis, openRedis, whenReady } from "./platform/redis.ts";
import { startRetention } from "./platform/retention.ts";
import { createRestarts } from "./platform/restarts.ts";
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

export interface App {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  url: string;
  port: number;
  api: Api;
  /**
   * Reads the certificate again, for connections from now on. Rejects with a `ConfigError`, and goes on
   * with the one there is, when it cannot be used.
   */
  renewCertificate(): Promise<void>;
  /** Loads now what the first text would wait for. */
  warm(): void;
  /** Lets everything finish that was begun, within the configured time. Never rejects. */
  stop(): Promise<void>;
}

/** Guests' ids are above every account's and below what JSON numbers hold exactly. */
const GUEST_ID_MIN = 2 ** 40;
const GUEST_ID_MAX = 2 ** 47;
const MEMORY_KEPT_BYTES_MAX = 256 * 1024 * 1024;
/** Bun cuts bodies here, unasked; every route has a limit of its own below this. */
const READ_BYTES_MAX = 2 * UPLOAD_BODY_BYTES_MAX;
/** Text frames of one socket. */
const FRAMES: Allowance = { burst: 1_000, everyMs: 5 };
/** A start waits so long for Redis; without it the server starts and says so in `/readyz`. */
const REDIS_START_MS = 2_000;
/** Sockets are told first; what HTTP requests are under way get this before they are cut. */
const REQUESTS_MS = 1_000;
/** What was traced last has so long to be handed over; then it is lost. */
const TRACES_MS = 1_000;

/** Builds the whole house, listens, and knows how to take it down again. */
export async function startApp(config: Config, log: RootLog): Promise<App> {
  const now = Date.now;
  /** For what only measures how long something takes: nobody sets this clock. */
  const uptime = (): number => performance.now();
  const newId = randomUUID;
  const processId = newId();
  let isDraining = false;
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error(errorFields(error), "a part did not stop cleanly");
      }
    }
  };

  const warnOfDates = (certificate: Certificate | null): void => {
    const why = certificate === null ? null : whyNotBelieved(certificate, now());
    if (why !== null) log.warn({ path: config.tls?.certPath }, `TLS_CERT: ${why}`);
  };

  // Before anything is opened: a file that is wrong stops the start.
  const publicSources = await readSources(config.publicSources);
  const tls = config.tls === null ? null : await readCertificate(config.tls);
  warnOfDates(tls);
  try {
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
    stops.push(() => traces.close(TRACES_MS));
    const database = openDatabase(config.databasePath, log.part("database"));
    stops.push(() => database.close());
    const watched = watchProcess(VERSION);
    stops.push(watched.close);
    stops.push(watchOpenFiles({ log: log.part("main") }));
    const restarts = createRestarts();

    const redis = config.redisUrl === null ? null : openRedis(config.redisUrl, log.part("redis"));
    if (redis !== null) {
      stops.push(() => closeRedis(redis));
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
    stops.push(() => bus.close());

    const keptLimits = {
      ageMs: KEPT_MESSAGES_MS,
      keyBytesMax: KEPT_MESSAGES_BYTES_MAX,
      keyFieldsMax: KEPT_FIELDS_MAX,
    };
    const kept =
      redis === null
        ? createMemoryKept({ ...keptLimits, totalBytesMax: MEMORY_KEPT_BYTES_MAX, now })
        : createRedisKept(redis, keptLimits);

    const texts = await createTexts({
      spawn: restarts.counted("text", config.textWorkers, spawnTextWorker),
      threads: config.textWorkers,
      log: log.part("text"),
    });
    stops.push(() => texts.close(config.shutdownTimeoutMs / 4));
    const reading = createReading({
      database,
      path: config.databasePath,
      spawn: restarts.counted("reading", 1, spawnReadingWorker),
      log: log.part("reading"),
    });
    stops.push(() => reading.close(config.shutdownTimeoutMs / 4));
    const recognition = openRecognition({
      settings: speechSettings(config),
      languages: LANGUAGES,
      spawn: restarts.counted("speech", config.speechWorkers, () =>
        hearSpans(traces, spawnSpeechWorker()),
      ),
      log: log.part("speech"),
    });
    stops.push(() => recognition?.close());

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
    stops.push(socketCounts.close);
    const gateway = createGateway({
      tokens,
      networkOf,
      frames: config.rateLimits ? FRAMES : null,
      counts: config.rateLimits ? socketCounts : null,
      now,
      newId,
      log: log.part("sockets"),
    });

    const chat = createChatFeature({
      database,
      bus,
      redis,
      publish: (topic, text) => listener?.publish(topic, text),
      isRated: config.rateLimits,
      presenceLeaseMs: config.presenceLeaseMs,
      processId,
      newId,
      now,
      log,
    });
    stops.push(chat.close);
    const { rooms, service: talk } = chat.routes;

    const count = (name: string, allowance: Allowance): Attempts => {
      if (!config.rateLimits) return UNCOUNTED;
      const here = createMemoryAttempts(allowance, uptime);
      if (redis === null) return here;
      return createRedisAttempts({ redis, name, allowance, meanwhile: here });
    };
    const inference = new Inference(
      config.openAi === null ? null : { ...config.openAi, model: config.llmModel },
      { traces },
    );
    const cleanup = createCleanup({
      inference,
      process: texts.process,
      now: uptime,
      log: log.part("assistant"),
    });
    const transcription = createTranscriptionFeature({
      database,
      databasePath: config.databasePath,
      bus,
      kept,
      recognition,
      processText: config.llmCleanup ? cleanup : texts.process,
      processEdit: texts.process,
      captions: chat.captions,
      roleOf: createRoles(database),
      checkRoom: rooms.checkMayEnter,
      search: reading.search,
      parkedMs: config.speechParkMs,
      filesAtOnce: config.speechWorkers,
      processId,
      newId,
      now,
      log: log.part("transcription"),
      traces,
    });
    stops.push(() => transcription.close());

    const assistant = createAssistantFeature({
      inference,
      readTranscription: transcriptionReader(transcription.routes.service),
      readRoom: roomReader({ checkExists: rooms.checkExists, history: talk.history }),
      chooseSentences: texts.summarise,
      count,
      log: log.part("assistant"),
    });

    const { topicsFrom } = config;
    const topics = createTopicsFeature({
      database,
      reader: reading,
      findTopics: texts.findTopics,
      threads: config.textWorkers,
      queuedMax: config.queuedPostsMax,
      takesPosts: topicsFrom.includes("posts"),
      sources: {
        ...(topicsFrom.includes("rooms") && { rooms: roomSource(chat.saidAfter) }),
        ...(topicsFrom.includes("transcriptions") && {
          transcriptions: transcriptionSource(transcription.saidAfter),
        }),
      },
      draining: () => isDraining,
      processId,
      now,
      log: log.part("topics"),
      traces,
    });
    stops.push(() => topics.close(config.shutdownTimeoutMs / 4));

    const lookup = createLookupFeature({
      sources: publicSources,
      redis,
      count,
      newId,
      now,
      log: log.part("lookup"),
      traces,
    });
    stops.push(lookup.close);

    const accounts = createAccountsFeature({
      database,
      bus,
      gateway,
      sign: tokens.sign,
      isRegistrationOpen: config.isRegistrationOpen,
      count,
      belongings: {
        ...transcription.belongings,
        ...createChatBelongings(database),
      },
      now,
      log: log.part("accounts"),
    });
    stops.push(accounts.close);

    const retention = startRetention({
      days: config.retentionDays,
      seenAt: database.writtenAt,
      removals: [
        createMessageRemoval(database),
        createTranscriptionRemoval(database, now),
        createPostRemoval(database),
      ],
      now,
      log: log.part("retention"),
    });
    stops.push(retention.close);

    const guestId = (): number => randomInt(GUEST_ID_MIN, GUEST_ID_MAX);
    const isRedisThere = (): boolean | null =>
      redis === null ? null : redis.isReady && bus.connected();
    const health: HealthDependencies = {
      parts: {
        database: () => {
          database.check();
          return database.isWritable();
        },
        redis: isRedisThere,
        speech: () => recognition?.ready() ?? null,
        text: texts.ready,
      },
      draining: () => isDraining,
    };
    const counts = createHttpCounts();
    const api = createApi({
      log: log.part("http"),
      version: VERSION,
      basePath: config.basePath,
      identify: createIdentify({
        auth: config.auth,
        tokens,
        keys,
        requests: count("user requests", USER_REQUESTS),
        guestId,
      }),
      origin: config,
      pages: {
        loadWeb: async () => (await import("./web/built.ts")).built,
        auth: config.auth,
        isRegistrationOpen: config.isRegistrationOpen,
        basePath: config.basePath,
      },
      health,
      counts,
      requestId: { log, proxies, newId },
      traces,
      metrics: {
        measures: [
          healthMeasure(health),
          watched.measure,
          counts.measure,
          gateway.measure,
          chat.measure,
          transcription.measure,
          restarts.measure,
          () => [
            gauge("earshot_text_queued", "Texts that wait for a thread.", texts.queued()),
            gauge(
              "earshot_redis_up",
              "1 when Redis answers and other processes are heard; not told without Redis.",
              isRedisThere() === null ? null : Number(isRedisThere()),
            ),
          ],
          topics.measure,
          database.measure,
          bus.measure,
          () => inference.measure(),
          lookup.measure,
        ],
      },
      requestRate: {
        networkOf,
        keys,
        requests: count("network requests", NETWORK_REQUESTS),
        keyRequests: count("key requests", KEY_REQUESTS),
      },
      accounts: { ...accounts.routes, keys, networkOf },
      chat: { gateway, ...chat.routes },
      transcription: { gateway, ...transcription.routes },
      files: transcription.files,
      topics: topics.routes,
      lookup: lookup.routes,
      assistant: assistant.routes,
    });
    const listener = createListener<Certificate | null>({
      open: (port, certificate) => {
        listenOrExplain({ host: config.host, port }, () =>
          api.listen({
            hostname: config.host,
            port,
            reusePort: config.portShared,
            maxRequestBodySize: READ_BYTES_MAX,
            idleTimeout: IDLE_S,
            websocket: gateway.websocket,
            development: false,
            ...(certificate !== null && { tls: { cert: certificate.cert, key: certificate.key } }),
          }),
        );
        if (api.server === null) throw new Error("the server did not start");
        return api.server;
      },
      port: config.port,
      tls,
      isShared: config.portShared,
    });
    stops.push(async () => {
      isDraining = true;
      topics.closeEvents();
      inference.close();
      const stopped = listener.stop();
      await gateway.stop(config.shutdownTimeoutMs / 3);
      await Promise.race([stopped, Bun.sleep(REQUESTS_MS)]);
      await listener.cut();
    });

    const name = config.host.includes(":") ? `[${config.host}]` : config.host;
    const url = `http${tls === null ? "" : "s"}://${name}:${listener.port}${config.basePath}`;
    const renewCertificate = async (): Promise<void> => {
      if (config.tls === null) return;
      const certificate = await readCertificate(config.tls);
      listener.renew(certificate);
      warnOfDates(certificate);
    };
    return { url, port: listener.port, api, renewCertificate, warm: texts.warm, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
