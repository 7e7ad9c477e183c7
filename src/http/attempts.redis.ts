import { createHash } from "node:crypto";
import type { Allowance } from "../platform/rate.ts";
import { type RedisClient, isRedisAway } from "../platform/redis.ts";
import type { Attempts } from "./attempts.ts";

// Each script is one step for every other client, and goes by the one clock that all processes share.
// Times are written with their fractions: an allowance may be one every third of a millisecond.

const TAKE = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local from = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  local wait = from - now - (ARGV[1] - 1) * ARGV[2]
  if wait > 0 then return math.ceil(wait) end
  local whole = from + ARGV[2]
  redis.call('SET', KEYS[1], string.format('%.3f', whole), 'PX', math.ceil(whole - now))
  return 0`;

const GIVE_BACK = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local whole = tonumber(redis.call('GET', KEYS[1]) or '0') - ARGV[1]
  if whole <= now then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], string.format('%.3f', whole), 'PX', math.ceil(whole - now)) end
  return 1`;

const PREFIX = "earshot:attempts:";

export interface RedisAttemptsDependencies {
  redis: RedisClient;
  /** What is counted; others have other names. */
  name: string;
  allowance: Allowance;
  /** Counts while Redis is away, each process for itself. */
  meanwhile: Attempts;
}

/** Counts in Redis, for every process together; keys are hashed there, since they name people. */
export function createRedisAttempts(dependencies: RedisAttemptsDependencies): Attempts {
  const { redis, name, allowance, meanwhile } = dependencies;
  const { burst, everyMs } = allowance;
  const place = (key: string): string =>
    `${PREFIX}${name}:${createHash("sha256").update(key).digest("base64url").slice(0, 22)}`;

  const count = async (inRedis: () => Promise<number>, here: () => Promise<number>) => {
    try {
      return await inRedis();
    } catch (error) {
      if (isRedisAway(error)) return here();
      throw error;
    }
  };

  return {
    take: (key) =>
      count(
        async () =>
          Number(
            await redis.eval(TAKE, { keys: [place(key)], arguments: [burst, everyMs].map(String) }),
          ),
        () => meanwhile.take(key),
      ),
    giveBack: async (key) => {
      await count(
        async () =>
          Number(await redis.eval(GIVE_BACK, { keys: [place(key)], arguments: [String(everyMs)] })),
        () => meanwhile.giveBack(key).then(() => 0),
      );
    },
  };
}
