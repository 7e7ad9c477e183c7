import { describe, expect, test } from "bun:test";
import { createTries } from "../../../src/features/accounts/tries.ts";
import { createMemoryAttempts } from "../../../src/http/attempts.ts";

function open() {
  const clock = { time: 1_000_000 };
  const tries = createTries((_, allowance) => createMemoryAttempts(allowance, () => clock.time));
  return { clock, tries };
}

const right = (): Promise<string | null> => Promise.resolve("it");
const wrong = (): Promise<string | null> => Promise.resolve(null);

/** How many of so many work before one is refused; -1 when none is. */
async function until429(count: number, attempt: () => Promise<unknown>): Promise<number> {
  for (let done = 0; done < count; done++) {
    const refused = await attempt().then(
      () => null,
      (error: unknown) => error,
    );
    if (refused === null) continue;
    expect(refused).toMatchObject({ code: "rate_limited" });
    return done;
  }
  return -1;
}

describe("the right password", () => {
  test("may be sent often, and not without end, from wherever", async () => {
    const { clock, tries } = open();
    let network = 0;
    const login = (name: string) => () => tries.login(name, `network ${network++}`, right);
    expect(await until429(1_000, login("ada"))).toBe(60);
    expect(await until429(5, login("bob"))).toBe(-1);
    clock.time += 5_000;
    expect(await until429(5, login("ada"))).toBe(1);
    expect(await until429(1_000, () => tries.password(7, right))).toBe(60);
    expect(await until429(1, () => tries.password(8, right))).toBe(-1);
  });

  test("is not used up by wrong ones, nor by what failed before it was compared", async () => {
    const { tries } = open();
    const busy = (): Promise<never> => Promise.reject(new Error("too many wait"));
    for (let at = 0; at < 90; at++) {
      expect(await tries.login("ada", `network ${at}`, wrong)).toBeNull();
      await tries.login("ada", "network", busy).catch(() => undefined);
    }
    expect(await until429(1_000, () => tries.login("ada", "network", right))).toBe(60);
  });

  test("does not make room for more wrong ones", async () => {
    const { tries } = open();
    for (let at = 0; at < 30; at++) await tries.login("ada", "network", right);
    expect(await until429(50, () => tries.login("ada", "network", wrong))).toBe(10);
    expect(await until429(1, () => tries.login("ada", "network", right))).toBe(0);
  });
});

describe("a name that strangers guess at from everywhere", () => {
  /** Wrong passwords for `ada` from so many sites, as often as each of them may send one. */
  const guess = async (tries: ReturnType<typeof open>["tries"], sites: number): Promise<number> => {
    let compared = 0;
    for (let site = 0; site < sites; site++) {
      for (let network = 0; network < 30; network++) {
        const from = `2001:db8:${site.toString(16)}:${network.toString(16)}`;
        const guessed = await tries.login("ada", from, wrong).then(
          () => 1,
          () => 0,
        );
        compared += guessed;
      }
    }
    return compared;
  };

  test("is not used up by one site, however many networks it has", async () => {
    const { tries } = open();
    expect(await guess(tries, 1)).toBe(20);
    expect(await until429(1, () => tries.login("ada", "203.0.113.1", right))).toBe(-1);
    expect(await until429(1, () => tries.login("bob", "2001:db8:0:9", right))).toBe(-1);
  });

  test("is let in from a network where it was before, for as long as that is remembered", async () => {
    const { clock, tries } = open();
    const home = "2001:db8:ffff:1";
    await tries.login("ada", home, right);
    expect(await guess(tries, 20)).toBe(100);
    expect(await until429(1, () => tries.login("ada", "203.0.113.1", right))).toBe(0);
    expect(await until429(5, () => tries.login("ada", home, right))).toBe(-1);
    // Another name has not been there, and guesses from there are counted as ever.
    await guess(tries, 20);
    expect(await until429(50, () => tries.login("ada", home, wrong))).toBe(10);
    clock.time += 29 * 86_400_000;
    await guess(tries, 20);
    expect(await until429(1, () => tries.login("ada", home, right))).toBe(-1);
    clock.time += 31 * 86_400_000;
    await guess(tries, 20);
    expect(await until429(1, () => tries.login("ada", home, right))).toBe(0);
  });

  test("is not taken for known because many ask at once", async () => {
    const { tries } = open();
    await guess(tries, 20);
    const asked = Array.from({ length: 40 }, () =>
      tries.login("ada", "203.0.113.2", right).catch(() => "refused"),
    );
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["refused"]));
  });
});

test("a name may be changed a few times, and then now and again", async () => {
  const { clock, tries } = open();
  expect(await until429(100, () => tries.rename(7))).toBe(10);
  expect(await until429(1, () => tries.rename(8))).toBe(-1);
  clock.time += 60_000;
  expect(await until429(100, () => tries.rename(7))).toBe(1);
});
