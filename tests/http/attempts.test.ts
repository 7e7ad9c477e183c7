import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createNetworkOf, isThisMachine, siteOf } from "../../src/http/address.ts";
import { createTrustedProxies } from "../../src/http/proxies.ts";
import { createRedisAttempts } from "../../src/http/attempts.redis.ts";
import { type Attempts, createMemoryAttempts } from "../../src/http/attempts.ts";
import type { Allowance } from "../../src/platform/rate.ts";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, openRedis } from "../../src/platform/redis.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

/** So slow that no test outlives it. */
const SLOW: Allowance = { burst: 3, everyMs: 600_000 };

function suite(open: (name: string, allowance: Allowance) => Attempts): void {
  test("so many are there at once, then one has to wait", async () => {
    const attempts = open("burst", SLOW);
    for (let i = 0; i < SLOW.burst; i++) expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBeWithin(SLOW.everyMs - 20_000, SLOW.everyMs + 1);
    // What is refused makes nobody wait longer.
    expect(await attempts.take("a")).toBeLessThanOrEqual(SLOW.everyMs);
    expect(await attempts.take("b")).toBe(0);
  });

  test("of many at once no more get through", async () => {
    const attempts = open("at once", SLOW);
    const waits = await Promise.all(Array.from({ length: 50 }, () => attempts.take("a")));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(SLOW.burst);
  });

  test("what is given back may be taken again, and never becomes more than there were", async () => {
    const attempts = open("given back", SLOW);
    for (let i = 0; i < SLOW.burst; i++) await attempts.take("a");
    await attempts.giveBack("a");
    expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBeGreaterThan(0);
    for (let i = 0; i < 10; i++) await attempts.giveBack("a");
    await attempts.giveBack("never taken");
    const waits = await Promise.all(Array.from({ length: 10 }, () => attempts.take("a")));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(SLOW.burst);
  });

  test("are counted exactly where several are there each millisecond", async () => {
    const attempts = open("fractions", { burst: 10, everyMs: 0.9 });
    const waits = await Promise.all(Array.from({ length: 2_000 }, () => attempts.take("a")));
    const refused = waits.filter((wait) => wait > 0);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every(Number.isInteger)).toBe(true);
  });
}

describe("attempts counted in memory", () => {
  suite((_, allowance) => createMemoryAttempts(allowance, Date.now));

  test("come back one by one", async () => {
    let time = 1_000;
    const attempts = createMemoryAttempts({ burst: 2, everyMs: 100 }, () => time);
    await attempts.take("a");
    await attempts.take("a");
    expect(await attempts.take("a")).toBe(100);
    time += 40;
    expect(await attempts.take("a")).toBe(60);
    time += 60;
    expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBe(100);
    time += 1_000;
    expect([await attempts.take("a"), await attempts.take("a")]).toEqual([0, 0]);
    expect(await attempts.take("a")).toBe(100);
  });

  test("make nobody wait for a clock that was put back", async () => {
    let time = 7_200_000;
    const attempts = createMemoryAttempts({ burst: 2, everyMs: 100 }, () => time);
    for (let at = 0; at < 3; at++) await attempts.take("a");
    time -= 3_600_000;
    expect(await attempts.take("a")).toBe(100);
    time += 40;
    expect(await attempts.take("a")).toBe(60);
    time += 60;
    expect(await attempts.take("a")).toBe(0);
  });

  test("are forgotten of whoever tried longest ago, when too many have", async () => {
    const attempts = createMemoryAttempts({ burst: 1, everyMs: 1_000 }, () => 1_000);
    await attempts.take("first");
    for (let at = 0; at < 60_000; at++) await attempts.take(`${at}`);
    expect(await attempts.take("first")).toBeGreaterThan(0);
    for (let at = 60_000; at < 100_000; at++) await attempts.take(`${at}`);
    expect(await attempts.take("first")).toBe(0);
    expect(await attempts.take("99999")).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasRedis)("attempts counted in Redis (needs redis-server)", () => {
  let server: TestRedis;
  let redis: RedisClient;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, createLog("silent"));
    await until(() => redis.isReady);
  });
  afterAll(async () => {
    if (redis.isOpen) redis.destroy();
    await server.dispose();
  });

  const open = (name: string, allowance: Allowance): Attempts =>
    createRedisAttempts({
      redis,
      name,
      allowance,
      meanwhile: createMemoryAttempts(allowance, Date.now),
    });

  suite(open);

  test("are one count for all processes, whose keys Redis does not know", async () => {
    const [one, other] = [open("shared", SLOW), open("shared", SLOW)];
    for (let i = 0; i < SLOW.burst; i++) expect(await one.take("ada")).toBe(0);
    expect(await other.take("ada")).toBeGreaterThan(0);
    expect(await open("another", SLOW).take("ada")).toBe(0);
    const keys = (await server.cli("KEYS", "*shared*")).split("\n");
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(key).not.toContain("ada");
      expect(Number(await server.cli("PTTL", key))).toBeGreaterThan(0);
    }
  });

  test("make nobody wait for a clock that was put back", async () => {
    const attempts = open("clock", SLOW);
    await attempts.take("a");
    const key = await server.cli("KEYS", "*clock*");
    await server.cli("SET", key, String(Date.now() + 100 * SLOW.everyMs), "PX", "60000000");
    const waitMs = await attempts.take("a");
    expect(waitMs).toBeWithin(1, SLOW.everyMs + 1);
    await Bun.sleep(5);
    expect(await attempts.take("a")).toBeLessThan(waitMs);
    await server.cli("SET", key, String(Date.now() + 100 * SLOW.everyMs), "PX", "60000000");
    await attempts.giveBack("a");
    expect(await attempts.take("a")).toBe(0);
  });

  test("are counted by each process for itself while Redis is away", async () => {
    const attempts = open("away", SLOW);
    await server.kill();
    await until(() => !redis.isReady);
    for (let i = 0; i < SLOW.burst; i++) expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBeGreaterThan(0);
    await attempts.giveBack("a");
    expect(await attempts.take("a")).toBe(0);
  });
});

