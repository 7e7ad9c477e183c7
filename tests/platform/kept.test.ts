import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createRedisKept } from "../../src/platform/kept.redis.ts";
import { type Kept, createMemoryKept } from "../../src/platform/kept.ts";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, openRedis } from "../../src/platform/redis.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

const KEY_FIELDS_MAX = 10;
const KEY_BYTES_MAX = 1_000;

/** Opens a store whose keys live so long that no test outlives them. */
function suite(open: () => Kept): void {
  let kept: Kept;

  beforeEach(() => {
    kept = open();
  });

  test("what is put is there, and what is removed is not", async () => {
    expect(await kept.get("a")).toEqual({});
    expect(await kept.put("a", { one: "1", two: "2" })).toBe("kept");
    expect(await kept.put("a", { three: "3" })).toBe("kept");
    expect(await kept.get("a")).toEqual({ one: "1", two: "2", three: "3" });
    await kept.remove("a", ["one", "three", "never there"]);
    expect(await kept.get("a")).toEqual({ two: "2" });
    await kept.remove("a", ["two"]);
    expect(await kept.get("a")).toEqual({});
    await kept.remove("never there", ["x"]);
    expect(await kept.get("never there")).toEqual({});
  });

  test("keys know nothing of each other", async () => {
    await kept.put("a", { field: "of a" });
    await kept.put("b", { field: "of b" });
    await kept.remove("a", ["field"]);
    expect(await kept.get("b")).toEqual({ field: "of b" });
  });

  test("a field that is written again counts once", async () => {
    for (let i = 0; i < 10; i++) {
      expect(await kept.put("a", { field: String(i).repeat(600) })).toBe("kept");
    }
    expect(await kept.put("a", { more: "x".repeat(400) })).toBe("kept");
    expect(await kept.put("a", { more: "x".repeat(401) })).toBe("key_full");
    expect(await kept.get("a")).toEqual({ field: "9".repeat(600), more: "x".repeat(400) });
  });

  test("what would pass the key's limit is refused and changes nothing", async () => {
    await kept.put("a", { field: "x".repeat(900) });
    expect(await kept.put("a", { small: "y", field: "z".repeat(1_000) })).toBe("key_full");
    expect(await kept.get("a")).toEqual({ field: "x".repeat(900) });
    expect(await kept.put("a", { more: "x".repeat(100) })).toBe("kept");
    expect(await kept.put("a", { tooMuch: "x" })).toBe("key_full");
    expect(await kept.put("b", { field: "x".repeat(1_001) })).toBe("key_full");
    expect(await kept.get("b")).toEqual({});
  });

  test("a shorter value and a removed one make room", async () => {
    await kept.put("a", { one: "x".repeat(500), two: "x".repeat(500) });
    expect(await kept.put("a", { three: "x".repeat(300) })).toBe("key_full");
    expect(await kept.put("a", { one: "x".repeat(200) })).toBe("kept");
    expect(await kept.put("a", { three: "x".repeat(300) })).toBe("kept");
    await kept.remove("a", ["two"]);
    expect(await kept.put("a", { four: "x".repeat(500) })).toBe("kept");
    expect(await kept.put("a", { five: "x" })).toBe("key_full");
    await kept.remove("a", ["one", "three", "four"]);
    expect(await kept.put("a", { all: "x".repeat(KEY_BYTES_MAX) })).toBe("kept");
  });

  test("a key has no more fields than its limit", async () => {
    const kept = open();
    for (let at = 0; at < KEY_FIELDS_MAX; at++) {
      expect(await kept.put("a", { [`field ${at}`]: "x" })).toBe("kept");
    }
    expect(await kept.put("a", { more: "x" })).toBe("key_full");
    expect(await kept.put("a", { "field 1": "y" })).toBe("kept");
    await kept.remove("a", ["field 2"]);
    expect(await kept.put("a", { more: "x" })).toBe("kept");
  });

  test("bytes are counted, not letters", async () => {
    expect(await kept.put("a", { field: "न".repeat(334) })).toBe("key_full");
    expect(await kept.put("a", { field: "न".repeat(333) })).toBe("kept");
  });

  test("values, fields and keys may hold any text", async () => {
    const values = {
      empty: "",
      nul: "a\u0000b",
      hindi: "हिन्दी",
      owl: "🦉👩‍👩‍👧",
      lines: "\r\n\u2028\u0085",
      "field with spaces": '{"a":1}',
      क्षेत्र: "\uFFFF\uFEFF",
      "1": "a number",
    };
    expect(await kept.put("a key: कुंजी", values)).toBe("kept");
    expect(await kept.get("a key: कुंजी")).toEqual(values);
  });
}

