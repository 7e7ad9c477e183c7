import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { asProblem } from "../../src/http/errors.ts";
import { createRedisAttempts } from "../../src/http/attempts.redis.ts";
import { createMemoryAttempts } from "../../src/http/attempts.ts";
import { createRedisKept } from "../../src/platform/kept.redis.ts";
import { createLog } from "../../src/platform/log.ts";
import { type RedisClient, closeRedis, isRedisAway, openRedis } from "../../src/platform/redis.ts";
import { createPresenceStore } from "../../src/realtime/presence.store.ts";
import { createRedisSocketCounts } from "../../src/realtime/socket-counts.redis.ts";
import { until } from "../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../support/redis.ts";

const SLOW = { burst: 3, everyMs: 600_000 };
const LIMITS = { ageMs: 60_000, keyBytesMax: 1_000, keyFieldsMax: 10 };

describe.skipIf(!hasRedis)("a Redis (needs redis-server)", () => {
  let server: TestRedis;
  let redis: RedisClient;
  let pid: number;
  let lines: { msg: string; code?: string }[];

  beforeEach(async () => {
    lines = [];
    server = await startRedis();
    redis = openRedis(
      server.url,
      createLog("info", (line) => lines.push(JSON.parse(line))),
    );
    await until(() => redis.isReady);
    pid = Number(/process_id:(\d+)/.exec(await server.cli("INFO", "server"))?.[1]);
  });
  afterEach(async () => {
    await closeRedis(redis);
    await server.dispose();
  });

  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error: unknown) => error,
    );
  const openAttempts = () =>
    createRedisAttempts({
      redis,
      name: "test",
      allowance: SLOW,
      meanwhile: createMemoryAttempts(SLOW, Date.now),
    });

  test("that hangs keeps nobody waiting", async () => {
    const attempts = openAttempts();
    const counts = createRedisSocketCounts({
      redis,
      newId: () => "process",
      leaseMs: 60_000,
      log: createLog("silent"),
    });
    const kept = createRedisKept(redis, LIMITS);
    const presence = createPresenceStore({
      redis,
      processId: "process",
      leaseMs: 60_000,
      now: Date.now,
    });
    process.kill(pid, "SIGSTOP");
    // Each process goes on by itself.
    for (let at = 0; at < SLOW.burst; at++) expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBeGreaterThan(0);
    expect(await counts.add({ user: 1, network: null })).toBe(true);
    await counts.remove({ user: 1, network: null });
    // What is kept is refused, and not lost.
    const refused = await failure(kept.put("a", { field: "x" }));
    expect(asProblem(refused)).toMatchObject({ code: "queue_full" });
    expect(isRedisAway(await failure(kept.get("a")))).toBe(true);
    expect(isRedisAway(await failure(presence.members("room")))).toBe(true);
    await counts.close();
    expect(lines.filter(({ msg }) => msg.includes("in time"))).toHaveLength(1);
  });

  test("that hangs is connected to anew, and asked again as soon as it answers", async () => {
    process.kill(pid, "SIGSTOP");
    // Writing goes on meanwhile, as it does on a server that is asked.
    const writing = setInterval(() => void redis.publish("beat", "").catch(() => undefined), 50);
    await until(() => !redis.isReady);
    clearInterval(writing);
    process.kill(pid, "SIGCONT");
    await until(() => redis.isReady);
    expect(await redis.inTime(() => redis.ping())).toBe("PONG");
    expect(lines.map(({ msg }) => msg)).toEqual([
      "redis is away: processes are not joined until it is back; see REDIS_URL",
      "redis is back",
    ]);
  });

  test("that hangs is left without a word", async () => {
    process.kill(pid, "SIGSTOP");
    const waiting = failure(redis.ping());
    await closeRedis(redis);
    expect(isRedisAway(await waiting)).toBe(true);
    // One that is still being connected to, too.
    const other = openRedis(server.url, createLog("silent"));
    await closeRedis(other);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([other.isOpen, other.isReady]).toEqual([false, false]);
  });

  test("that refuses leaves the limits as they are, in each process, and is told of once", async () => {
    const attempts = openAttempts();
    await server.cli("config", "set", "maxmemory", "1");
    for (let at = 0; at < SLOW.burst; at++) expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBeGreaterThan(0);
    await attempts.giveBack("a");
    expect(await attempts.take("a")).toBe(0);
    const kept = createRedisKept(redis, LIMITS);
    expect(asProblem(await failure(kept.put("a", { field: "x" })))).toMatchObject({
      code: "queue_full",
    });
    expect(lines.map(({ code }) => code)).toEqual(["OOM"]);

    await server.cli("config", "set", "maxmemory", "0");
    await server.cli("replicaof", "127.0.0.1", "1");
    expect(await attempts.take("b")).toBe(0);
    expect(isRedisAway(await failure(kept.put("a", { field: "x" })))).toBe(true);
    expect(lines.map(({ code }) => code)).toEqual(["OOM", "READONLY"]);
  });

  test("that is asked for too much at once is away; what was asked wrongly is not", async () => {
    process.kill(pid, "SIGSTOP");
    const asked = Array.from({ length: 10_001 }, () => failure(redis.ping()));
    expect(isRedisAway(await asked.at(-1))).toBe(true);
    process.kill(pid, "SIGCONT");
    await Promise.all(asked);
    const wrong = await failure(redis.sendCommand(["NOSUCH"]));
    expect(wrong).toBeInstanceOf(Error);
    expect(isRedisAway(wrong)).toBe(false);
  });
});