test("requests are counted by their network: half of an IPv6 address is its customer's", () => {
  const networkOf = createNetworkOf(createTrustedProxies([]));
  const from = (address: string, headers: Record<string, string> = {}): string =>
    networkOf(new Request("http://localhost/", { headers }), {
      requestIP: () => ({ address, family: "IPv6", port: 1 }),
    });
  expect(from("203.0.113.7")).toBe("203.0.113.7");
  for (const same of ["::ffff:203.0.113.7", "::ffff:cb00:7107", "0:0:0:0:0:ffff:203.0.113.7"]) {
    expect(from(same)).toBe("203.0.113.7");
  }
  for (const same of ["2001:db8:1:2:3:4:5:6", "2001:DB8:1:2::9", "2001:0db8:0001:0002::"]) {
    expect(from(same)).toBe("2001:db8:1:2");
  }
  expect(from("2001:db8::9")).toBe("2001:db8:0:0");
  expect(siteOf(from("2001:db8:1:2::9"))).toBe("2001:db8:1");
  expect(siteOf(from("203.0.113.7"))).toBe("203.0.113.7");
  expect(networkOf(new Request("http://localhost/"), null)).toBe("unknown");
});

test("who is on this machine is not counted, unless it speaks for others", () => {
  const from = (proxies: string[], address: string, headers: Record<string, string> = {}) =>
    isThisMachine(
      createNetworkOf(createTrustedProxies(proxies))(new Request("http://a/", { headers }), {
        requestIP: () => ({ address, family: "IPv6", port: 1 }),
      }),
    );
  for (const here of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
    expect([here, from([], here)]).toEqual([here, true]);
    expect([here, from(["10.0.0.1"], here)]).toEqual([here, true]);
    for (const said of ["forwarded", "x-forwarded-for", "x-real-ip"]) {
      expect([said, from([], here, { [said]: "203.0.113.9" })]).toEqual([said, false]);
      expect([said, from([], here, { [said]: "127.0.0.1" })]).toEqual([said, false]);
    }
  }
  expect(from(["127.0.0.1"], "127.0.0.1")).toBe(false);
  expect(from(["127.0.0.1"], "127.0.0.1", { "x-forwarded-for": "unknown" })).toBe(false);
  for (const elsewhere of ["::203.0.113.9", "0:0:0:0:1::", "::2", "10.0.0.1"]) {
    expect([elsewhere, from([], elsewhere)]).toEqual([elsewhere, false]);
  }
});
