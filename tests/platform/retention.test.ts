import { expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { openDatabase } from "../../src/platform/database.ts";
import {
  type Removal,
  type RetentionDependencies,
  startRetention,
} from "../../src/platform/retention.ts";
import { type TrustedTime, createTrustedTime } from "../../src/platform/trusted-time.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const rest = (): Promise<void> => Promise.resolve();

/** Runs rounds when it is told to. */
function clockwork() {
  let round = (): void => undefined;
  let isEnded = false;
  let later: { ms: number; run: () => void } | null = null;
  return {
    every: (_ms: number, run: () => void) => {
      round = run;
      return () => void (isEnded = true);
    },
    after: (ms: number, run: () => void) => {
      later = { ms, run };
      return () => void (later = null);
    },
    round: () => round(),
    isEnded: () => isEnded,
    /** Within how many milliseconds it will look again by itself; null for not before the next round. */
    laterMs: () => later?.ms ?? null,
    runLater: () => {
      const { run } = later ?? { run: () => undefined };
      later = null;
      run();
    },
  };
}

/** A time that is kept as long as the test runs. */
function keptTime(at: number | null = null): TrustedTime {
  let kept = at;
  return {
    read: () => kept,
    keep: async (next) => void (kept = next),
  };
}

function collected() {
  const lines: string[] = [];
  return { lines, log: createLog("info", (line) => lines.push(line)) };
}

test("nothing is removed where things are kept for ever", async () => {
  const clock = clockwork();
  const never: Removal = { what: "things", removeSome: () => Promise.reject(new Error("asked")) };
  const { log, lines } = collected();
  const retention = startRetention({
    days: null,
    removals: [never],
    trustedTime: keptTime(),
    now: () => 0,
    log,
    ...clock,
  });
  clock.round();
  await retention.close(MINUTE_MS);
  expect(lines).toEqual([]);
});

test("a round removes everything older than the days, some at a time; what fails waits for the next", async () => {
  const asked: number[] = [];
  let left = 5;
  const things: Removal = {
    what: "things",
    removeSome: async (before) => {
      asked.push(before);
      return { count: 1, isDone: --left === 0 };
    },
  };
  const broken: Removal = { what: "others", removeSome: () => Promise.reject(new Error("locked")) };
  const clock = clockwork();
  const { log, lines } = collected();
  const removals = [broken, things];
  const retention = startRetention({
    days: 2,
    removals,
    trustedTime: keptTime(),
    now: () => 5 * DAY_MS,
    log,
    rest,
    ...clock,
  });
  while (left > 0) await Bun.sleep(0);
  await retention.close(MINUTE_MS);
  expect(asked).toEqual(Array.from({ length: 5 }, () => 3 * DAY_MS));
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: "error", what: "others" },
    { level: "info", what: "things", count: 5 },
  ]);
});

test("a stop waits for what is under way and leaves the rest", async () => {
  const going = Promise.withResolvers<void>();
  let count = 0;
  const endless: Removal = {
    what: "things",
    removeSome: async () => {
      count++;
      await going.promise;
      return { count: 1, isDone: false };
    },
  };
  const clock = clockwork();
  const { log } = collected();
  const removals = [endless];
  const retention = startRetention({
    days: 1,
    removals,
    trustedTime: keptTime(),
    now: () => 0,
    log,
    rest,
    ...clock,
  });
  const closed = retention.close(MINUTE_MS);
  going.resolve();
  await closed;
  expect(count).toBe(1);
  expect(clock.isEnded()).toBe(true);
});

test("a clock that leaps ahead removes nothing for a round, and is told of", async () => {
  const START = 1_000 * DAY_MS;
  let [time, elapsed] = [START, 0];
  const asked: number[] = [];
  const things: Removal = {
    what: "things",
    removeSome: (before) => {
      asked.push(before);
      return Promise.resolve({ count: 0, isDone: true });
    },
  };
  const clock = clockwork();
  const { log, lines } = collected();
  const retention = startRetention({
    days: 2,
    removals: [things],
    trustedTime: keptTime(),
    // It was written last long before.
    seenAt: START - 3 * DAY_MS,
    now: () => time,
    elapsed: () => elapsed,
    log,
    rest,
    ...clock,
  });
  const pass = async (ms: number, leapMs: number): Promise<void> => {
    elapsed += ms;
    time += ms + leapMs;
    clock.round();
    await Bun.sleep(0);
  };
  expect([asked, lines.length]).toEqual([[], 1]);
  await pass(DAY_MS / 24, 0);
  expect(asked).toHaveLength(1);
  // To 2038 and back: nothing was removed for its age.
  await pass(DAY_MS / 24, 4_500 * DAY_MS);
  expect([asked.length, lines.length]).toEqual([1, 2]);
  await pass(DAY_MS / 24, -4_500 * DAY_MS);
  expect(asked).toHaveLength(2);
  expect(asked.every((before) => before < START)).toBe(true);
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: "warn", days_ahead: 3 },
    { level: "warn", days_ahead: 4_500 },
  ]);
  await retention.close(MINUTE_MS);
});

