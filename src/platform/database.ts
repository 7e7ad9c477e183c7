import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { type Commit, createGroupCommit, isLocked } from "./commit.ts";
import { checkWritable, explainOpening } from "./database-failure.ts";
import { isDiskFull } from "./disk.ts";
import { codeOf } from "./error-code.ts";
import type { Log } from "./log.ts";
import type { Measure } from "./metrics.ts";
import { migrate } from "./migrations.ts";
import { createTrouble } from "./trouble.ts";

/** The open database. Reads are synchronous and see every commit; writes go through `commit`. */
export interface Database {
  db: BunSQLiteDatabase;
  commit: Commit;
  /** Throws when the database cannot be read. */
  check(): void;
  /**
   * Whether the last write reached the disk. When it did not, something is written now, so that whoever
   * asks again hears whether that is still so, though nobody else may write.
   */
  isWritable(): boolean;
  measure: Measure;
  /** When the file was written last before it was opened, Unix milliseconds; null for a new one. */
  writtenAt: number | null;
  /** Whether another process has committed something since this was last asked. */
  changedElsewhere(): boolean;
  /** Waits for the writes that were handed in, then closes the file. */
  close(): Promise<void>;
}

/** How long a start waits for other processes that migrate the same file. */
const START_LOCK_MS_MAX = 15_000;
/** Some file systems give a file another number when it is written first; that ends here. */
const OPENINGS_MAX = 3;

/**
 * Opens `path` (or `:memory:`), makes its folder and brings it up to date. A commit survives a power
 * cut (`synchronous=FULL`). Throws `DatabaseUnusable` when the file cannot be used. `log` is told when
 * writes begin to fail, and when they are done again.
 */
export function openDatabase(path: string, log?: Log): Database {
  const writtenAt = lastWrittenAt(path);
  const sqlite = openUpToDate(path);
  const trouble = log && createTrouble({ log, level: "error" });
  const group = createGroupCommit(sqlite, {
    onFailed: (error) => trouble?.begin({ path, code: codeOf(error) }, failureOf(error)),
    onDone: () => trouble?.end("the database is written again"),
  });
  const probe = sqlite.prepare("SELECT count(*) FROM migrations");
  // SQLite moves this number for every other connection's commits and for none of our own.
  const version = sqlite.prepare<{ data_version: number }, []>("PRAGMA data_version");
  let seenVersion = version.get()?.data_version;
  // The number of a file's format that programs may set for themselves: it stays as it is, but is
  // written down again, in a page like any other.
  const format = sqlite.query<{ user_version: number }, []>("PRAGMA user_version").get();
  let trying: Promise<void> | null = null;
  const tryToWrite = (): void => {
    trying ??= group
      .commit(() => void sqlite.run(`PRAGMA user_version=${format?.user_version ?? 0}`))
      // Why it failed is known to the group commit.
      .catch(() => undefined)
      .finally(() => (trying = null));
  };
  return {
    db: drizzle({ client: sqlite }),
    commit: group.commit,
    check: () => void probe.get(),
    isWritable: () => {
      const isFailing = group.isFailing();
      if (isFailing) tryToWrite();
      return !isFailing;
    },
    measure: group.measure,
    writtenAt,
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

function openUpToDate(path: string): Sqlite {
  try {
    if (path !== ":memory:") {
      checkWritable(path);
      mkdirSync(dirname(path), { recursive: true });
    }
    return prepare(openFile(path));
  } catch (error) {
    throw explainOpening(error, path);
  }
}

function prepare(sqlite: Sqlite): Sqlite {
  try {
    retryLocked(() => void sqlite.run("PRAGMA journal_mode=WAL"));
    sqlite.run("PRAGMA synchronous=FULL");
    sqlite.run("PRAGMA foreign_keys=ON");
    // What is counted lies all over the file: with the usual 2 MB each page would be read again.
    sqlite.run("PRAGMA cache_size=-32000");
    migrate(sqlite);
    // From here on a lock is waited for by the group commit, which does not stop the event loop.
    sqlite.run("PRAGMA busy_timeout=0");
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function lastWrittenAt(path: string): number | null {
  const times = [path, `${path}-wal`].map((file) => mtimeOf(file));
  const latest = Math.max(...times);
  return latest > 0 ? latest : null;
}

function mtimeOf(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    // It is told of where the file is opened.
    return 0;
  }
}

/** What is told of writes that do not reach the disk. */
function failureOf(error: unknown): string {
  if (isDiskFull(error)) return "the disk is full: nothing is kept until there is room";
  if (isLocked(error))
    return "another process has the database locked: nothing is kept until it lets go";
  return "the database cannot be written: nothing is kept until it can";
}

/**
 * Whoever waited for a restore has waited for the file that it has put aside, and must not write a log
 * under the name that belongs to the new one: that is opened instead.
 */
function openFile(path: string): Sqlite {
  for (let tries = 1; ; tries++) {
    const before = fileAt(path);
    const sqlite = new Sqlite(path, { create: true, strict: true });
    try {
      sqlite.run(`PRAGMA busy_timeout=${START_LOCK_MS_MAX}`);
      // Waits for who has the file alone.
      retryLocked(() => void sqlite.run("SELECT count(*) FROM sqlite_schema"));
      if (before === null || before === fileAt(path) || tries === OPENINGS_MAX) return sqlite;
    } catch (error) {
      sqlite.close();
      throw error;
    }
    sqlite.close();
  }
}

/** Which file has the name; null when none has. */
function fileAt(path: string): string | null {
  if (path === ":memory:") return null;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev} ${stats.ino}`;
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