describe("what one process keeps", () => {
  let time: number;
  const open = (limits = { totalBytesMax: 100_000 }): Kept =>
    createMemoryKept({
      ageMs: 1_000,
      keyBytesMax: KEY_BYTES_MAX,
      keyFieldsMax: KEY_FIELDS_MAX,
      now: () => time,
      ...limits,
    });

  beforeEach(() => {
    time = 1_700_000_000_000;
  });

  suite(open);

  test("is gone as a whole after its age, which each put starts anew", async () => {
    const kept = open();
    await kept.put("a", { one: "1" });
    time += 999;
    await kept.put("a", { two: "2" });
    time += 999;
    expect(await kept.get("a")).toEqual({ one: "1", two: "2" });
    await kept.remove("a", ["two"]);
    time += 1;
    expect(await kept.get("a")).toEqual({});
    // What was there before does not count any more.
    expect(await kept.put("a", { all: "x".repeat(KEY_BYTES_MAX) })).toBe("kept");
    expect(await kept.get("a")).toEqual({ all: "x".repeat(KEY_BYTES_MAX) });
  });

  test("has a limit over all keys, and what is gone makes room", async () => {
    const kept = open({ totalBytesMax: 2_000 });
    expect(await kept.put("a", { field: "x".repeat(1_000) })).toBe("kept");
    time += 500;
    expect(await kept.put("b", { field: "x".repeat(900) })).toBe("kept");
    expect(await kept.put("c", { field: "x".repeat(101) })).toBe("full");
    expect(await kept.get("c")).toEqual({});
    expect(await kept.put("c", { field: "x".repeat(100) })).toBe("kept");
    await kept.remove("b", ["field"]);
    expect(await kept.put("c", { more: "x".repeat(900) })).toBe("kept");
    expect(await kept.put("d", { field: "x" })).toBe("full");
    // Nobody asks for `a` again, yet its room is free once it is old.
    time += 500;
    expect(await kept.put("d", { field: "x".repeat(1_000) })).toBe("kept");
  });

  test("makes room for many keys that nobody asks for again", async () => {
    const kept = open({ totalBytesMax: 1_000 });
    for (let i = 0; i < 1_000; i++) {
      expect(await kept.put(`key ${i}`, { field: "x".repeat(100) })).toBe("kept");
      time += 101;
    }
  });
});

describe.skipIf(!hasRedis)("what several processes keep in redis (needs redis-server)", () => {
  const log = createLog("error", () => {});
  let redis: TestRedis;
  let client: RedisClient;
  const open = (ageMs = 3_600_000): Kept =>
    createRedisKept(client, { ageMs, keyBytesMax: KEY_BYTES_MAX, keyFieldsMax: KEY_FIELDS_MAX });

  beforeAll(async () => {
    redis = await startRedis();
    client = openRedis(redis.url, log);
    await until(() => client.isReady);
  });

  beforeEach(async () => {
    await client.flushAll();
  });

  afterAll(async () => {
    client.destroy();
    await redis.dispose();
  });

  suite(open);

  test("is gone as a whole after its age", async () => {
    const kept = open(50);
    await kept.put("a", { one: "1", two: "2" });
    await until(async () => Object.keys(await kept.get("a")).length !== 2);
    expect(await kept.get("a")).toEqual({});
    await until(async () => (await client.dbSize()) === 0);
    expect(await kept.put("a", { all: "x".repeat(KEY_BYTES_MAX) })).toBe("kept");
  });

  test("starts its age anew at each put, and not when something is removed", async () => {
    await open(3_600_000).put("a", { one: "1" });
    await open(7_200_000).put("a", { two: "2" });
    expect(await client.pTTL("a")).toBeGreaterThan(3_600_000);
    await open(10_800_000).remove("a", ["one"]);
    expect(await client.pTTL("a")).toBeGreaterThan(0);
    expect(await client.pTTL("a")).toBeLessThanOrEqual(7_200_000);
  });

  test("leaves nothing behind when its last field is removed", async () => {
    const kept = open();
    await kept.put("a", { one: "1", two: "2" });
    await kept.remove("a", ["one", "two"]);
    expect(await client.dbSize()).toBe(0);
  });

  test("is one for all processes, who cannot pass the limit together", async () => {
    const second = openRedis(redis.url, log);
    await until(() => second.isReady);
    const here = open();
    const there = createRedisKept(second, {
      ageMs: 60_000,
      keyBytesMax: KEY_BYTES_MAX,
      keyFieldsMax: KEY_FIELDS_MAX,
    });
    const taken = await Promise.all(
      Array.from({ length: 40 }, (_, number) =>
        (number % 2 === 0 ? here : there).put("a", { [`field ${number}`]: "x".repeat(100) }),
      ),
    );
    expect(taken.filter((answer) => answer === "kept")).toHaveLength(10);
    expect(Object.keys(await here.get("a"))).toHaveLength(10);
    second.destroy();
  });
});
