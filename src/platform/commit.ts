import type { Database } from "bun:sqlite";

/**
 * Runs `write` inside a transaction and resolves with what it returned once that is on the disk.
 * `write` is synchronous and may run again when another process held the lock, so it must do nothing
 * but read and write the database.
 */
export type Commit = <T>(write: () => T) => Promise<T>;

export interface GroupCommit {
  commit: Commit;
  /** Resolves when everything that was handed in has been committed; later writes are refused. */
  close(): Promise<void>;
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
export function createGroupCommit(sqlite: Database): GroupCommit {
  let waiting: Write[] = [];
  let scheduled = false;
  let closing = false;
  const drained: (() => void)[] = [];

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
    try {
      begin.run();
      const startedAt = performance.now();
      for (const write of batch) {
        outcomes.push(attempt(write));
        if (performance.now() - startedAt > TRANSACTION_MS_MAX) break;
      }
      commit.run();
    } catch (error) {
      if (sqlite.inTransaction) rollback.run();
      if (isLocked(error)) return refuseOverdue(batch, error);
      for (const write of batch) write.reject(error);
      return batch.length;
    }
    for (const outcome of outcomes) {
      if ("error" in outcome) outcome.write.reject(outcome.error);
      else outcome.write.resolve(outcome.value);
    }
    return outcomes.length;
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

function refuseOverdue(batch: Write[], error: unknown): number {
  const overdue = batch.findLastIndex((w) => performance.now() - w.since > LOCKED_MS_MAX) + 1;
  for (const write of batch.slice(0, overdue)) write.reject(error);
  return overdue;
}

/** Whether another process held the database for longer than writes wait. */
export function isLocked(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code.startsWith("SQLITE_BUSY")
  );
}
