import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createFallbackCache } from "../../../src/features/lookup/cache.fallback.ts";
import { createRedisCache } from "../../../src/features/lookup/cache.redis.ts";
import { type Bytes, type Cache, createMemoryCache } from "../../../src/features/lookup/cache.ts";
import { createLog } from "../../../src/platform/log.ts";
import { type RedisClient, closeRedis, openRedis } from "../../../src/platform/redis.ts";
import { until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { newId } from "./scripted.ts";

const LONG_MS = 600_000;

const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const read = async (cache: Cache, ...keys: string[]): Promise<(string | null)[]> =>
  (await cache.get(keys)).map((value) => (value === null ? null : new TextDecoder().decode(value)));

/** Opens a cache whose ages are so long that no test outlives them. */
function suite(open: () => Cache): void {
  let cache: Cache;

  beforeEach(() => {
    cache = open();
  });

  test("what is put is there, in the order it is asked for", async () => {
    expect(await read(cache, "a", "b")).toEqual([null, null]);
    await cache.put("a", bytes("one"), LONG_MS);
    await cache.put("b", bytes("two"), LONG_MS);
    expect(await read(cache, "b", "nothing", "a", "b")).toEqual(["two", null, "one", "two"]);
    await cache.put("a", bytes("three"), LONG_MS);
    expect(await read(cache, "a")).toEqual(["three"]);
  });

  test("what may not be kept at all is gone", async () => {
    await cache.put("a", bytes("one"), LONG_MS);
    await cache.put("a", bytes("two"), 0);
    expect(await read(cache, "a")).toEqual([null]);
  });

  test("any bytes come back as they were", async () => {
    const all = Uint8Array.from({ length: 512 }, (_, at) => at % 256);
    await cache.put("all", all, LONG_MS);
    await cache.put("part", all.subarray(100, 200), LONG_MS);
    await cache.put("none", new Uint8Array(0), LONG_MS);
    expect(await cache.get(["all", "part", "none"])).toEqual([
      all,
      all.slice(100, 200),
      new Uint8Array(0),
    ]);
  });

  test("one of many gets the claim, and the next when it is released", async () => {
    const claims = await Promise.all(Array.from({ length: 20 }, () => cache.claim("a", LONG_MS)));
    const [claim, ...others] = claims.filter((one) => one !== null);
    expect(others).toEqual([]);
    expect(await cache.claim("b", LONG_MS)).not.toBeNull();
    await claim?.release();
    const next = await cache.claim("a", LONG_MS);
    expect(next).not.toBeNull();
    // The first one has nothing to release any more.
    await claim?.release();
    expect(await cache.claim("a", LONG_MS)).toBeNull();
    await next?.release();
  });

  test("a claim whose holder died ends by itself", async () => {
    expect(await cache.claim("a", 1)).not.toBeNull();
    await until(async () => (await cache.claim("a", LONG_MS)) !== null);
  });
}

describe("what one process caches", () => {
  suite(() => createMemoryCache({ bytesMax: 1_000_000, now: Date.now }));

  test("is gone after its age", async () => {
    let time = 1_000;
    const cache = createMemoryCache({ bytesMax: 10_000, now: () => time });
    await cache.put("a", bytes("one"), 100);
    time += 99;
    expect(await read(cache, "a")).toEqual(["one"]);
    time += 1;
    expect(await read(cache, "a")).toEqual([null]);
  });

  test("has a limit; what nobody asked for the longest goes first", async () => {
    const cache = createMemoryCache({ bytesMax: 4_000, now: () => 0 });
    for (const key of ["a", "b", "c"]) await cache.put(key, bytes(key.repeat(1_000)), LONG_MS);
    await cache.get(["a"]);
    await cache.put("d", bytes("d".repeat(1_000)), LONG_MS);
    const kept = async (): Promise<boolean[]> =>
      (await cache.get(["b", "c", "d", "a"])).map((value) => value !== null);
    expect(await kept()).toEqual([false, true, true, true]);
    // One that is larger than everything leaves nothing, itself neither.
    await cache.put("e", bytes("e".repeat(4_000)), LONG_MS);
    expect(await cache.get(["a", "b", "c", "d", "e"])).toEqual([null, null, null, null, null]);
    await cache.put("f", bytes("f"), LONG_MS);
    expect(await read(cache, "f")).toEqual(["f"]);
  });

  test("is swept of what is old though nobody asks for it", async () => {
    let time = 0;
    const cache = createMemoryCache({ bytesMax: 5_000, now: () => time });
    for (let at = 0; at < 10; at++) await cache.put(`old ${at}`, bytes("x".repeat(200)), 100);
    await cache.put("kept", bytes("y".repeat(200)), LONG_MS);
    time = 100;
    // There would not be room for all of them beside the old ones.
    for (let at = 0; at < 8; at++) await cache.put(`new ${at}`, bytes("z".repeat(200)), LONG_MS);
    expect(await read(cache, "kept", "new 0")).toEqual(["y".repeat(200), "z".repeat(200)]);
  });
});

describe.skipIf(!hasRedis)("what several processes cache (needs redis-server)", () => {
  let server: TestRedis;
  let redis: RedisClient;
  const log = createLog("silent");

  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, log);
    await until(() => redis.isReady);
  });
  beforeEach(async () => {
    await redis.flushAll();
  });
  afterAll(async () => {
    await closeRedis(redis);
    await server.dispose();
  });

  describe("in Redis", () => {
    suite(() => createRedisCache({ redis, bytesMax: 1_000_000, newId }));

    test("is seen by all of them and has an age", async () => {
      const [one, other] = [0, 1].map(() =>
        createRedisCache({ redis, bytesMax: 1_000_000, newId }),
      );
      await one?.put("a", bytes("shared"), LONG_MS);
      expect(other === undefined ? null : await read(other, "a")).toEqual(["shared"]);
      expect(await redis.pTTL("a")).toBeGreaterThan(LONG_MS / 2);
      expect(await one?.claim("c", LONG_MS)).not.toBeNull();
      expect(await other?.claim("c", LONG_MS)).toBeNull();
      expect(await redis.pTTL("c")).toBeGreaterThan(LONG_MS / 2);
    });

    /** What stands in Redis beside the index of it. */
    const keysLeft = async (): Promise<string[]> =>
      (await redis.keys("*")).filter((key) => !key.startsWith("earshot:")).toSorted();

    test("has a limit for all of them together; the oldest goes first", async () => {
      const [one, other] = [0, 1].map(() => createRedisCache({ redis, bytesMax: 10_000, newId }));
      for (const key of ["a", "b", "c", "d"])
        await one?.put(key, bytes(key.repeat(2_000)), LONG_MS);
      // What is put anew is counted once, and is the newest.
      for (let times = 0; times < 5; times++)
        await one?.put("a", bytes("a".repeat(2_000)), LONG_MS);
      expect(await keysLeft()).toEqual(["a", "b", "c", "d"]);
      await other?.put("e", bytes("e".repeat(2_000)), LONG_MS);
      expect(await keysLeft()).toEqual(["a", "c", "d", "e"]);
      // What is gone makes room; one that is larger than everything leaves nothing.
      for (const key of ["a", "c", "d"]) await one?.put(key, bytes(""), 0);
      await one?.put("f", bytes("f".repeat(6_000)), LONG_MS);
      expect(await keysLeft()).toEqual(["e", "f"]);
      await one?.put("g", bytes("g".repeat(20_000)), LONG_MS);
      expect(await keysLeft()).toEqual([]);
      expect(await redis.hGet("earshot:lookup:sizes", "")).toBe("0");
    });

    test("does not count for long what ended by its age", async () => {
      const cache = createRedisCache({ redis, bytesMax: 1_000_000, newId });
      for (let at = 0; at < 30; at++) await cache.put(`short ${at}`, bytes("x"), 1);
      await until(async () => (await keysLeft()).length === 0);
      for (let at = 0; at < 100; at++) await cache.put("kept", bytes("y"), LONG_MS);
      expect(await redis.zCard("earshot:lookup:order")).toBe(1);
      expect(await redis.hGet("earshot:lookup:sizes", "")).toBe("501");
      expect(await redis.pTTL("earshot:lookup:order")).toBeGreaterThan(LONG_MS / 2);
    });

    test("goes on when either index is lost", async () => {
      const cache = createRedisCache({ redis, bytesMax: 5_000, newId });
      for (const lost of ["order", "sizes"]) {
        for (const key of ["a", "b"]) await cache.put(key, bytes("x".repeat(1_900)), LONG_MS);
        await redis.del(`earshot:lookup:${lost}`);
        for (const key of ["c", "d", "e"]) await cache.put(key, bytes("x".repeat(1_900)), LONG_MS);
        expect(await read(cache, "e")).toEqual(["x".repeat(1_900)]);
        await redis.flushAll();
      }
    });
  });

  describe("in Redis with their own memory behind it", () => {
    suite(() =>
      createFallbackCache({
        shared: createRedisCache({ redis, bytesMax: 1_000_000, newId }),
        own: createMemoryCache({ bytesMax: 1_000_000, now: Date.now }),
        log,
      }),
    );

    test("is still there when Redis lost it", async () => {
      const cache = createFallbackCache({
        shared: createRedisCache({ redis, bytesMax: 1_000_000, newId }),
        own: createMemoryCache({ bytesMax: 1_000_000, now: Date.now }),
        log,
      });
      await cache.put("a", bytes("one"), LONG_MS);
      await redis.flushAll();
      expect(await read(cache, "a", "b")).toEqual(["one", null]);
    });
  });
});

describe("a shared cache that is away", () => {
  const away = (failure: () => Promise<never>): { cache: Cache; lines: string[] } => {
    const lines: string[] = [];
    const shared = { get: failure, put: failure, claim: failure };
    const own = createMemoryCache({ bytesMax: 1_000_000, now: Date.now });
    const log = createLog("info", (line) => lines.push(line));
    return { cache: createFallbackCache({ shared, own, log }), lines };
  };

  suite(() => away(() => Promise.reject(new Error("away"))).cache);

  test("is told of once for a loss", async () => {
    const { cache, lines } = away(() => Promise.reject(new Error("away")));
    for (let at = 0; at < 5; at++) await cache.put("a", bytes("one"), LONG_MS);
    await cache.get(["a"]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("the shared cache is away");
  });

  test("is not waited for for long", async () => {
    const { cache } = away(() => new Promise(() => {}));
    await cache.put("a", bytes("one"), LONG_MS);
    expect(await read(cache, "a")).toEqual(["one"]);
  });
});
