import { type Log, errorFields } from "./log.ts";
import { endsWithin } from "./stops.ts";
import type { TrustedTime } from "./trusted-time.ts";

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
  /** A clock that is far ahead of this may be wrong. Moved on after each whole round. */
  trustedTime: TrustedTime;
  /** When somebody last wrote here, as far as is known: trusted where no time was kept yet. */
  seenAt?: number | null;
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds that only grow, however the clock is set. */
  elapsed?(): number;
  log: Log;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
  /** Runs once, after so long, unless the answer is called before. */
  after?(ms: number, run: () => void): () => void;
  /** Lets others have their turn between two transactions. */
  rest?(ms: number): Promise<void>;
}

export interface Retention {
  /**
   * Waits for the transaction that is under way, but no longer than that; what is left is removed after
   * the next start.
   */
  close(withinMs: number): Promise<void>;
}

const DAY_MS = 86_400_000;
const ROUND_EVERY_MS = 3_600_000;
/** A clock that was set ahead by more, rightly or not, is told of, and removes nothing for a while. */
const LEAP_MS_MAX = DAY_MS;
/** How long a clock that has leapt may take to be set right; then it is believed. */
const LEAP_WAIT_MS = 600_000;
/**
 * So many times as long as a transaction took, the waiting for its turn included: others have the disk
 * for the most part, and the more of it the busier it is.
 */
const REST_TIMES = 4;
const REST_MS_MIN = 10;

/**
 * Removes what is too old, at the start and once an hour. A clock that says 2038 for a minute would
 * remove everything, so the first round after a leap is left out, and made up for a few minutes later.
 * Whether it has leapt is seen after a start, too: the time of the last whole round is kept.
 */
export function startRetention(dependencies: RetentionDependencies): Retention {
  const { days, removals, now, log, every = repeat, rest = Bun.sleep } = dependencies;
  const { seenAt = null, elapsed = () => performance.now(), after = runLater } = dependencies;
  const { trustedTime } = dependencies;
  let isClosed = false;
  let round: Promise<void> | null = null;
  let endRest = (): void => undefined;
  let forgetAgain = (): void => undefined;
  if (days === null) return { close: () => Promise.resolve() };

  const keepTime = async (at: number): Promise<void> => {
    try {
      await trustedTime.keep(at);
    } catch (error) {
      if (!isClosed) log.error(errorFields(error), "the time of a round could not be kept");
    }
  };

  const keptAt = trustedTime.read();
  let trusted = { at: keptAt ?? seenAt ?? now(), since: elapsed() };
  // At once: by the next start somebody has written here at what may be the wrong time.
  if (keptAt === null) void keepTime(trusted.at);

  /** A transaction that waited for a lock makes a rest that is longer than a stop. */
  const restUntilClosed = (ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      endRest = resolve;
      rest(ms).then(resolve, reject);
    });

  const remove = async ({ what, removeSome }: Removal, before: number): Promise<void> => {
    let count = 0;
    for (let isDone = false; !isDone && !isClosed;) {
      const startedAt = performance.now();
      const removed = await removeSome(before);
      count += removed.count;
      isDone = removed.isDone;
      const restMs = Math.max(REST_MS_MIN, REST_TIMES * (performance.now() - startedAt));
      if (!isClosed) await restUntilClosed(restMs);
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
      "nothing was removed for days, or the clock was set ahead: what is too old is removed in ten minutes, so see that the clock is right",
    );
    return true;
  };

  const removeAll = async (): Promise<void> => {
    const startedAt = now();
    const before = startedAt - days * DAY_MS;
    let isWhole = true;
    for (const removal of removals) {
      try {
        if (!isClosed) await remove(removal, before);
      } catch (error) {
        isWhole = false;
        // Where the database was closed first, nothing is wrong.
        if (isClosed) break;
        log.error(
          { what: removal.what, ...errorFields(error) },
          "what is too old could not be removed; the next round tries again",
        );
      }
    }
    if (isWhole && !isClosed) await keepTime(startedAt);
    round = null;
  };

  const begin = (): void => {
    if (round !== null) return;
    forgetAgain();
    if (hasLeapt()) forgetAgain = after(LEAP_WAIT_MS, begin);
    else round = removeAll();
  };
  const end = every(ROUND_EVERY_MS, begin);
  begin();
  return {
    close: async (withinMs) => {
      isClosed = true;
      endRest();
      end();
      forgetAgain();
      if (round !== null) await endsWithin(round, withinMs);
    },
  };
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

function runLater(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
