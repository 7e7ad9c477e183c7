import type { Log } from "../platform/log.ts";
import { createPool } from "../platform/pool.ts";
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

/** Loads the models, once for all threads, and starts these. */
export async function createTexts({ spawn, threads, log }: TextsDependencies): Promise<Texts> {
  const models = {
    en: readModel(await readShippedModel("en")).shared,
    hi: readModel(await readShippedModel("hi")).shared,
  };
  const pool = createPool<TextWork, TextAnswer>({
    spawn: () => spawn(models),
    size: threads,
    log,
  });
  return {
    process: async (job) => {
      const answer = await pool.run(job);
      if (!("processed" in answer)) throw new Error("a text worker answered something else");
      return answer.processed;
    },
    findTopics: async (text) => {
      const answer = await pool.run({ topicsOf: text });
      if (!("topics" in answer)) throw new Error("a text worker answered something else");
      return answer.topics;
    },
    summarise: async (summaryOf) => {
      const answer = await pool.run({ summaryOf });
      if (!("sentences" in answer)) throw new Error("a text worker answered something else");
      return answer.sentences;
    },
    ready: pool.ready,
    queued: pool.queued,
    close: pool.close,
  };
}
