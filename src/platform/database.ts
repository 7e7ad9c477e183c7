import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { type Commit, createGroupCommit, isLocked } from "./commit.ts";
import { migrate } from "./migrations.ts";

/** The open database. Reads are synchronous and see every commit; writes go through `commit`. */
export interface Database {
  db: BunSQLiteDatabase;
  commit: Commit;
  /** Throws when the database cannot be read. */
  check(): void;
  /** Whether another process has committed something since this was last asked. */
  changedElsewhere(): boolean;
  /** Waits for the writes that were handed in, then closes the file. */
  close(): Promise<void>;
}

/** How long a start waits for other processes that migrate the same file. */
const START_LOCK_MS_MAX = 15_000;

/**
 * Opens `path` (or `:memory:`), makes its folder and brings it up to date. A commit survives a power
 * cut (`synchronous=FULL`). Throws what SQLite throws when the file cannot be used.
 */
export function openDatabase(path: string): Database {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  const sqlite = new Sqlite(path, { create: true, strict: true });
  try {
    sqlite.run(`PRAGMA busy_timeout=${START_LOCK_MS_MAX}`);
    retryLocked(() => void sqlite.run("PRAGMA journal_mode=WAL"));
    sqlite.run("PRAGMA synchronous=FULL");
    sqlite.run("PRAGMA foreign_keys=ON");
    // What is counted lies all over the file: with the usual 2 MB each page would be read again.
    sqlite.run("PRAGMA cache_size=-32000");
    migrate(sqlite);
    // From here on a lock is waited for by the group commit, which does not stop the event loop.
    sqlite.run("PRAGMA busy_timeout=0");
  } catch (error) {
    sqlite.close();
    throw error;
  }
  const group = createGroupCommit(sqlite);
  const probe = sqlite.prepare("SELECT count(*) FROM migrations");
  // SQLite moves this number for every other connection's commits and for none of our own.
  const version = sqlite.prepare<{ data_version: number }, []>("PRAGMA data_version");
  let seenVersion = version.get()?.data_version;
  return {
    db: drizzle({ client: sqlite }),
    commit: group.commit,
    check: () => void probe.get(),
    changedElsewhere: () => {
      const current = version.get()?.data_version;
      const changed = current !== seenVersion;
      seenVersion = current;
      return changed;
    },
    close: async () => {
      await group.close();
      // Statements that were not collected yet keep SQLite from doing this at the close itself, and
      // whoever copies the file of a stopped program would miss what the log beside it holds.
      sqlite.run("PRAGMA wal_checkpoint(TRUNCATE)");
      sqlite.close();
    },
  };
}

/**
 * Tries again while other processes are in the way: two that turn the same new file to WAL at once
 * would wait for each other, so SQLite refuses one of them without waiting.
 */
function retryLocked(step: () => void): void {
  const giveUpAt = performance.now() + START_LOCK_MS_MAX;
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (!isLocked(error) || performance.now() > giveUpAt) throw error;
      Bun.sleepSync(1 + Math.random() * 10);
    }
  }
}
