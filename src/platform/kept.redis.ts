import type { Kept, KeptLimits } from "./kept.ts";
import type { RedisClient } from "./redis.ts";

// A hash holds a key's fields and a number beside it their bytes. Each script is one step for every
// other client, so no value is counted twice and none slips past the limit.

/** All that a key holds may be some 30 MB, which take their time on a network. */
const ANSWER_MS_MAX = 3_000;

const PUT = `
  local fields = redis.call('HLEN', KEYS[1])
  local bytes = redis.call('EXISTS', KEYS[1]) == 1 and tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  for i = 4, #ARGV, 2 do
    fields = fields + 1 - redis.call('HEXISTS', KEYS[1], ARGV[i])
    bytes = bytes + #ARGV[i + 1] - redis.call('HSTRLEN', KEYS[1], ARGV[i])
  end
  if bytes > tonumber(ARGV[2]) or fields > tonumber(ARGV[3]) then return 0 end
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('SET', KEYS[2], bytes, 'PX', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 1`;

const REMOVE = `
  local freed = 0
  for i = 1, #ARGV do
    freed = freed + redis.call('HSTRLEN', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2])
  elseif redis.call('EXISTS', KEYS[2]) == 1 then redis.call('DECRBY', KEYS[2], freed) end
  return 1`;

/**
 * What is kept lives in Redis, shared by every process and with whoever else reads the hashes. Each
 * call rejects with an error that `isRedisAway` knows when Redis does not answer in time: nothing is
 * kept here instead, where it would be lost to the others.
 */
export function createRedisKept(
  redis: RedisClient,
  { ageMs, keyBytesMax, keyFieldsMax }: KeptLimits,
): Kept {
  const keys = (key: string): string[] => [key, `bytes:${key}`];
  return {
    put: async (key, fields) => {
      const limits = [ageMs, keyBytesMax, keyFieldsMax].map(String);
      const answer = await redis.inTime(
        () =>
          redis.eval(PUT, {
            keys: keys(key),
            arguments: [...limits, ...Object.entries(fields).flat()],
          }),
        ANSWER_MS_MAX,
      );
      return answer === 1 ? "kept" : "key_full";
    },
    get: async (key) => ({ ...(await redis.inTime(() => redis.hGetAll(key), ANSWER_MS_MAX)) }),
    remove: async (key, fields) => {
      await redis.inTime(() => redis.eval(REMOVE, { keys: keys(key), arguments: [...fields] }));
    },
  };
}
