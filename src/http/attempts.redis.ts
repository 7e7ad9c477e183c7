import { createHash } from "node:crypto";
import type { Allowance } from "../platform/rate.ts";
import type { RedisClient } from "../platform/redis.ts";
import type { Attempts } from "./attempts.ts";

// Each script is one step for every other client, and goes by the one clock that all processes share.
// Times are written with their fractions: an allowance may be one every third of a millisecond. One that
// is later than when all are taken was written before the clock was put back, and is brought forward.

const TAKE = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local latest = now + ARGV[1] * ARGV[2]
  local from = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  if from > latest then
    from = latest
    redis.call('SET', KEYS[1], string.format('%.3f', from), 'PX', math.ceil(from - now))
  end
  local wait = from - now - (ARGV[1] - 1) * ARGV[2]
  if wait > 0 then return math.ceil(wait) end
  local whole = from + ARGV[2]
  redis.call('SET', KEYS[1], string.format('%.3f', whole), 'PX', math.ceil(whole - now))
  return 0`;

/** 0 when there is nothing to give back to: it was not taken in Redis. */
const GIVE_BACK = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local latest = now + ARGV[1] * ARGV[2]
  local held = redis.call('GET', KEYS[1])
  if not held then return 0 end
  local whole = math.min(tonumber(held), latest) - ARGV[2]
  if whole <= now then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], string.format('%.3f', whole), 'PX', math.ceil(whole - now)) end
  return 1`;

const PREFIX = "earshot:attempts:";

export interface RedisAttemptsDependencies {
  redis: RedisClient;
  /** What is counted; others have other names. */
  name: string;
  allowance: Allowance;
  /** Counts while Redis is away or refuses to, each process for itself. */
  meanwhile: Attempts;
}

/** Counts in Redis, for every process together; keys are hashed there, since they name people. */
export function createRedisAttempts(dependencies: RedisAttemptsDependencies): Attempts {
  const { redis, name, allowance, meanwhile } = dependencies;
  const { burst, everyMs } = allowance;
  const allowed = [burst, everyMs].map(String);
  const place = (key: string): string =>
    `${PREFIX}${name}:${createHash("sha256").update(key).digest("base64url").slice(0, 22)}`;

  const count = async (inRedis: () => Promise<number>, here: () => Promise<number>) => {
    try {
      return await redis.inTime(inRedis);
    } catch {
      // The connection has told of it: whatever it is, it must not fail each request there is.
      return here();
    }
  };

  return {
    take: (key) =>
      count(
        async () => Number(await redis.eval(TAKE, { keys: [place(key)], arguments: allowed })),
        () => meanwhile.take(key),
      ),
    giveBack: async (key) => {
      const given = await count(
        async () => Number(await redis.eval(GIVE_BACK, { keys: [place(key)], arguments: allowed })),
        () => Promise.resolve(0),
      );
      if (given === 0) await meanwhile.giveBack(key);
    },
  };
}
