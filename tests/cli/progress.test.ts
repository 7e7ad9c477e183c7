import { describe, expect, test } from "bun:test";
import {
  type ProgressOptions,
  createProgress,
  formatBytes,
  formatTime,
} from "../../src/cli/progress.ts";

function setUp(change: Partial<ProgressOptions> & { isTTY?: boolean; columns?: number } = {}) {
  const { isTTY = true, columns = 120, ...options } = change;
  const clock = { ms: 0 };
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  const progress = createProgress({
    label: "pulling",
    total: 1000,
    unit: "bytes",
    stream,
    now: () => clock.ms,
    ...options,
  });
  return {
    progress,
    written,
    at: (ms: number, done: number, total?: number) => {
      clock.ms = ms;
      progress.update(done, total);
    },
    last: () => written.at(-1)?.replace("\r\u001B[K", ""),
  };
}

describe("progress on a terminal", () => {
  test("shows share, amount, rate and time left in one line", () => {
    const { at, last } = setUp();
    at(0, 0);
    expect(last()).toBe("pulling  [------------------------]  0 %  0 B of 1.0 kB");
    at(1000, 250);
    expect(last()).toBe(
      "pulling  [######------------------]  25 %  250 B of 1.0 kB  250 B/s  0:03 left",
    );
  });

  test("does not count what was there before into the rate", () => {
    const { at, last } = setUp();
    at(0, 900);
    at(1000, 950);
    expect(last()).toContain("50 B/s  0:01 left");
  });

  test("does without what nobody knows", () => {
    const { at, last } = setUp({ total: null });
    at(0, 0);
    at(1000, 500);
    expect(last()).toBe("pulling    500 B  500 B/s");
    at(2000, 1000, 4000);
    expect(last()).toContain("25 %");
  });

  test("draws a few times a second and never wider than the terminal", () => {
    const { at, written } = setUp({ columns: 20 });
    for (let ms = 0; ms < 1000; ms++) at(ms, ms);
    expect(written).toHaveLength(10);
    for (const line of written) expect(line.replace("\r\u001B[K", "").length).toBeLessThan(20);
  });

  test("of a share has no amounts, of items no bytes", () => {
    const share = setUp({ unit: "share" });
    share.at(0, 0);
    share.at(1000, 500);
    expect(share.last()).toEndWith("50 %  0:01 left");
    const items = setUp({ unit: "items" });
    items.at(0, 0);
    items.at(1000, 500);
    expect(items.last()).toEndWith("50 %  500 of 1000  500/s  0:01 left");
    const guessed = setUp({ unit: "items", isEstimated: true });
    guessed.at(0, 0);
    guessed.at(1000, 500);
    expect(guessed.last()).toEndWith("50 %  500 of about 1000  500/s  0:01 left");
  });

  test("makes room for other lines and clears itself", () => {
    const { progress, at, written } = setUp();
    at(0, 0);
    progress.note("something happened");
    expect(written.at(-2)).toBe("\r\u001B[Ksomething happened\n");
    expect(written.at(-1)).toContain("[----");
    progress.end("done");
    expect(written.slice(-2)).toEqual(["\r\u001B[K", "done\n"]);
  });
});

test("progress elsewhere is a line at the start, and what is to be said", () => {
  const { progress, at, written } = setUp({ isTTY: false });
  at(0, 0);
  at(1000, 500);
  progress.note("something happened");
  progress.end("done");
  expect(written).toEqual(["pulling …\n", "something happened\n", "done\n"]);
});

test("bytes and times are written as people read them", () => {
  expect([0, 999, 1000, 999_949, 999_951, 1.5e9].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "999.9 kB",
    "1.0 MB",
    "1.5 GB",
  ]);
  expect([0, 0.2, 59, 60, 3600, 36_061].map(formatTime)).toEqual([
    "0:00",
    "0:01",
    "0:59",
    "1:00",
    "1:00:00",
    "10:01:01",
  ]);
});
