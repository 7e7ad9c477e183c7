import { describe, expect, test } from "bun:test";
import { PartAway, createBreaker } from "../../src/platform/breaker.ts";
import { until } from "../support/app.ts";

/** Shorter than what is waited for elsewhere. */
const SOON_MS = 20;
const silent = (): Promise<never> => new Promise(() => undefined);
const answers = (): Promise<string> => Promise.resolve("here");
const fails = (): Promise<never> => Promise.reject(new Error("no such thing"));

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

describe("a part that gives no answer", () => {
  test("is waited for until it should have come, and then not asked", async () => {
    const breaker = createBreaker();
    expect(await breaker.run(answers)).toBe("here");
    expect(await failure(breaker.run(silent, SOON_MS))).toBeInstanceOf(PartAway);
    let asked = 0;
    const ask = async () => void asked++;
    for (let at = 0; at < 5; at++) expect(await failure(breaker.run(ask))).toBeInstanceOf(PartAway);
    expect(asked).toBe(0);
  });

  test("is asked by one to see whether it answers again, then by everybody", async () => {
    const breaker = createBreaker();
    await breaker.run(silent, SOON_MS).catch(() => undefined);
    const { promise, resolve } = Promise.withResolvers<string>();
    let asked = 0;
    const ask = () => {
      asked++;
      return promise;
    };
    let first: Promise<string> | undefined;
    await until(() => {
      const tried = breaker.run(ask, 60_000);
      tried.catch(() => undefined);
      if (asked === 1) first ??= tried;
      return asked > 0;
    });
    for (let at = 0; at < 5; at++) expect(await failure(breaker.run(ask))).toBeInstanceOf(PartAway);
    expect(asked).toBe(1);
    resolve("again");
    expect(await first).toBe("again");
    expect(await Promise.all([breaker.run(answers), breaker.run(answers)])).toEqual([
      "here",
      "here",
    ]);
  });

  test("is asked at once when it is known to be there", async () => {
    const breaker = createBreaker();
    await breaker.run(silent, SOON_MS).catch(() => undefined);
    breaker.mend();
    expect(await breaker.run(answers)).toBe("here");
  });
});

test("errors are answers: whoever comes next is let through", async () => {
  const breaker = createBreaker();
  for (let at = 0; at < 3; at++)
    expect(await failure(breaker.run(fails))).not.toBeInstanceOf(PartAway);
  expect(await breaker.run(answers)).toBe("here");
});

test("an answer that came while this process stood still is not late", async () => {
  const breaker = createBreaker();
  const { promise, resolve } = Promise.withResolvers<string>();
  const asked = breaker.run(() => promise, SOON_MS);
  Bun.sleepSync(2 * SOON_MS);
  // What was received meanwhile is read only after the timers that are due.
  setTimeout(resolve, 0, "here");
  expect(await asked).toBe("here");
});
