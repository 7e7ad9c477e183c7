import { AsyncLocalStorage } from "node:async_hooks";
import type { Log } from "../platform/log.ts";
import { type Pool, PoolClosed, createPool } from "../platform/pool.ts";
import type { FoundLanguage } from "./entities/finder.ts";
import { type SharedModel, readModel } from "./entities/model.ts";
import { readShippedModel } from "./entities/shipped.ts";
import type { TextJob, TextResult } from "./pipeline.ts";
import type { LineSentence, SummaryJob } from "./summary.ts";
import type { TopicMention } from "./topics.ts";

/** The threads that work texts: what was said, and posts. */
export interface Texts {
  /** Rejects as a pool does, as everything here: `PoolFull`, `PoolClosed`, `JobFailed`. */
  process(job: TextJob): Promise<TextResult>;
  findTopics(text: string): Promise<TopicMention[]>;
  /** The sentences that say most; of hours of talk this takes up to half a second. */
  summarise(job: SummaryJob): Promise<LineSentence[]>;
  /** Loads the models and starts the threads now, instead of with the first text. */
  warm(): void;
  /** Whether texts are worked, or would be from the first one on. */
  ready(): boolean;
  /** Texts that no thread has been given yet. */
  queued(): number;
  close(withinMs: number): Promise<void>;
}

/** The taggers' models, in memory that every thread reads and none writes. */
export type SharedModels = Record<FoundLanguage, SharedModel>;

export type TextWork = TextJob | { topicsOf: string } | { summaryOf: SummaryJob };
export type TextAnswer =
  | { processed: TextResult }
  | { topics: TopicMention[] }
  | { sentences: LineSentence[] };

export interface TextsDependencies {
  spawn(models: SharedModels): Worker;
  threads: number;
  log: Log;
}

/** Threads that start with the first text; the models are loaded then, once for all of them. */
export async function createTexts({ spawn, threads, log }: TextsDependencies): Promise<Texts> {
  const files = { en: await readShippedModel("en"), hi: await readShippedModel("hi") };
  let pool: Pool<TextWork, TextAnswer> | null = null;
  let isClosed = false;
  // Bound to here: the threads serve all texts, and not whoever brought the first.
  const openPool = AsyncLocalStorage.bind(() => {
    const models = { en: readModel(files.en).shared, hi: readModel(files.hi).shared };
    return createPool<TextWork, TextAnswer>({ spawn: () => spawn(models), size: threads, log });
  });
  const run = async (work: TextWork): Promise<TextAnswer> => {
    if (isClosed) throw new PoolClosed("no texts are worked any more");
    pool ??= openPool();
    return pool.run(work);
  };
  return {
    process: async (job) => {
      const answer = await run(job);
      if (!("processed" in answer)) throw new Error("a text worker answered something else");
      return answer.processed;
    },
    findTopics: async (text) => {
      const answer = await run({ topicsOf: text });
      if (!("topics" in answer)) throw new Error("a text worker answered something else");
      return answer.topics;
    },
    summarise: async (summaryOf) => {
      const answer = await run({ summaryOf });
      if (!("sentences" in answer)) throw new Error("a text worker answered something else");
      return answer.sentences;
    },
    warm: () => {
      if (!isClosed) pool ??= openPool();
    },
    ready: () => pool === null || pool.ready(),
    queued: () => pool?.queued() ?? 0,
    close: async (withinMs) => {
      isClosed = true;
      await pool?.close(withinMs);
    },
  };
}
