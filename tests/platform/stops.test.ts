import { expect, test } from "bun:test";
import { createLog } from "../../src/platform/log.ts";
import { createStops, endsWithin } from "../../src/platform/stops.ts";

const never = new Promise<void>(() => {});

function collected() {
  const lines: object[] = [];
  return { lines, log: createLog("info", (line) => lines.push(JSON.parse(line) as object)) };
}

test("parts are taken down one after the other, the last one first, and one that fails keeps none up", async () => {
  const { lines, log } = collected();
  const stops = createStops({ withinMs: 10_000, log });
  const ended: string[] = [];
  stops.add(() => ended.push("first"), { part: "first" });
  stops.add(() => Promise.reject(new Error("broken")), { part: "second" });
  const endLate = async (): Promise<void> => {
    await Bun.sleep(1);
    ended.push("third");
  };
  stops.add(endLate, { part: "third" });
  await stops.run();
  expect(ended).toEqual(["third", "first"]);
  expect(lines).toMatchObject([{ level: "error", what: "second", error: "Error: broken" }]);
  await stops.run();
  expect(ended).toHaveLength(2);
});

test("a part that does not end leaves time for those behind it, and is told of once", async () => {
  const { lines, log } = collected();
  const stops = createStops({ withinMs: 100, log });
  const told: number[] = [];
  const late = Promise.withResolvers<void>();
  for (let part = 0; part < 4; part++) {
    stops.add(
      (withinMs) => {
        told.push(withinMs);
        return part === 0 ? late.promise : never;
      },
      { part: `part ${part}` },
    );
  }
  await stops.run();
  // Each has some of the time, and never all that is left; of little, not all is kept back.
  expect(told).toHaveLength(4);
  expect(told[0]).toBeWithin(25, 50);
  for (const [at, ms] of told.entries()) expect(ms).toBeLessThan((told[at - 1] ?? 100) / 2);
  expect(lines).toMatchObject(
    [3, 2, 1, 0].map((part) => ({ level: "warn", what: `part ${part}` })),
  );
  // What fails when nobody waits for it any more has an owner all the same.
  late.reject(new Error("too late"));
  await Bun.sleep(0);
  expect(lines.at(-1)).toMatchObject({ level: "error", what: "part 0", error: "Error: too late" });
});

test("a part may be given more of the time than the others", async () => {
  const stops = createStops({ withinMs: 10_000, log: createLog("silent") });
  const told: number[] = [];
  stops.add((withinMs) => told.push(withinMs), { part: "second" });
  stops.add((withinMs) => told.push(withinMs), { part: "first", share: 0.8 });
  await stops.run();
  expect(told[0]).toBeWithin(7_000, 7_601);
  expect(told[1]).toBeWithin(4_000, 4_751);
});

test("whoever waits with a limit hears whether it has ended, and why not", async () => {
  expect(await endsWithin(Promise.resolve(), 1_000)).toBe(true);
  expect(await endsWithin(never, 1)).toBe(false);
  const broken = Promise.reject(new Error("broken"));
  expect(endsWithin(broken, 1_000)).rejects.toThrow("broken");
});
