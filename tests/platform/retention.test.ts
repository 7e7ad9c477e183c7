import { expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { type Removal, startRetention } from "../../src/platform/retention.ts";

const DAY_MS = 86_400_000;
const rest = (): Promise<void> => Promise.resolve();

/** Runs rounds when it is told to. */
function clockwork() {
  let round = (): void => undefined;
  let isEnded = false;
  return {
    every: (_ms: number, run: () => void) => {
      round = run;
      return () => void (isEnded = true);
    },
    round: () => round(),
    isEnded: () => isEnded,
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
  const retention = startRetention({ days: null, removals: [never], now: () => 0, log, ...clock });
  clock.round();
  await retention.close();
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
    now: () => 5 * DAY_MS,
    log,
    rest,
    ...clock,
  });
  while (left > 0) await Bun.sleep(0);
  await retention.close();
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
  const retention = startRetention({ days: 1, removals, now: () => 0, log, rest, ...clock });
  const closed = retention.close();
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
  await retention.close();
});
