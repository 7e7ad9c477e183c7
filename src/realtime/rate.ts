/** How much may be done: `perSecond` in the long run, `burst` at once. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** Allowances by key, such as a user's id. */
export interface RateLimit {
  /** Takes one; 0 when it was there, else in how many milliseconds there will be one. */
  take(key: string | number): number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Full buckets are forgotten when there are so many. */
const BUCKETS_SWEPT_AT = 10_000;

/** A token bucket for each key (Turner, New Directions in Communications, 1986). */
export function createRateLimit({ perSecond, burst }: Rate, now: () => number): RateLimit {
  const buckets = new Map<string | number, Bucket>();
  let sweepAt = BUCKETS_SWEPT_AT;

  const refill = (bucket: Bucket): void => {
    const at = now();
    bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) * perSecond) / 1000);
    bucket.at = at;
  };

  const sweep = (): void => {
    for (const [key, bucket] of buckets) {
      refill(bucket);
      if (bucket.tokens >= burst) buckets.delete(key);
    }
    sweepAt = Math.max(BUCKETS_SWEPT_AT, buckets.size * 2);
  };

  return {
    take: (key) => {
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        if (buckets.size >= sweepAt) sweep();
        bucket = { tokens: burst, at: now() };
        buckets.set(key, bucket);
      }
      refill(bucket);
      if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 1000) / perSecond);
      bucket.tokens--;
      return 0;
    },
  };
}

/** Without limits, on a network that is trusted. */
export const UNLIMITED: RateLimit = { take: () => 0 };
