import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createRedisBus } from "../../src/platform/bus.redis.ts";
import { createMemoryBus } from "../../src/platform/bus.ts";
import type { Bus } from "../../src/platform/bus.ts";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, closeRedis, openRedis } from "../../src/platform/redis.ts";
import {
  type Member,
  type Presence,
  type PresenceChange,
  createPresence,
} from "../../src/realtime/presence.ts";
import { type PresenceStore, createPresenceStore } from "../../src/realtime/presence.store.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

const ROOM = "the room";
const MARKS = "marks";
/** So long that what a test sees was told, not found by comparing. */
const LONG_LEASE_MS = 60_000;
const SHORT_LEASE_MS = 300;

const log = createLog("error", () => {});
const asha: Member = { id: 1, name: "आशा" };
const ben: Member = { id: 2, name: "Ben" };
const cleo: Member = { id: 3, name: "Cleo: the third" };

/** One process: its presence, and what the sockets in the room were told. */
interface Process {
  presence: Presence;
  seen: string[];
  /** Resolves when it hears the others. */
  ready: Promise<void>;
  close(): Promise<void>;
}

/** Joins a presence to a bus as the app does. */
function openProcess(bus: Bus, store: PresenceStore | null, leaseMs: number): Process {
  const seen: string[] = [];
  const presence = createPresence({
    store,
    tell: (room, change) => bus.publish(`room:${room}`, change),
    leaseMs,
    log,
  });
  const { ready, stop } = bus.subscribe(`room:${ROOM}`, (message) => {
    const change = presence.apply(ROOM, message as PresenceChange);
    if (change !== null) seen.push(`${change.event} ${change.user.name} ${change.members}`);
  });
  return {
    presence,
    seen,
    ready,
    close: async () => {
      stop();
      await presence.close();
    },
  };
}

describe("one process alone", () => {
  let alone: Process;

  beforeEach(() => {
    alone = openProcess(createMemoryBus(), null, LONG_LEASE_MS);
  });

  afterEach(async () => {
    await alone.close();
  });

  test("tells of joins and leaves with the number of members", async () => {
    await alone.presence.join(ROOM, asha);
    await alone.presence.join(ROOM, ben);
    expect(alone.presence.members(ROOM)).toEqual([asha, ben]);
    await alone.presence.leave(ROOM, asha.id);
    expect(alone.presence.members(ROOM)).toEqual([ben]);
    expect(alone.seen).toEqual(["join आशा 1", "join Ben 2", "leave आशा 1"]);
  });

  test("takes several sockets of a user for one member", async () => {
    await alone.presence.join(ROOM, ben);
    for (let i = 0; i < 3; i++) await alone.presence.join(ROOM, asha);
    for (let i = 0; i < 2; i++) await alone.presence.leave(ROOM, asha.id);
    expect(alone.presence.members(ROOM)).toEqual([asha, ben]);
    await alone.presence.leave(ROOM, asha.id);
    expect(alone.presence.members(ROOM)).toEqual([ben]);
    expect(alone.seen).toEqual(["join Ben 1", "join आशा 2", "leave आशा 1"]);
  });

  test("keeps rooms apart and forgets empty ones", async () => {
    await alone.presence.join(ROOM, asha);
    await alone.presence.join("elsewhere", ben);
    expect(alone.presence.members(ROOM)).toEqual([asha]);
    await alone.presence.leave(ROOM, asha.id);
    expect(alone.presence.members(ROOM)).toEqual([]);
    await alone.presence.leave(ROOM, asha.id);
    await alone.presence.leave("never there", asha.id);
    await alone.presence.join(ROOM, asha);
    expect(alone.seen).toEqual(["join आशा 1", "leave आशा 0", "join आशा 1"]);
  });

  test("tells of what others saw once, and keeps who is here whatever they say", async () => {
    await alone.presence.join(ROOM, asha);
    const told: PresenceChange = { event: "join", user: ben, members: 0 };
    expect(alone.presence.apply(ROOM, told)).toEqual({ ...told, members: 2 });
    expect(alone.presence.apply(ROOM, told)).toBeNull();
    const left: PresenceChange = { event: "leave", user: ben, members: 0 };
    expect(alone.presence.apply(ROOM, left)).toEqual({ ...left, members: 1 });
    expect(alone.presence.apply(ROOM, left)).toBeNull();
    expect(alone.presence.apply(ROOM, { event: "leave", user: asha, members: 0 })).toBeNull();
    expect(alone.presence.apply("never there", told)).toBeNull();
    expect(alone.presence.members(ROOM)).toEqual([asha]);
  });
});

