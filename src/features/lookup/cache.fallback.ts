import { createBreaker } from "../../platform/breaker.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { Cache, Claim } from "./cache.ts";

export interface FallbackCacheDependencies {
  /** The one that may be away. */
  shared: Cache;
  /** The one that is always there. */
  own: Cache;
  log: Log;
}

/**
 * The shared cache as long as it answers, else this process's own, which is told everything too. No
 * call ever fails: without the shared one, each process asks for itself.
 */
export function createFallbackCache({ shared, own, log }: FallbackCacheDependencies): Cache {
  // A look-up must not hang on what makes it quick.
  const breaker = createBreaker();
  let isLost = false;

  /** Null when there is no answer. */
  const attempt = async <T>(work: () => Promise<T>): Promise<{ value: T } | null> => {
    try {
      const value = await breaker.run(work);
      isLost = false;
      return { value };
    } catch (error) {
      // One line for a loss, not one for each look-up.
      if (!isLost)
        log.warn(errorFields(error), "the shared cache is away; each process has its own");
      isLost = true;
      return null;
    }
  };

  const guarded = (claim: Claim): Claim => ({
    release: async () => {
      await attempt(claim.release);
    },
  });

  return {
    get: async (keys) => {
      const found = await attempt(() => shared.get(keys));
      if (found?.value.every((value) => value !== null) === true) return found.value;
      // What the shared one lost may still be here.
      const known = await own.get(keys);
      return keys.map((_, at) => found?.value[at] ?? known[at] ?? null);
    },
    put: async (key, value, ageMs) => {
      await own.put(key, value, ageMs);
      await attempt(() => shared.put(key, value, ageMs));
    },
    claim: async (key, ageMs) => {
      const claimed = await attempt(() => shared.claim(key, ageMs));
      if (claimed === null) return own.claim(key, ageMs);
      return claimed.value === null ? null : guarded(claimed.value);
    },
  };
}
