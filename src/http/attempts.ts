/** How often something may be done: `burst` times at once, and once more every `everyMs`. */
export interface Allowance {
  burst: number;
  everyMs: number;
}

/** Counts what is tried, by key: a name, a network, or both. */
export interface Attempts {
  /** Takes one; 0 when it was there, else in how many milliseconds there will be one. */
  take(key: string): Promise<number>;
  /** Gives one back, because it should not count. */
  giveBack(key: string): Promise<void>;
}

/** Keys that are counted at once; past it the one that was tried longest ago begins anew. */
const KEYS_MAX = 100_000;
/** How many keys are looked at for their age at each `take`, so that old ones go without a timer. */
const SWEPT_KEYS = 20;

/**
 * Counts in this process, by the generic cell rate algorithm (ITU-T I.371): a key holds only the time
 * at which everything that was taken is there again.
 */
export function createMemoryAttempts({ burst, everyMs }: Allowance, now: () => number): Attempts {
  // In the order of the last attempt, so the oldest stand first.
  const wholeAt = new Map<string, number>();

  const sweep = (): void => {
    let looked = 0;
    for (const [key, at] of wholeAt) {
      if (looked++ >= SWEPT_KEYS) return;
      if (at <= now() || wholeAt.size >= KEYS_MAX) wholeAt.delete(key);
    }
  };

  return {
    take: (key) => {
      sweep();
      const from = Math.max(wholeAt.get(key) ?? 0, now());
      const waitMs = from - now() - (burst - 1) * everyMs;
      if (waitMs > 0) return Promise.resolve(waitMs);
      wholeAt.delete(key);
      wholeAt.set(key, from + everyMs);
      return Promise.resolve(0);
    },
    giveBack: (key) => {
      const at = wholeAt.get(key);
      if (at !== undefined) wholeAt.set(key, at - everyMs);
      return Promise.resolve();
    },
  };
}

/** Without limits, on a network that is trusted. */
export const UNCOUNTED: Attempts = {
  take: () => Promise.resolve(0),
  giveBack: () => Promise.resolve(),
};
