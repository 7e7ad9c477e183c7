import { type Allowance, createRateLimit } from "../platform/rate.ts";

/**
 * Counts what is tried, by key: a name, a network, or both. Several processes may count together.
 * Never rejects: nobody is kept out, or loses an answer, because nothing can be counted.
 */
export interface Attempts {
  /** Takes one; 0 when it was there, else in how many milliseconds there will be one. */
  take(key: string): Promise<number>;
  /** Gives one back, because it should not count. */
  giveBack(key: string): Promise<void>;
}

/** Counts in this process. */
export function createMemoryAttempts(allowance: Allowance, now: () => number): Attempts {
  const limit = createRateLimit(allowance, now);
  return {
    take: (key) => Promise.resolve(limit.take(key)),
    giveBack: (key) => Promise.resolve(limit.giveBack(key)),
  };
}

/** Without limits, on a network that is trusted. */
export const UNCOUNTED: Attempts = {
  take: () => Promise.resolve(0),
  giveBack: () => Promise.resolve(),
};
