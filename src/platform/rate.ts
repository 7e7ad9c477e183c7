/** How often something may be done: `burst` times at once, and once more every `everyMs`. */
export interface Allowance {
  burst: number;
  everyMs: number;
}

/** Allowances by key, such as a user's id, counted in this process. */
export interface RateLimit {
  /** Takes one; 0 when it was there, else in how many whole milliseconds there will be one. */
  take(key: string | number): number;
  /** Gives one back, because it should not count. */
  giveBack(key: string | number): void;
}

/** Keys that are counted at once; past it the one that was taken from longest ago begins anew. */
const KEYS_MAX = 100_000;
/** How many keys are looked at for their age when one is added, so that old ones go without a timer. */
const SWEPT_KEYS = 20;

/**
 * Counts by the generic cell rate algorithm (ITU-T I.371): a key holds only the time at which
 * everything that was taken is there again.
 */
export function createRateLimit({ burst, everyMs }: Allowance, now: () => number): RateLimit {
  // In the order in which they were last taken from, so the oldest stand first.
  const wholeAt = new Map<string | number, number>();

  const sweep = (at: number): void => {
    let looked = 0;
    for (const [key, whole] of wholeAt) {
      if (looked++ >= SWEPT_KEYS) return;
      if (whole <= at || wholeAt.size >= KEYS_MAX) wholeAt.delete(key);
    }
  };

  return {
    take: (key) => {
      const at = now();
      const whole = wholeAt.get(key);
      // Later than when all are taken: the clock was put back, and nobody waits for it to come round.
      const latest = at + burst * everyMs;
      const from = Math.max(Math.min(whole ?? 0, latest), at);
      const waitMs = from - at - (burst - 1) * everyMs;
      if (waitMs > 0) {
        if (from !== whole) wholeAt.set(key, from);
        return Math.ceil(waitMs);
      }
      // Only a new key makes the count larger, so only then there is need to look for old ones.
      if (whole === undefined) sweep(at);
      else wholeAt.delete(key);
      wholeAt.set(key, from + everyMs);
      return 0;
    },
    giveBack: (key) => {
      const whole = wholeAt.get(key);
      if (whole !== undefined) wholeAt.set(key, whole - everyMs);
    },
  };
}

/** Without limits, on a network that is trusted. */
export const UNLIMITED: RateLimit = { take: () => 0, giveBack: () => undefined };
