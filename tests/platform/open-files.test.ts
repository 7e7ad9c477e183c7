import { expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { watchOpenFiles } from "../../src/platform/open-files.ts";

test("that nothing more can be opened is told of once, and so is its end", () => {
  const lines: string[] = [];
  let look = (): void => undefined;
  let isEnded = false;
  let isFull = false;
  const end = watchOpenFiles({
    log: createLog("info", (line) => lines.push(line)),
    tryOne: () => {
      if (isFull) throw Object.assign(new Error("open"), { code: "EMFILE" });
    },
    every: (_ms, run) => {
      look = run;
      return () => void (isEnded = true);
    },
  });
  look();
  expect(lines).toEqual([]);
  isFull = true;
  look();
  look();
  isFull = false;
  look();
  look();
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: "error", code: "EMFILE", msg: expect.stringContaining("LimitNOFILE") },
    { level: "info", msg: "new connections are taken again" },
  ]);
  end();
  expect(isEnded).toBe(true);
});
