import type { RedisClient } from "../platform/redis.ts";
import type { Member } from "./presence.ts";

/**
 * The members of every process's rooms, as long as each process renews its lease. Every call rejects
 * when Redis is away or does not answer in time.
 */
export interface PresenceStore {
  renew(): Promise<void>;
  enter(room: string, user: Member): Promise<void>;
  /** Answers whether the user is still in the room through another process. */
  leave(room: string, userId: number): Promise<boolean>;
  /** Each user once. */
  members(room: string): Promise<Member[]>;
  /** Gives the lease back: this process's members are gone at once. */
  end(): Promise<void>;
}

export interface PresenceStoreDependencies {
  redis: RedisClient;
  processId: string;
  leaseMs: number;
  now(): number;
}

const PROCESSES = "earshot:processes";
/** A process that ended without a word is forgotten after so many leases. */
const FORGET_AFTER_LEASES = 10;
/** A room that nobody has entered for so long is forgotten even if it was never left. */
const ROOM_MS_MAX = 86_400_000;

/**
 * Leases belong to processes, so renewing them costs the same however many members there are: a
 * sorted set of processes by the end of their lease, and a hash for each room with a field
 * `user:process` for each member.
 */
export function createPresenceStore(dependencies: PresenceStoreDependencies): PresenceStore {
  const { redis, processId, leaseMs, now } = dependencies;
  const key = (room: string): string => `earshot:presence:${room}`;
  const renew = async (): Promise<void> => {
    await redis.zAdd(PROCESSES, { score: now() + leaseMs, value: processId });
    await redis.zRemRangeByScore(PROCESSES, "-inf", now() - FORGET_AFTER_LEASES * leaseMs);
  };
  const living = async (): Promise<Set<string>> =>
    new Set(await redis.zRangeByScore(PROCESSES, now(), "+inf"));

  return {
    renew: () => redis.inTime(renew),
    enter: (room, user) =>
      redis.inTime(async () => {
        await renew();
        await redis.hSet(key(room), `${user.id}:${processId}`, user.name);
        await redis.pExpire(key(room), ROOM_MS_MAX);
      }),
    leave: (room, userId) =>
      redis.inTime(async () => {
        await redis.hDel(key(room), `${userId}:${processId}`);
        const others = [...(await living())].filter((one) => one !== processId);
        if (others.length === 0) return false;
        const names = await redis.hmGet(
          key(room),
          others.map((one) => `${userId}:${one}`),
        );
        return names.some((name) => name !== null);
      }),
    members: (room) =>
      redis.inTime(async () => {
        const alive = await living();
        const members = new Map<number, Member>();
        const dead: string[] = [];
        for (const [field, name] of Object.entries(await redis.hGetAll(key(room)))) {
          const cut = field.indexOf(":");
          const id = Number(field.slice(0, cut));
          if (alive.has(field.slice(cut + 1))) members.set(id, { id, name });
          else dead.push(field);
        }
        if (dead.length > 0) await redis.hDel(key(room), dead);
        return [...members.values()];
      }),
    end: async () => {
      await redis.inTime(() => redis.zRem(PROCESSES, processId));
    },
  };
}
