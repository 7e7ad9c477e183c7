import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { type Pool, PoolClosed, PoolFull, createPool } from "../../src/platform/pool.ts";
import { until } from "../support/app.ts";
import type { PoolJob } from "../support/pool-worker.ts";

const QUEUED_JOBS_MAX = 10_000;
/** Two batches of a hundred are with the one worker and no longer wait. */
const JOBS_UNDER_WAY = 200;
const CLOSE_MS_MAX = 10_000;

let lines: string[];
let pool: Pool<PoolJob, number>;

function start(size: number): Pool<PoolJob, number> {
  return createPool<PoolJob, number>({
    spawn: () => new Worker(new URL("../support/pool-worker.ts", import.meta.url)),
    size,
    log: createLog("info", (line) => lines.push(line)),
  });
}

function doubles(count: number): PoolJob[] {
  return Array.from({ length: count }, (_, number) => ({ kind: "double", number }));
}

function shared(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** Lets go of the jobs that wait at `gate`. */
function open(gate: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(gate), 0, 1);
  Atomics.notify(new Int32Array(gate), 0);
}

function failure(job: Promise<unknown>): Promise<unknown> {
  return job.then(
    () => null,
    (error: unknown) => error,
  );
}

beforeEach(() => {
  lines = [];
});

afterEach(async () => {
  await pool.close(0);
});

test("results come back in the right places over many jobs", async () => {
  pool = start(2);
  const results = await Promise.all(doubles(3_000).map((job) => pool.run(job)));
  expect(results).toEqual(Array.from({ length: 3_000 }, (_, number) => number * 2));
});

test("a job that throws fails alone", async () => {
  pool = start(1);
  const good = Promise.all(doubles(10).map((job) => pool.run(job)));
  const bad = failure(pool.run({ kind: "throw", message: "no such word" }));
  const later = Promise.all(doubles(10).map((job) => pool.run(job)));
  expect(await bad).toMatchObject({ name: "JobFailed", message: "no such word" });
  expect(await good).toHaveLength(10);
  expect(await later).toHaveLength(10);
});

describe("a worker that dies", () => {
  test("is replaced, and what it was doing is done again", async () => {
    pool = start(1);
    const tries = shared();
    const jobs: PoolJob[] = [...doubles(150), { kind: "exitOnce", tries }, ...doubles(150)];
    const results = await Promise.all(jobs.map((job) => pool.run(job)));
    expect(results.slice(0, 150)).toEqual(results.slice(151));
    expect(results[150]).toBe(1);
    expect(results[149]).toBe(298);
  });

  test("of a rejection nobody handles is replaced too", async () => {
    pool = start(1);
    await pool.run({ kind: "reject" });
    await until(() => lines.some((line) => line.includes("a worker ended and is started again")));
    expect(lines.join("")).toContain('"error":"nobody handles this"');
    expect(pool.ready()).toBe(false);
    expect(await pool.run({ kind: "double", number: 4 })).toBe(8);
  });

  test("twice over the same job is not given it again, and the rest are done", async () => {
    pool = start(1);
    const before = doubles(5).map((job) => pool.run(job));
    const killer = failure(pool.run({ kind: "exit" }));
    const after = doubles(5).map((job) => pool.run(job));
    expect(await Promise.all([...before, ...after])).toEqual([0, 2, 4, 6, 8, 0, 2, 4, 6, 8]);
    expect(await killer).toMatchObject({ name: "JobFailed" });
  });

  test("over several such jobs takes no innocent one with it", async () => {
    pool = start(2);
    const jobs: PoolJob[] = [
      { kind: "exit" },
      { kind: "double", number: 1 },
      { kind: "exit" },
      { kind: "double", number: 2 },
    ];
    const outcomes = await Promise.allSettled(jobs.map((job) => pool.run(job)));
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
  });

  test("before anything was asked of it is replaced at the next start", async () => {
    let starts = 0;
    pool = createPool<PoolJob, number>({
      spawn: () => {
        const file = starts++ === 0 ? "no-such-worker.ts" : "../support/pool-worker.ts";
        return new Worker(new URL(file, import.meta.url));
      },
      size: 1,
      log: createLog("info", (line) => lines.push(line)),
    });
    expect(await pool.run({ kind: "double", number: 3 })).toBe(6);
    expect(starts).toBe(2);
  });
});

test("more jobs than may wait are refused, those that wait are done", async () => {
  pool = start(1);
  const gate = shared();
  const held = pool.run({ kind: "wait", gate });
  await until(() => pool.ready());
  const fill = QUEUED_JOBS_MAX + JOBS_UNDER_WAY - 1;
  const waiting = doubles(fill).map((job) => failure(pool.run(job)));
  const refused = await failure(pool.run({ kind: "double", number: 1 }));
  expect(refused).toBeInstanceOf(PoolFull);
  open(gate);
  await held;
  const failures = await Promise.all(waiting);
  // How the first jobs fell into batches decides how many were taken, but none was lost.
  expect(failures.filter((one) => one !== null && !(one instanceof PoolFull))).toEqual([]);
  expect(failures.filter((one) => one === null).length).toBeGreaterThanOrEqual(QUEUED_JOBS_MAX);
});

describe("closing", () => {
  test("waits for what was handed in and refuses what comes later", async () => {
    pool = start(1);
    const handedIn = Promise.all(doubles(500).map((job) => pool.run(job)));
    const closed = pool.close(CLOSE_MS_MAX);
    expect(await failure(pool.run({ kind: "double", number: 1 }))).toBeInstanceOf(PoolClosed);
    await closed;
    expect(await handedIn).toHaveLength(500);
    expect(pool.ready()).toBe(false);
  });

  test("rejects what is not done in time", async () => {
    pool = start(1);
    await until(() => pool.ready());
    const gate = shared();
    const hanging = failure(pool.run({ kind: "wait", gate }));
    const behind = failure(pool.run({ kind: "double", number: 1 }));
    const queued = failure(pool.run({ kind: "double", number: 2 }));
    await pool.close(20);
    expect(await hanging).toBeInstanceOf(PoolClosed);
    expect(await behind).toBeInstanceOf(PoolClosed);
    expect(await queued).toBeInstanceOf(PoolClosed);
    open(gate);
  });

  test("may be asked for twice", async () => {
    pool = start(1);
    const handedIn = pool.run({ kind: "double", number: 1 });
    await Promise.all([pool.close(CLOSE_MS_MAX), pool.close(CLOSE_MS_MAX)]);
    expect(await handedIn).toBe(2);
  });
});

test("what workers log goes to the log of the process", async () => {
  pool = start(1);
  await pool.run({ kind: "log", message: "a word from the worker" });
  const line = lines.map((one) => JSON.parse(one)).find((one) => one.msg.includes("a word"));
  expect(line).toMatchObject({ level: "warn", worker: "test", msg: "a word from the worker" });
});
