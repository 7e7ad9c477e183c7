import { type RedisClient, binaryOf } from "../../platform/redis.ts";
import type { Bytes, Cache } from "./cache.ts";

/** Keys in the order in which they were put, and how large each is; the field of no name is their sum. */
const ORDER = "earshot:lookup:order";
const SIZES = "earshot:lookup:sizes";
/** What an entry takes besides its value, about: its key stands in three places. */
const ENTRY_BYTES = 500;
/** Entries whose age is looked at with each `put`: what expired by itself must not count for long. */
const SAMPLED_ENTRIES = 10;

/**
 * Puts a value, forgets some of what expired, then the oldest until the rest is small enough. When
 * Redis itself dropped one of the indexes both begin anew, and what they knew ends by its own age.
 */
const PUT = `
  local key, value, age = KEYS[1], ARGV[1], tonumber(ARGV[2])
  local order, sizes, most, sampled = KEYS[2], KEYS[3], tonumber(ARGV[3]), ARGV[4]
  local function forget(one)
    local size = redis.call('HGET', sizes, one)
    if size then
      redis.call('HDEL', sizes, one)
      redis.call('HINCRBY', sizes, '', -size)
    end
    redis.call('ZREM', order, one)
  end
  if redis.call('ZCARD', order) ~= math.max(0, redis.call('HLEN', sizes) - 1) then
    redis.call('DEL', order, sizes)
  end
  forget(key)
  redis.call('DEL', key)
  if age > 0 then
    redis.call('SET', key, value, 'PX', age)
    local time = redis.call('TIME')
    redis.call('ZADD', order, time[1] * 1000000 + time[2], key)
    redis.call('HSET', sizes, key, #value + ${ENTRY_BYTES})
    redis.call('HINCRBY', sizes, '', #value + ${ENTRY_BYTES})
    for _, index in ipairs({ order, sizes }) do
      if redis.call('PTTL', index) < age then redis.call('PEXPIRE', index, age) end
    end
  end
  for _, one in ipairs(redis.call('ZRANDMEMBER', order, sampled)) do
    if redis.call('EXISTS', one) == 0 then forget(one) end
  end
  while tonumber(redis.call('HGET', sizes, '') or '0') > most do
    local oldest = redis.call('ZRANGE', order, 0, 0)[1]
    if not oldest then break end
    forget(oldest)
    redis.call('DEL', oldest)
  end
  return 0`;

/** Only the one who holds a claim may end it (redis.io, distributed locks, single instance). */
const RELEASE = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

export interface RedisCacheDependencies {
  redis: RedisClient;
  /** Of all values, about; past it those that were put first are forgotten. */
  bytesMax: number;
  newId(): string;
}

/** What is kept lives in Redis, shared by every process. */
export function createRedisCache({ redis, bytesMax, newId }: RedisCacheDependencies): Cache {
  const binary = binaryOf(redis);
  return {
    get: async (keys) => {
      const values = await binary.mGet([...keys]);
      return values.map((value) => (value === null ? null : bytesOf(value)));
    },
    put: async (key, value, ageMs) => {
      await redis.eval(PUT, {
        keys: [key, ORDER, SIZES],
        arguments: [viewOf(value), ...[ageMs, bytesMax, SAMPLED_ENTRIES].map(String)],
      });
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
