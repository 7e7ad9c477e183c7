import { type Log, errorFields } from "./log.ts";

/** Something that is removed for its age. */
export interface Removal {
  what: string;
  /**
   * Removes some of what is older than `before`, in one short transaction. Answers how many went, and
   * whether there may be more.
   */
  removeSome(before: number): Promise<Removed>;
}

export interface Removed {
  count: number;
  isDone: boolean;
}

export interface RetentionDependencies {
  /** How many days things are kept; null for ever. */
  days: number | null;
  removals: readonly Removal[];
  /** When somebody last wrote here, as far as is known: a clock that is far ahead of it may be wrong. */
  seenAt?: number | null;
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds that only grow, however the clock is set. */
  elapsed?(): number;
  log: Log;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
  /** Lets others have their turn between two transactions. */
  rest?(ms: number): Promise<void>;
}

export interface Retention {
  /** Waits for the transaction that is under way; what is left is removed after the next start. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const ROUND_EVERY_MS = 3_600_000;
/** A clock that was set ahead by more, rightly or not, is told of, and removes nothing for a round. */
const LEAP_MS_MAX = DAY_MS;
/**
 * So many times as long as a transaction took, the waiting for its turn included: others have the disk
 * for the most part, and the more of it the busier it is.
 */
const REST_TIMES = 4;
const REST_MS_MIN = 10;

/**
 * Removes what is too old, at the start and once an hour. A clock that says 2038 for a minute would
 * remove everything, so the first round after a leap is left out.
 */
export function startRetention(dependencies: RetentionDependencies): Retention {
  const { days, removals, now, log, every = repeat, rest = Bun.sleep } = dependencies;
  const { seenAt = null, elapsed = () => performance.now() } = dependencies;
  let trusted = { at: seenAt ?? now(), since: elapsed() };
  let isClosed = false;
  let round: Promise<void> | null = null;
  if (days === null) return { close: () => Promise.resolve() };

  const remove = async ({ what, removeSome }: Removal, before: number): Promise<void> => {
    let count = 0;
    for (let isDone = false; !isDone && !isClosed;) {
      const startedAt = performance.now();
      const removed = await removeSome(before);
      count += removed.count;
      isDone = removed.isDone;
      await rest(Math.max(REST_MS_MIN, REST_TIMES * (performance.now() - startedAt)));
    }
    if (count > 0) log.info({ what, count }, "removed for their age");
  };

  /** Whether the clock is ahead of what has passed since the round before; it is told of. */
  const hasLeapt = (): boolean => {
    const { at, since } = trusted;
    trusted = { at: now(), since: elapsed() };
    const leapMs = trusted.at - at - (trusted.since - since);
    if (leapMs <= LEAP_MS_MAX) return false;
    log.warn(
      { days_ahead: Math.round(leapMs / DAY_MS) },
      "nothing was written for days, or the clock was set ahead: what is too old is removed in an hour, so see that the clock is right",
    );
    return true;
  };

  const removeAll = async (): Promise<void> => {
    const before = now() - days * DAY_MS;
    for (const removal of removals) {
      try {
        if (!isClosed) await remove(removal, before);
      } catch (error) {
        log.error(
          { what: removal.what, ...errorFields(error) },
          "what is too old could not be removed; the next round tries again",
        );
      }
    }
    round = null;
  };

  const begin = (): void => {
    if (round === null && !hasLeapt()) round = removeAll();
  };
  const end = every(ROUND_EVERY_MS, begin);
  begin();
  return {
    close: async () => {
      isClosed = true;
      end();
      await round;
    },
  };
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
