import { type RedisClient, binaryOf } from "../../platform/redis.ts";
import type { Bytes, Cache } from "./cache.ts";

/** Only the one who holds a claim may end it (redis.io, distributed locks, single instance). */
const RELEASE = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

export interface RedisCacheDependencies {
  redis: RedisClient;
  newId(): string;
}

/** What is kept lives in Redis, shared by every process, and its `maxmemory` is the limit of it. */
export function createRedisCache({ redis, newId }: RedisCacheDependencies): Cache {
  const binary = binaryOf(redis);
  return {
    get: async (keys) => {
      const values = await binary.mGet([...keys]);
      return values.map((value) => (value === null ? null : bytesOf(value)));
    },
    put: async (key, value, ageMs) => {
      if (ageMs > 0) await redis.set(key, viewOf(value), { PX: ageMs });
      else await redis.del(key);
    },
    claim: async (key, ageMs) => {
      const mark = newId();
      if ((await redis.set(key, mark, { NX: true, PX: ageMs })) === null) return null;
      return {
        release: async () => {
          await redis.eval(RELEASE, { keys: [key], arguments: [mark] });
        },
      };
    },
  };
}

/** A copy: a value may be a window on all that came from Redis at once. */
function bytesOf(value: Buffer): Bytes {
  return new Uint8Array(value);
}

function viewOf({ buffer, byteOffset, byteLength }: Bytes): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
