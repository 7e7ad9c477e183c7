import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, openRedis } from "../../src/platform/redis.ts";
import { createRedisSocketCounts } from "../../src/realtime/socket-counts.redis.ts";
import {
  NETWORK_SOCKETS_MAX,
  type SocketCounts,
  type SocketOwners,
  USER_SOCKETS_MAX,
  createMemorySocketCounts,
} from "../../src/realtime/socket-counts.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

let users = 0;
const someone = (): number => ++users;
const nextNetwork = (): string => `2001:db8:0:${someone().toString(16)}`;

/** Tries to open so many at once; answers how many were let in. */
async function add(counts: SocketCounts, owners: SocketOwners, sockets: number): Promise<number> {
  const tries = Array.from({ length: sockets }, () => counts.add(owners));
  return (await Promise.all(tries)).filter(Boolean).length;
}

function suite(open: () => SocketCounts): void {
  test("a user has so many, and another has its own", async () => {
    const counts = open();
    const owners = { user: someone(), network: nextNetwork() };
    expect(await add(counts, owners, USER_SOCKETS_MAX + 30)).toBe(USER_SOCKETS_MAX);
    expect(await counts.add({ ...owners, network: nextNetwork() })).toBe(false);
    expect(await counts.add({ ...owners, user: someone() })).toBe(true);
    await counts.close();
  });

  test("one that closes makes room for one", async () => {
    const counts = open();
    const owners = { user: someone(), network: nextNetwork() };
    await add(counts, owners, USER_SOCKETS_MAX);
    await Promise.all([counts.remove(owners), counts.remove(owners)]);
    expect(await add(counts, owners, 5)).toBe(2);
    await counts.close();
  });

  test("a network has so many, and who is refused takes no place of it", async () => {
    const counts = open();
    const network = nextNetwork();
    const user = someone();
    let opened = 0;
    while (opened < NETWORK_SOCKETS_MAX - USER_SOCKETS_MAX) {
      opened += await add(counts, { user: someone(), network }, USER_SOCKETS_MAX);
    }
    expect(await add(counts, { user, network: null }, USER_SOCKETS_MAX)).toBe(USER_SOCKETS_MAX);
    expect(await add(counts, { user, network }, 50)).toBe(0);
    expect(await add(counts, { user: null, network }, USER_SOCKETS_MAX + 50)).toBe(
      USER_SOCKETS_MAX,
    );
    await counts.remove({ user: null, network });
    expect(await add(counts, { user: someone(), network }, 3)).toBe(1);
    await counts.close();
  });

  test("who is not counted has any number", async () => {
    const counts = open();
    const nobody = { user: null, network: null };
    expect(await add(counts, nobody, NETWORK_SOCKETS_MAX + 1)).toBe(NETWORK_SOCKETS_MAX + 1);
    await counts.remove(nobody);
    await counts.close();
  });
}

describe("sockets counted in memory", () => suite(createMemorySocketCounts));

describe.skipIf(!hasRedis)("sockets counted in Redis (needs redis-server)", () => {
  const LEASE_MS = 1_500;
  let server: TestRedis;
  const clients: RedisClient[] = [];
  const connect = async (): Promise<RedisClient> => {
    const redis = openRedis(server.url, createLog("silent"));
    clients.push(redis);
    await until(() => redis.isReady);
    return redis;
  };
  const openOn = (redis: RedisClient): SocketCounts =>
    createRedisSocketCounts({
      redis,
      newId: () => `process ${someone()}`,
      leaseMs: LEASE_MS,
      log: createLog("silent"),
    });

  let redis: RedisClient;
  beforeAll(async () => {
    server = await startRedis();
    redis = await connect();
  });
  afterAll(async () => {
    for (const one of clients) if (one.isOpen) one.destroy();
    await server.dispose();
  });

  /** Whether another socket of them would be refused. */
  const isFull = async (counts: SocketCounts, owners: SocketOwners): Promise<boolean> => {
    const isAdded = await counts.add(owners);
    if (isAdded) await counts.remove(owners);
    return !isAdded;
  };

  suite(() => openOn(redis));

  test("are one count for all processes, whose owners Redis does not know", async () => {
    const [one, other] = [openOn(redis), openOn(await connect())];
    const owners = { user: 4_711_471, network: "203.0.113.77" };
    const [here, there] = await Promise.all([
      add(one, owners, USER_SOCKETS_MAX),
      add(other, owners, USER_SOCKETS_MAX),
    ]);
    expect(here + there).toBe(USER_SOCKETS_MAX);
    const keys = (await server.cli("KEYS", "*")).split("\n");
    for (const key of keys) expect(key).not.toMatch(/4711471|203\.0/);
    const held = keys.filter((key) => !key.endsWith("leases"));
    expect(held.length).toBeGreaterThan(0);
    for (const key of held) expect(Number(await server.cli("PTTL", key))).toBeGreaterThan(0);
    // One that stops gives back its places at once.
    await one.close();
    expect(await add(other, owners, USER_SOCKETS_MAX)).toBe(here);
    await other.close();
  });

  test("of a process that was killed are free when its lease is over, and not before", async () => {
    const doomed = await connect();
    const [one, other] = [openOn(doomed), openOn(redis)];
    const owners = { user: someone(), network: nextNetwork() };
    await add(one, owners, USER_SOCKETS_MAX);
    doomed.destroy();
    expect(await isFull(other, owners)).toBe(true);
    await until(async () => !(await isFull(other, owners)));
    expect(await add(other, owners, USER_SOCKETS_MAX)).toBe(USER_SOCKETS_MAX);
    await Promise.all([one.close(), other.close()]);
  });

  test("that live on stay counted however long", async () => {
    const [one, other] = [openOn(redis), openOn(redis)];
    const owners = { user: someone(), network: null };
    await add(one, owners, USER_SOCKETS_MAX);
    await Bun.sleep(1.5 * LEASE_MS);
    expect(await isFull(other, owners)).toBe(true);
    await Promise.all([one.close(), other.close()]);
  });

  test("are counted by each process for itself while Redis is away, and together afterwards", async () => {
    const elsewhere = await connect();
    const [one, other] = [openOn(redis), openOn(elsewhere)];
    const [stays, goes] = [someone(), someone()].map((user) => ({ user, network: null }));
    if (stays === undefined || goes === undefined) throw new Error("nobody is there");
    await add(one, stays, USER_SOCKETS_MAX - 10);
    await add(one, goes, USER_SOCKETS_MAX);
    await server.kill();
    await until(() => !redis.isReady && !elsewhere.isReady);
    expect(await add(one, stays, 20)).toBe(10);
    expect(await add(other, stays, 5)).toBe(5);
    for (let at = 0; at < 5; at++) await other.remove(stays);
    for (let at = 0; at < USER_SOCKETS_MAX; at++) await one.remove(goes);

    await server.start();
    await until(() => redis.isReady && elsewhere.isReady);
    await until(() => isFull(other, stays));
    expect(await isFull(other, goes)).toBe(false);
    await Promise.all([one.close(), other.close()]);
  });
});