test("a stop does not wait out a rest, nor a transaction beyond its time", async () => {
  const clock = clockwork();
  const { log, lines } = collected();
  const resting = Promise.withResolvers<void>();
  const common = { days: 1, trustedTime: keptTime(), now: () => 0, log, ...clock };
  const endless: Removal = {
    what: "things",
    removeSome: () => Promise.resolve({ count: 0, isDone: false }),
  };
  const rested = startRetention({
    ...common,
    removals: [endless],
    rest: () => {
      resting.resolve();
      return new Promise(() => {});
    },
  });
  await resting.promise;
  await rested.close(MINUTE_MS);

  const locked = Promise.withResolvers<never>();
  const waiting: Removal = { what: "things", removeSome: () => locked.promise };
  await startRetention({ ...common, removals: [waiting], rest }).close(1);
  // The database was closed before it had its turn: nothing that anybody has to look after.
  locked.reject(new Error("the database is closing"));
  await Bun.sleep(0);
  expect(lines).toEqual([]);
});

/** A server that is started and ended on the same data, by a clock that a test sets. */
function serverOn(trustedTime: TrustedTime) {
  const asked: number[] = [];
  const things: Removal = {
    what: "things",
    removeSome: async (before) => {
      asked.push(before);
      return { count: 0, isDone: true };
    },
  };
  let time = 0;
  return {
    asked,
    /** `seenAt`: when its file was written last. */
    start: (at: number, seenAt: number | null = null) => {
      time = at;
      const clock = clockwork();
      const { log, lines } = collected();
      const wanted: RetentionDependencies = {
        days: 2,
        removals: [things],
        trustedTime,
        seenAt,
        now: () => time,
        elapsed: () => 0,
        log,
        rest,
        ...clock,
      };
      return { ...startRetention(wanted), lines, clock };
    },
  };
}

test("whoever starts it seldom, and not for long, has old things removed, too", async () => {
  const server = serverOn(keptTime());
  const START = 1_000 * DAY_MS;
  for (let week = 0; week < 3; week++) {
    const at = START + week * 7 * DAY_MS;
    const { clock, close } = server.start(at);
    if (week > 0) {
      expect(server.asked).toHaveLength(week);
      expect(clock.laterMs()).toBeLessThanOrEqual(10 * MINUTE_MS);
      clock.runLater();
    }
    await Bun.sleep(1);
    expect(server.asked.at(-1)).toBe(at - 2 * DAY_MS);
    await close(MINUTE_MS);
  }
  // What was begun at a wrong time is not begun after the end.
  const { clock, close } = server.start(START + 100 * DAY_MS);
  await close(MINUTE_MS);
  clock.runLater();
  expect(server.asked).toHaveLength(3);
});

test("a restart does not believe a wrong clock for what was written by it", async () => {
  const database = openDatabase(":memory:");
  const server = serverOn(createTrustedTime(database));
  const [NOW, WRONG] = [1_000 * DAY_MS, 5_500 * DAY_MS];
  // The file is of a version that kept no time; what the second start finds was written in between.
  for (const seenAt of [NOW, WRONG, WRONG]) {
    const { close, lines } = server.start(WRONG, seenAt);
    await Bun.sleep(1);
    expect(lines).toHaveLength(1);
    await close(MINUTE_MS);
  }
  expect(server.asked).toEqual([]);
  // Right again, and from then on trusted from whole round to whole round.
  for (const at of [NOW, NOW + DAY_MS / 2, NOW + DAY_MS]) {
    const { close, lines } = server.start(at, WRONG);
    await Bun.sleep(1);
    expect(lines).toEqual([]);
    await close(MINUTE_MS);
  }
  expect(server.asked).toEqual([NOW, NOW + DAY_MS / 2, NOW + DAY_MS].map((at) => at - 2 * DAY_MS));
  expect(createTrustedTime(database).read()).toBe(NOW + DAY_MS);
  await database.close();
});
