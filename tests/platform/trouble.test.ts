import { beforeEach, describe, expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { type Trouble, createTrouble } from "../../src/platform/trouble.ts";

const MINUTE_MS = 60_000;
let lines: Record<string, unknown>[] = [];
let time = 0;
let trouble: Trouble;

beforeEach(() => {
  lines = [];
  time = 0;
  const log = createLog("info", (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  trouble = createTrouble({ log, level: "warn", now: () => time });
});

const messages = (): unknown[] => lines.map(({ msg }) => msg);

describe("a trouble", () => {
  test("is told when it begins and when it is over, however often it is met", () => {
    for (time = 0; time < MINUTE_MS; time += 100) trouble.begin({ code: "E" }, "it is full");
    trouble.end("it has room");
    trouble.end("it has room");
    expect(lines).toMatchObject([
      { level: "warn", code: "E", msg: "it is full" },
      { level: "info", after_ms: MINUTE_MS, msg: "it has room" },
    ]);
  });

  test("that lasts is told of every ten minutes, with how often it was met", () => {
    for (time = 0; time <= 25 * MINUTE_MS; time += MINUTE_MS) trouble.begin({}, "it is full");
    expect(lines).toMatchObject([{}, { times: 10 }, { times: 10 }]);
    expect(lines[0]).not.toHaveProperty("times");
  });

  test("that comes and goes is told of once a minute, and never left untold when it stays", () => {
    for (time = 0; time < MINUTE_MS; time += 1_000) {
      trouble.begin({}, "it is away");
      trouble.end("it is back");
    }
    expect(messages()).toEqual(["it is away", "it is back"]);
    for (; time < 3 * MINUTE_MS; time += 1_000) trouble.begin({}, "it is away");
    trouble.end("it is back");
    expect(messages()).toEqual(["it is away", "it is back", "it is away", "it is back"]);
  });

  test("of another kind is told at once", () => {
    for (let count = 0; count < 3; count++) {
      trouble.begin({}, "it is full");
      trouble.begin({}, "it is locked");
    }
    expect(messages()).toEqual(["it is full", "it is locked"]);
  });

  test("that never was has no end", () => {
    trouble.end("it has room");
    expect(lines).toEqual([]);
  });
});
