import { type Allowances, type Count, createQuota } from "../../http/quota.ts";
import type { Log } from "../../platform/log.ts";
import type { Measure } from "../../platform/metrics.ts";
import type { Traces } from "../../platform/traces.ts";
import type { RedisClient } from "../../platform/redis.ts";
import { createFallbackCache } from "./cache.fallback.ts";
import { createRedisCache } from "./cache.redis.ts";
import { createMemoryCache } from "./cache.ts";
import { createGate } from "./gate.ts";
import type { Source } from "./model.ts";
import { createPauses } from "./pauses.ts";
import { resolveHost } from "./resolving.ts";
import type { LookupRoutesDependencies } from "./routes.ts";
import { createLookupService } from "./service.ts";
import { createUpstream } from "./upstream.ts";

/** Public APIs, asked through a cache. */
export interface LookupFeature {
  routes: Omit<LookupRoutesDependencies, "guard">;
  measure: Measure;
  /** Ends the calls that are under way. */
  close(): void;
}

export interface LookupFeatureDependencies {
  /** By name, as `readSources` reads them. */
  sources: ReadonlyMap<string, Source>;
  /** Joins several processes; null when there is only this one. */
  redis: RedisClient | null;
  count: Count;
  newId(): string;
  now(): number;
  log: Log;
  traces: Traces;
}

/** Past it the answers that nobody asked for the longest are forgotten. */
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;
/** The same in Redis, for all processes together; past it the oldest answers are forgotten. */
const REDIS_BYTES_MAX = 256 * 1024 * 1024;
/** Questions that no cache answers; past them an answer that grew old, or 429. */
const MISSES: Allowances = {
  user: { burst: 60, everyMs: 2_000 },
  guests: { burst: 600, everyMs: 200 },
};
/** Calls at once to all sources; more wait, and those that wait too long or are too many are refused. */
const CALLS_MAX = 32;
const WAITING_MAX = 1_000;
const WAIT_MS_MAX = 5_000;

export function createLookupFeature(dependencies: LookupFeatureDependencies): LookupFeature {
  const { sources, redis, count, newId, now, log, traces } = dependencies;
  const own = createMemoryCache({ bytesMax: MEMORY_BYTES_MAX, now });
  const cache =
    redis === null
      ? own
      : createFallbackCache({
          shared: createRedisCache({ redis, bytesMax: REDIS_BYTES_MAX, newId }),
          own,
          log,
        });
  const lookup = createLookupService({
    sources,
    cache,
    upstream: createUpstream({ resolve: resolveHost, traces }),
    gate: createGate({ callsMax: CALLS_MAX, waitingMax: WAITING_MAX, waitMs: WAIT_MS_MAX }),
    // The time of day may be put back, and a source would be left alone for as long.
    pauses: createPauses(() => performance.now()),
    misses: createQuota(count, "lookups", MISSES),
    gateMs: WAIT_MS_MAX,
    now,
    log,
  });
  return { routes: { lookup, sources }, measure: lookup.measure, close: lookup.close };
}
