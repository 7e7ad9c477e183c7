import { createCleanup } from "./features/assistant/cleanup.ts";
import { createAssistantFeature } from "./features/assistant/feature.ts";
import { Inference } from "./features/assistant/inference.ts";
import { roomReader, transcriptionReader } from "./features/assistant/said.ts";
import { createAccountsFeature, createRoles } from "./features/accounts/feature.ts";
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
import { createTranscriptionFeature } from "./features/transcription/feature.ts";
import { createTranscriptionRemoval } from "./features/transcription/retention.store.ts";
import { createRedisKept } from "./platform/kept.redis.ts";
import { createMemoryKept } from "./platform/kept.ts";
import { startRetention } from "./platform/retention.ts";
import type { Stops } from "./platform/stops.ts";
import { createTrustedTime } from "./platform/trusted-time.ts";
import type { Ground } from "./ground.ts";

const MEMORY_KEPT_BYTES_MAX = 256 * 1024 * 1024;
/** A stop waits so long for rounds that the next start goes on with anyway. */
const ROUND_MS = 1_000;

interface FeaturesDependencies {
  ground: Ground;
  publicSources: Awaited<ReturnType<typeof readSources>>;
  /** Tells every socket of this process that listens to a topic. */
  publish(topic: string, text: string): void;
  draining(): boolean;
  onStop: Stops["add"];
}

/** Makes every feature; what one has to do with another is said here and nowhere else. */
export function createFeatures({
  ground,
  publicSources,
  publish,
  draining,
  onStop,
}: FeaturesDependencies) {
  const { config, log, now, uptime, newId, processId, traces, database, redis, bus } = ground;
  const { texts, reading, recognition, tokens, gateway, count } = ground;

  const chat = createChatFeature({
    database,
    bus,
    redis,
    publish,
    isRated: config.rateLimits,
    presenceLeaseMs: config.presenceLeaseMs,
    processId,
    newId,
    now,
    log,
  });
  onStop(chat.close, { part: "rooms" });
  const { rooms, service: talk } = chat.routes;

  const keptLimits = {
    ageMs: KEPT_MESSAGES_MS,
    keyBytesMax: KEPT_MESSAGES_BYTES_MAX,
    keyFieldsMax: KEPT_FIELDS_MAX,
  };
  const kept =
    redis === null
      ? createMemoryKept({ ...keptLimits, totalBytesMax: MEMORY_KEPT_BYTES_MAX, now })
      : createRedisKept(redis, keptLimits);

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
  onStop(transcription.close, { part: "transcriptions" });

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
    draining,
    processId,
    now,
    log: log.part("topics"),
    traces,
  });
  // Half, so that posts that are not done in time can still be handed back.
  onStop((withinMs) => topics.close(Math.min(withinMs / 2, config.shutdownTimeoutMs / 4)), {
    part: "topics",
  });

  const lookup = createLookupFeature({
    sources: publicSources,
    redis,
    count,
    newId,
    now,
    log: log.part("lookup"),
    traces,
  });
  onStop(lookup.close, { part: "lookup" });

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
  onStop((withinMs) => accounts.close(Math.min(withinMs, ROUND_MS)), { part: "accounts" });

  const retention = startRetention({
    days: config.retentionDays,
    trustedTime: createTrustedTime(database),
    seenAt: database.writtenAt,
    removals: [
      createMessageRemoval(database),
      createTranscriptionRemoval(database, now),
      createPostRemoval(database),
    ],
    now,
    log: log.part("retention"),
  });
  onStop((withinMs) => retention.close(Math.min(withinMs, ROUND_MS)), { part: "retention" });

  return { chat, transcription, assistant, topics, lookup, accounts, inference };
}
