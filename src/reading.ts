import { AsyncLocalStorage } from "node:async_hooks";
import type { TopicReader } from "./features/topics/topics.ts";
import {
  type PublicationsQuery,
  type TimelineQuery,
  type TopicsQuery,
  findTimeline,
  findTopics,
  listPublications,
} from "./features/topics/topic.store.ts";
import type { FoundPage } from "./features/transcription/kept-model.ts";
import { searchPage } from "./features/transcription/search-page.ts";
import type { SearchRequest } from "./features/transcription/search.store.ts";
import type { Database } from "./platform/database.ts";
import type { Log } from "./platform/log.ts";
import { type Pool, PoolClosed, createPool } from "./platform/pool.ts";

/** Everything that reads for longer than the event loop may stand still. */
const READS = {
  search: (db: Db, request: SearchRequest) => searchPage(db, request),
  topics: (db: Db, query: TopicsQuery) => findTopics(db, query),
  publications: (db: Db, query: PublicationsQuery) => listPublications(db, query),
  timeline: (db: Db, query: TimelineQuery) => findTimeline(db, query),
};

type Db = Database["db"];
type Reads = typeof READS;
type What = keyof Reads;

/** One read, as it is posted to the thread that does it. */
export interface ReadJob<Which extends What = What> {
  path: string;
  what: Which;
  request: Parameters<Reads[Which]>[1];
}

/** Looks things up beside the event loop. Rejects as a pool does: `PoolFull`, `PoolClosed`. */
export interface Reading extends TopicReader {
  search(request: SearchRequest): Promise<FoundPage>;
  close(withinMs: number): Promise<void>;
}

export interface ReadingDependencies {
  database: Database;
  path: string;
  spawn(): Worker;
  log: Log;
}

/**
 * A thread of its own that reads the database file, because a word of half the segments beside one
 * of the other half takes as long as it takes. It is started with the first read. What is only in
 * memory is read here.
 */
export function createReading({ database, path, spawn, log }: ReadingDependencies): Reading {
  let pool: Pool<ReadJob, unknown> | null = null;
  let isClosed = false;
  // Bound to here: the thread serves all who read, and not the request that was the first.
  const openPool = AsyncLocalStorage.bind(() =>
    createPool<ReadJob, unknown>({ spawn, size: 1, batchJobsMax: 1, log }),
  );
  const run = (job: ReadJob): unknown => {
    if (path === ":memory:") return answerRead(database.db, job);
    if (isClosed) throw new PoolClosed("nothing is read any more");
    pool ??= openPool();
    return pool.run(job);
  };
  const read =
    <Which extends What>(what: Which) =>
    async (request: Parameters<Reads[Which]>[1]): Promise<ReturnType<Reads[Which]>> => {
      const job: ReadJob<Which> = { path, what, request };
      return (await run(job)) as ReturnType<Reads[Which]>;
    };
  return {
    search: read("search"),
    topics: read("topics"),
    publications: read("publications"),
    timeline: read("timeline"),
    close: async (withinMs) => {
      isClosed = true;
      await pool?.close(withinMs);
    },
  };
}

/** Does a read; the job says which, and with it the type of its request. */
export function answerRead(db: Db, { what, request }: ReadJob): unknown {
  const answer = READS[what] as (db: Db, request: unknown) => unknown;
  return answer(db, request);
}
