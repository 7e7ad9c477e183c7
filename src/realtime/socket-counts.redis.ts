import { createHash } from "node:crypto";
import { type Log, errorFields } from "../platform/log.ts";
import { type RedisClient, isRedisAway } from "../platform/redis.ts";
import { LIFETIME_MS } from "./connection.ts";
import {
  type SocketCounts,
  type SocketOwner,
  countedOf,
  createLocalCounts,
} from "./socket-counts.ts";

// A hash for each owner holds how many sockets it has in each process, and a sorted set of processes
// the end of each one's lease. A process tells how many it has, never that it has one more or less:
// whatever was lost on the way, the next word puts right.

const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/**
 * KEYS: the leases, then owners. ARGV: this process, how long a hash is kept, then for each owner how
 * many this process has with the new one, and how many there may be. 0, and nothing is told, when one
 * has too many. Counts of processes whose lease is over are dropped.
 */
const ADD = `${NOW}
  for i = 2, #KEYS do
    local sum = tonumber(ARGV[2 * i - 1])
    local counts = redis.call('HGETALL', KEYS[i])
    for j = 1, #counts, 2 do
      if counts[j] ~= ARGV[1] then
        local lease = redis.call('ZSCORE', KEYS[1], counts[j])
        if lease and tonumber(lease) > now then sum = sum + tonumber(counts[j + 1])
        else redis.call('HDEL', KEYS[i], counts[j]) end
      end
    end
    if sum > tonumber(ARGV[2 * i]) then return 0 end
  end
  for i = 2, #KEYS do
    redis.call('HSET', KEYS[i], ARGV[1], ARGV[2 * i - 1])
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
  return 1`;

/** KEYS: owners. ARGV: this process, how long a hash is kept, then how many it has of each. */
const TELL = `
  for i = 1, #KEYS do
    if ARGV[i + 2] == '0' then redis.call('HDEL', KEYS[i], ARGV[1])
    else
      redis.call('HSET', KEYS[i], ARGV[1], ARGV[i + 2])
      redis.call('PEXPIRE', KEYS[i], ARGV[2])
    end
  end
  return 1`;

/** KEYS: the leases. ARGV: this process, its lease. 0 when it had none: its counts may be dropped. */
const RENEW = `${NOW}
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  return 1 - redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])`;

const LEASES = "earshot:sockets:leases";
const PREFIX = "earshot:sockets:of:";
/** A lease is renewed so often within its time. */
const RENEWALS_A_LEASE = 3;
/** No socket is older; longer than it nobody's hash is of use. */
const HASH_MS = LIFETIME_MS + 60_000;
/** Owners that are told of before others have their turn. */
const TOLD_AT_ONCE = 500;

export interface RedisSocketCountsDependencies {
  redis: RedisClient;
  newId(): string;
  /** How long the places of a process that died are held. */
  leaseMs: number;
  log: Log;
}

/**
 * Counts in Redis, for every process together; owners are hashed there, since they name people. While
 * Redis is away each process counts for itself. Afterwards it counts under a new name: what it told
 * before is then a dead process's, and what it has now is told again.
 */
export function createRedisSocketCounts(dependencies: RedisSocketCountsDependencies): SocketCounts {
  const { redis, newId, leaseMs, log } = dependencies;
  const here = createLocalCounts();
  let self = newId();
  /** Whether Redis may hold something else than is here. */
  let isBehind = false;
  let isLost = false;
  let isRenewing = false;

  const telling = (names: readonly string[]): Promise<unknown> =>
    redis.inTime(() =>
      redis.eval(TELL, {
        keys: names.map(keyOf),
        arguments: [self, String(HASH_MS), ...names.map((name) => String(here.of(name)))],
      }),
    );

  const lease = (): Promise<unknown> =>
    redis.inTime(() => redis.eval(RENEW, { keys: [LEASES], arguments: [self, String(leaseMs)] }));

  const endLease = (): Promise<unknown> => redis.inTime(() => redis.zRem(LEASES, self));

  const failed = (error: unknown): void => {
    isBehind = true;
    // One line for a loss, not one for each socket; that Redis is away is told already.
    if (!isLost && !isRedisAway(error))
      log.warn(errorFields(error), "each process counts its own sockets only");
    isLost = true;
  };

  const remove = async (owners: readonly SocketOwner[]): Promise<void> => {
    here.remove(owners);
    if (owners.length === 0) return;
    try {
      await telling(owners.map(({ name }) => name));
    } catch (error) {
      failed(error);
    }
  };

  const tellAll = async (): Promise<void> => {
    const names = here.names();
    for (let at = 0; at < names.length; at += TOLD_AT_ONCE) {
      await telling(names.slice(at, at + TOLD_AT_ONCE));
    }
  };

  const renew = async (): Promise<void> => {
    if (isRenewing) return;
    isRenewing = true;
    try {
      if (isBehind) {
        await endLease();
        self = newId();
        isBehind = false;
      }
      if ((await lease()) === 0) await tellAll();
      isLost = false;
    } catch (error) {
      failed(error);
    } finally {
      isRenewing = false;
    }
  };

  void renew();
  const renewal = setInterval(() => void renew(), leaseMs / RENEWALS_A_LEASE);

  return {
    add: async ({ user, network }) => {
      const owners = countedOf({ user, network });
      // Taken here before it is asked for there, so that many at once are no way around.
      if (!here.add(owners)) return false;
      if (owners.length === 0) return true;
      try {
        const taken = await redis.inTime(() =>
          redis.eval(ADD, {
            keys: [LEASES, ...owners.map(({ name }) => keyOf(name))],
            arguments: [
              self,
              String(HASH_MS),
              ...owners.flatMap(({ name, max }) => [String(here.of(name)), String(max)]),
            ],
          }),
        );
        if (taken !== 0) return true;
      } catch (error) {
        // Nobody is kept out because nobody can be asked.
        failed(error);
        return true;
      }
      // Others that came meanwhile have told of this one as well.
      await remove(owners);
      return false;
    },
    remove: (owners) => remove(countedOf(owners)),
    close: async () => {
      clearInterval(renewal);
      try {
        await endLease();
      } catch (error) {
        failed(error);
      }
    },
  };
}

function keyOf(name: string): string {
  return PREFIX + createHash("sha256").update(name).digest("base64url").slice(0, 22);
}
