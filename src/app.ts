import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { type Api, createApi } from "./api.ts";
import type { Config } from "./config.ts";
import { createCleanup } from "./features/assistant/cleanup.ts";
import { createAssistantFeature } from "./features/assistant/feature.ts";
import { Inference } from "./features/assistant/inference.ts";
import { roomReader, transcriptionReader } from "./features/assistant/said.ts";
import { createAccountsFeature, createHolders } from "./features/accounts/feature.ts";
import { createChatBelongings } from "./features/chat/belongings.store.ts";
import { createChatFeature } from "./features/chat/feature.ts";
import {
  KEPT_FIELDS_MAX,
  KEPT_MESSAGES_BYTES_MAX,
  KEPT_MESSAGES_MS,
} from "./features/transcription/kept-messages.ts";
import { createLookupFeature } from "./features/lookup/feature.ts";
import { readSources } from "./features/lookup/source-file.ts";
import { createTopicsFeature } from "./features/topics/feature.ts";
import { roomSource, transcriptionSource } from "./features/topics/said.ts";
import { LANGUAGES } from "./features/transcription/model.ts";
import { createTranscriptionFeature } from "./features/transcription/feature.ts";
import { UPLOAD_BODY_BYTES_MAX } from "./features/transcription/uploads.ts";
import { createRedisAttempts } from "./http/attempts.redis.ts";
import { type Allowance, type Attempts, UNCOUNTED, createMemoryAttempts } from "./http/attempts.ts";
import { createNetworkOf } from "./http/address.ts";
import { createIdentify } from "./http/guard.ts";
import { createKeyStore } from "./http/keys.store.ts";
import { createKeys } from "./http/keys.ts";
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
import { type Log, errorFields } from "./platform/log.ts";
import { closeRedis, openRedis, whenReady } from "./platform/redis.ts";
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

/** Builds the whole house, listens, and knows how to take it down again. */
export async function startApp(config: Config, log: Log): Promise<App> {
  const now = Date.now;
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

  // Before anything is opened: a file that is wrong stops the start.
  const publicSources = await readSources(config.publicSources);
  try {
    const database = openDatabase(config.databasePath);
    stops.push(() => database.close());

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
      spawn: spawnTextWorker,
      threads: config.textWorkers,
      log: log.part("text"),
    });
    stops.push(() => texts.close(config.shutdownTimeoutMs / 4));
    const reading = createReading({
      database,
      path: config.databasePath,
      spawn: spawnReadingWorker,
      log: log.part("reading"),
    });
    stops.push(() => reading.close(config.shutdownTimeoutMs / 4));
    const recognition = openRecognition({
      settings: speechSettings(config),
      languages: LANGUAGES,
      spawn: spawnSpeechWorker,
      log: log.part("speech"),
    });
    stops.push(() => recognition?.close());

    const secret = await installationSecret(database, () => randomBytes(32).toString("base64url"));
    const tokens = createTokens(config.jwtSecret ?? secret, now, createHolders(database, now));
    const keys = createKeys({ store: createKeyStore(database), configured: config.apiKeys, now });
    const networkOf = createNetworkOf(createTrustedProxies(config.trustedProxies));
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
      publish: (topic, text) => void server?.publish(topic, text),
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
      const here = createMemoryAttempts(allowance, now);
      if (redis === null) return here;
      return createRedisAttempts({ redis, name, allowance, meanwhile: here });
    };
    const inference = new Inference(
      config.openAi === null ? null : { ...config.openAi, model: config.llmModel },
    );
    const cleanup = createCleanup({
      inference,
      process: texts.process,
      now,
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
      checkRoom: rooms.checkMayEnter,
      search: reading.search,
      parkedMs: config.speechParkMs,
      filesAtOnce: config.speechWorkers,
      processId,
      newId,
      now,
      log: log.part("transcription"),
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
    });
    stops.push(() => topics.close(config.shutdownTimeoutMs / 4));

    const lookup = createLookupFeature({
      sources: publicSources,
      redis,
      count,
      newId,
      now,
      log: log.part("lookup"),
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

    const guestId = (): number => randomInt(GUEST_ID_MIN, GUEST_ID_MAX);
    const api = createApi({
      log: log.part("http"),
      version: VERSION,
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
      },
      health: {
        parts: {
          database: () => {
            database.check();
            return true;
          },
          redis: () => (redis === null ? null : redis.isReady && bus.connected()),
          speech: () => recognition?.ready() ?? null,
          text: texts.ready,
        },
        draining: () => isDraining,
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
    api.listen({
      hostname: config.host,
      port: config.port,
      reusePort: config.portShared,
      maxRequestBodySize: READ_BYTES_MAX,
      idleTimeout: IDLE_S,
      websocket: gateway.websocket,
      development: false,
    });
    const { server } = api;
    if (server === null) throw new Error("the server did not start");
    stops.push(async () => {
      isDraining = true;
      topics.closeEvents();
      inference.close();
      const stopped = server.stop();
      await gateway.stop(config.shutdownTimeoutMs / 3);
      await Promise.race([stopped, Bun.sleep(REQUESTS_MS)]);
      await server.stop(true);
    });

    const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${server.port}`;
    return { url, port: server.port ?? config.port, api, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
