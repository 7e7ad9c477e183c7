import type { Database } from "../../platform/database.ts";
import type { Log } from "../../platform/log.ts";
import { createPool } from "../../platform/pool.ts";
import type { FoundPage } from "./kept-model.ts";
import { searchPage } from "./search.ts";
import type { SearchRequest } from "./search.store.ts";

/** Looks things up beside the event loop. */
export interface SearchReader {
  /** Rejects as a pool does: `PoolFull`, `PoolClosed`. */
  find(request: SearchRequest): Promise<FoundPage>;
  close(withinMs: number): Promise<void>;
}

export interface SearchJob {
  path: string;
  request: SearchRequest;
}

export interface SearchReaderDependencies {
  database: Database;
  path: string;
  spawn(): Worker;
  log: Log;
}

/**
 * A thread of its own that reads the database file, because a word of half the segments beside one
 * of the other half takes as long as it takes. What is only in memory is read here.
 */
export function createSearchReader(dependencies: SearchReaderDependencies): SearchReader {
  const { database, path, spawn, log } = dependencies;
  if (path === ":memory:") {
    return {
      find: async (request) => searchPage(database.db, request),
      close: async () => undefined,
    };
  }
  const pool = createPool<SearchJob, FoundPage>({ spawn, size: 1, log });
  return { find: (request) => pool.run({ path, request }), close: pool.close };
}
