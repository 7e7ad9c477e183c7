import { codeOf } from "./error-code.ts";
import type { Database } from "bun:sqlite";
import { type Measure, counter, createHistogram, gauge, histogram } from "./metrics.ts";

/**
 * Runs `write` inside a transaction and resolves with what it returned once that is on the disk.
 * `write` is synchronous and may run again when another process held the lock, so it must do nothing
 * but read and write the database.
 */
export type Commit = <T>(write: () => T) => Promise<T>;

export interface GroupCommit {
  commit: Commit;
  /** Whether the last writes did not reach the disk, for no fault of theirs: it is full or broken, or locked. */
  isFailing(): boolean;
  measure: Measure;
  /** Resolves when everything that was handed in has been committed; later writes are refused. */
  close(): Promise<void>;
}

/** Hears how the disk does. */
export interface CommitWatcher {
  /** A write did not reach the disk, for no fault of its own. */
  onFailed(error: unknown): void;
  /** Writes reached the disk. */
  onDone(): void;
}

/** More writes wait than the disk keeps up with; the write was not done. */
export class WritesFull extends Error {
  override name = "WritesFull";
}

/** Past this, `WritesFull`. */
const WAITING_WRITES_MAX = 20_000;
/** A transaction that has lasted this long is committed and the rest goes into the next one. */
const TRANSACTION_MS_MAX = 5;
/** How long another process may hold the write lock before the writes are refused. */
const LOCKED_MS_MAX = 10_000;
const COMMIT_TIMES_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];
/** What SQLite says when the file cannot be written, whatever was to be written. */
const DISK_ERRORS = /^SQLITE_(?:FULL|IOERR|READONLY|CORRUPT|NOTADB|CANTOPEN|PERM|AUTH)/;

interface Write {
  run(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  since: number;
}

type Outcome = { write: Write; value: unknown } | { write: Write; error: unknown };

/**
 * Group commit: whatever arrives while one commit runs forms the next, so that many callers share the
 * one flush to the disk that makes them durable. Each write has a savepoint of its own; one that
 * throws undoes and fails only itself. Needs `busy_timeout=0`: waiting for another process's lock is
 * done here, without blocking.
 */
export function createGroupCommit(sqlite: Database, watcher?: CommitWatcher): GroupCommit {
  let waiting: Write[] = [];
  let scheduled = false;
  let closing = false;
  const drained: (() => void)[] = [];
  const seconds = createHistogram(COMMIT_TIMES_S);
  const counts = { done: 0, failed: 0, lockedTries: 0, diskErrors: 0 };
  let isFailing = false;
  /** Since when every try has met another process's lock. */
  let lockedSince: number | null = null;

  const begin = sqlite.prepare("BEGIN IMMEDIATE");
  const commit = sqlite.prepare("COMMIT");
  const rollback = sqlite.prepare("ROLLBACK");
  const mark = sqlite.prepare("SAVEPOINT one");
  const keep = sqlite.prepare("RELEASE one");
  const undo = sqlite.prepare("ROLLBACK TO one");

  const schedule = (delayMs: number): void => {
    scheduled = true;
    if (delayMs === 0) setImmediate(flush);
    else setTimeout(flush, delayMs);
  };

  const flush = (): void => {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    const done = transact(batch);
    waiting = batch.slice(done).concat(waiting);
    if (waiting.length > 0) {
      // Put back because of a lock: try again soon, at a moment other processes do not share.
      schedule(done === 0 ? 1 + Math.random() * 2 : 0);
    } else {
      for (const resolve of drained.splice(0)) resolve();
    }
  };

  /** Commits the first writes of `batch` and answers their callers; returns how many those were. */
  const transact = (batch: Write[]): number => {
    const outcomes: Outcome[] = [];
    const askedAt = performance.now();
    try {
      begin.run();
      const startedAt = performance.now();
      for (const write of batch) {
        outcomes.push(attempt(write));
        if (performance.now() - startedAt > TRANSACTION_MS_MAX) break;
      }
      commit.run();
      lockedSince = null;
    } catch (error) {
      if (sqlite.inTransaction) rollback.run();
      if (isLocked(error)) return refuse(batch, error, (lockedSince ??= askedAt));
      note(error);
      counts.failed += batch.length;
      for (const write of batch) write.reject(error);
      return batch.length;
    }
    seconds.observe((performance.now() - askedAt) / 1000);
    if (isFailing) watcher?.onDone();
    isFailing = false;
    for (const outcome of outcomes) {
      if ("error" in outcome) fail(outcome.write, outcome.error);
      else outcome.write.resolve(outcome.value);
    }
    counts.done += outcomes.length;
    return outcomes.length;
  };

  const fail = (write: Write, error: unknown): void => {
    note(error);
    counts.failed++;
    counts.done--;
    write.reject(error);
  };

  /** Remembers an error that any other write would meet as well. */
  const note = (error: unknown): void => {
    if (!DISK_ERRORS.test(codeOf(error))) return;
    counts.diskErrors++;
    isFailing = true;
    watcher?.onFailed(error);
  };

  const refuse = (batch: Write[], error: unknown, since: number): number => {
    const refused = refuseOverdue(batch, error, since);
    counts.lockedTries++;
    counts.failed += refused;
    if (refused > 0) {
      isFailing = true;
      watcher?.onFailed(error);
    }
    return refused;
  };

  const attempt = (write: Write): Outcome => {
    mark.run();
    try {
      const value = write.run();
      keep.run();
      return { write, value };
    } catch (error) {
      // A full disk or a failed read ends the whole transaction, not only this savepoint.
      if (!sqlite.inTransaction) throw error;
      undo.run();
      keep.run();
      return { write, error };
    }
  };

  return {
    isFailing: () => isFailing,
    measure: () => [
      histogram(
        "earshot_commit_seconds",
        "Time of a commit with all the writes that share it, the flush to the disk included.",
        seconds,
      ),
      counter("earshot_writes_total", "Writes to the database by what became of them.", [
        [{ outcome: "done" }, counts.done],
        [{ outcome: "failed" }, counts.failed],
      ]),
      gauge("earshot_writes_waiting", "Writes that wait for their commit.", waiting.length),
      counter(
        "earshot_commit_locked_total",
        "Commits that were put off because another process held the lock.",
        counts.lockedTries,
      ),
      counter(
        "earshot_disk_errors_total",
        "Commits and writes that failed because the database file could not be written.",
        counts.diskErrors,
      ),
    ],
    commit: <T>(run: () => T): Promise<T> => {
      if (closing) return Promise.reject(new WritesFull("the database is closing"));
      if (waiting.length >= WAITING_WRITES_MAX) {
        return Promise.reject(new WritesFull("too many writes are waiting"));
      }
      return new Promise<T>((resolve, reject) => {
        waiting.push({
          run,
          resolve: resolve,
          reject,
          since: performance.now(),
        });
        if (!scheduled) schedule(0);
      });
    },
    close: async () => {
      closing = true;
      if (waiting.length > 0) await new Promise<void>((resolve) => drained.push(resolve));
    },
  };
}

/** What waited for its turn behind others, while nobody held the lock, has not waited for the lock. */
function refuseOverdue(batch: Write[], error: unknown, lockedSince: number): number {
  const end = performance.now() - LOCKED_MS_MAX;
  if (lockedSince >= end) return 0;
  const overdue = batch.findLastIndex(({ since }) => since < end) + 1;
  for (const write of batch.slice(0, overdue)) write.reject(error);
  return overdue;
}

/** Whether another process held the database for longer than writes wait. */
export function isLocked(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}