describe.skipIf(!hasRedis)("several processes (needs redis-server)", () => {
  let redis: TestRedis;
  const ends: (() => void | Promise<void>)[] = [];
  let processes = 0;
  let marksMade = 0;

  interface RedisProcess extends Process {
    client: RedisClient;
    bus: Bus;
    /** The marks it has heard; see `settle`. */
    heard: Set<unknown>;
  }

  /** `wrap` stands between a process and its real store. */
  async function open(
    leaseMs = LONG_LEASE_MS,
    wrap = (store: PresenceStore): PresenceStore => store,
  ): Promise<RedisProcess> {
    const processId = `process-${++processes}`;
    const client = openRedis(redis.url, log);
    const bus = createRedisBus({ url: redis.url, commands: client, processId, log });
    await until(() => bus.connected());
    const store = createPresenceStore({ redis: client, processId, leaseMs, now: Date.now });
    const opened = openProcess(bus, wrap(store), leaseMs);
    // In the order in which the app ends its parts.
    ends.push(async () => {
      await opened.close();
      await bus.close();
      await closeRedis(client);
    });
    const heard = new Set<unknown>();
    await opened.ready;
    await bus.subscribe(MARKS, (mark) => void heard.add(mark)).ready;
    return { ...opened, client, bus, heard };
  }

  /** Resolves when all have heard everything that was told before: one publisher keeps its order. */
  async function settle(...all: RedisProcess[]): Promise<void> {
    const marks = all.map(({ bus }) => {
      const mark = `mark ${++marksMade}`;
      bus.publish(MARKS, mark);
      return mark;
    });
    await until(() => all.every(({ heard }) => marks.every((mark) => heard.has(mark))));
  }

  beforeAll(async () => {
    redis = await startRedis();
  });

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    await redis.cli("flushall");
  });

  afterAll(async () => {
    await redis.dispose();
  });

  test("see joins and leaves of each other once", async () => {
    const [one, two] = [await open(), await open()];
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, ben);
    await until(() => one.presence.members(ROOM).length === 2);
    // Who comes later knows those who were there without being told.
    expect(two.presence.members(ROOM)).toEqual([asha, ben]);
    await one.presence.join(ROOM, cleo);
    await settle(one, two);
    await one.presence.leave(ROOM, cleo.id);
    await settle(one, two);
    expect(one.seen).toEqual([
      "join आशा 1",
      "join Ben 2",
      "join Cleo: the third 3",
      "leave Cleo: the third 2",
    ]);
    expect(two.seen).toEqual(["join Ben 2", "join Cleo: the third 3", "leave Cleo: the third 2"]);
  });

  test("lose a user who was in both only when gone from both", async () => {
    const [one, two] = [await open(), await open()];
    await one.presence.join(ROOM, ben);
    await two.presence.join(ROOM, cleo);
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, asha);
    await settle(one, two);
    await one.presence.leave(ROOM, asha.id);
    await settle(one, two);
    expect(one.presence.members(ROOM)).toEqual([asha, ben, cleo]);
    await two.presence.leave(ROOM, asha.id);
    await settle(one, two);
    expect(one.presence.members(ROOM)).toEqual([ben, cleo]);
    expect(two.presence.members(ROOM)).toEqual([ben, cleo]);
    for (const { seen } of [one, two]) {
      expect(seen.filter((line) => line.includes("आशा"))).toEqual(["join आशा 3", "leave आशा 2"]);
    }
  });

  test("agree when a user leaves both at the same time", async () => {
    const [one, two] = [await open(), await open()];
    await one.presence.join(ROOM, ben);
    await two.presence.join(ROOM, cleo);
    await one.presence.join(ROOM, asha);
    await two.presence.join(ROOM, asha);
    await settle(one, two);
    await Promise.all([one.presence.leave(ROOM, asha.id), two.presence.leave(ROOM, asha.id)]);
    await settle(one, two);
    for (const { presence, seen } of [one, two]) {
      expect(presence.members(ROOM)).toEqual([ben, cleo]);
      expect(seen.filter((line) => line === "leave आशा 2")).toHaveLength(1);
    }
  });

  test("know everybody when many enter a process at once", async () => {
    const one = await open();
    await one.presence.join(ROOM, asha);
    const two = await open();
    await settle(one, two);
    await Promise.all([two.presence.join(ROOM, ben), two.presence.join(ROOM, cleo)]);
    expect(two.presence.members(ROOM)).toEqual([asha, ben, cleo]);
    // She was there before, so nobody is told that she came.
    expect(two.seen.some((line) => line.includes("आशा"))).toBe(false);
  });

  test("keep somebody who enters while the last ones leave", async () => {
    const gates = new Map<number, PromiseWithResolvers<void>>();
    const one = await open(LONG_LEASE_MS, (store) => ({
      ...store,
      leave: async (room, userId) => {
        const answer = await store.leave(room, userId);
        await gates.get(userId)?.promise;
        return answer;
      },
    }));
    const two = await open();
    await one.presence.join(ROOM, asha);
    await one.presence.join(ROOM, ben);
    gates.set(ben.id, Promise.withResolvers());
    const slow = one.presence.leave(ROOM, ben.id);
    await one.presence.leave(ROOM, asha.id);
    await one.presence.join(ROOM, cleo);
    gates.get(ben.id)?.resolve();
    await slow;
    expect(one.presence.members(ROOM)).toEqual([cleo]);
    await one.presence.leave(ROOM, cleo.id);
    await two.presence.join(ROOM, asha);
    expect(two.presence.members(ROOM)).toEqual([asha]);
  });

  test("lose at once the members of one that says goodbye", async () => {
    const [one, two] = [await open(), await open()];
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, ben);
    await one.close();
    await two.presence.compare(ROOM);
    expect(two.presence.members(ROOM)).toEqual([ben]);
    expect(two.seen).toEqual(["join Ben 2", "leave आशा 1"]);
  });

  test("lose the members of one that dies without a goodbye when its lease ends", async () => {
    const [one, two] = [await open(SHORT_LEASE_MS), await open(SHORT_LEASE_MS)];
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, ben);
    await settle(one, two);
    // It can renew nothing any more.
    one.client.destroy();
    await until(() => two.presence.members(ROOM).length === 1);
    expect(two.presence.members(ROOM)).toEqual([ben]);
    expect(two.seen.filter((line) => line.includes("आशा"))).toEqual(["leave आशा 1"]);
    // Nor is anything of it left in the store.
    const fields = await redis.cli("hkeys", `earshot:presence:${ROOM}`);
    expect(fields.split("\n")).toHaveLength(1);
  });

  test("keep their members for longer than a lease as long as they live", async () => {
    const [one, two] = [await open(SHORT_LEASE_MS), await open(SHORT_LEASE_MS)];
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, ben);
    await settle(one, two);
    await Bun.sleep(2 * SHORT_LEASE_MS);
    expect(one.presence.members(ROOM)).toEqual([asha, ben]);
    expect(two.presence.members(ROOM)).toEqual([asha, ben]);
    expect(two.seen).toEqual(["join Ben 2"]);
  });

  test("find what they missed by comparing", async () => {
    const [one, two] = [await open(), await open()];
    await one.presence.join(ROOM, asha);
    // Two members that nobody told of: one came, and one of those known is gone.
    const silent = createPresenceStore({
      redis: one.client,
      processId: "silent",
      leaseMs: LONG_LEASE_MS,
      now: Date.now,
    });
    await silent.enter(ROOM, ben);
    await two.presence.join(ROOM, asha);
    await silent.leave(ROOM, ben.id);
    await silent.enter(ROOM, cleo);
    await two.presence.compare(ROOM);
    expect(two.presence.members(ROOM)).toEqual([asha, cleo]);
  });

  test("enter their members again after redis lost its memory", async () => {
    const [one, two] = [await open(SHORT_LEASE_MS), await open(SHORT_LEASE_MS)];
    await one.presence.join(ROOM, asha);
    await settle(one, two);
    await two.presence.join(ROOM, ben);
    await settle(one, two);
    await redis.kill();
    // Those who are here count while redis is away.
    await one.presence.join(ROOM, cleo);
    expect(one.presence.members(ROOM)).toContainEqual(cleo);
    await one.presence.leave(ROOM, cleo.id);
    await redis.start();
    const fields = async (): Promise<number> =>
      Number(await redis.cli("hlen", `earshot:presence:${ROOM}`));
    await until(async () => (await fields()) === 2);
    await until(() => [one, two].every(({ presence }) => presence.members(ROOM).length === 2));
    expect(one.presence.members(ROOM)).toEqual([asha, ben]);
    expect(two.presence.members(ROOM)).toEqual([asha, ben]);
  });
});
