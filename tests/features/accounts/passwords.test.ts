import { describe, expect, spyOn, test } from "bun:test";
import { checkPassword, createPasswords } from "../../../src/features/accounts/passwords.ts";
import { CHEAP } from "../../support/accounts.ts";

const code = (error: unknown): unknown => (error as { code?: unknown }).code;

describe("a password", () => {
  test("is kept as argon2id with a salt, at a cost that guessing cannot afford", async () => {
    const passwords = createPasswords();
    const hash = await passwords.hash("correct horse");
    const [, kind, version, cost = ""] = hash.split("$");
    expect([kind, version]).toEqual(["argon2id", "v=19"]);
    const [memoryKib = 0, passes = 0] = [...cost.matchAll(/\d+/g)].map(Number);
    expect(memoryKib).toBeGreaterThanOrEqual(19_456);
    expect(passes).toBeGreaterThanOrEqual(2);
    expect(await passwords.verify("correct horse", hash)).toBe(true);
    expect(await passwords.verify("correct horse ", hash)).toBe(false);
    expect(await passwords.hash("correct horse")).not.toBe(hash);
  });

  test("is the same however a keyboard composes it", async () => {
    const passwords = createPasswords(CHEAP);
    const hash = await passwords.hash("p\u00e4ssword");
    expect(await passwords.verify("pa\u0308ssword", hash)).toBe(true);
  });

  test("has 8 to 200 whole characters", () => {
    const refusal = (password: string): unknown => {
      try {
        checkPassword(password);
        return null;
      } catch (error) {
        return code(error);
      }
    };
    expect(refusal("1234567")).toBe("invalid");
    expect(refusal("12345678")).toBeNull();
    expect(refusal("😀".repeat(7))).toBe("invalid");
    expect(refusal("😀".repeat(200))).toBeNull();
    expect(refusal("x".repeat(201))).toBe("invalid");
    expect(refusal("half a \ud800 one")).toBe("invalid");
  });

  test("of nobody is compared all the same, at the same cost", async () => {
    const verify = spyOn(Bun.password, "verify");
    try {
      const passwords = createPasswords(CHEAP);
      const hash = await passwords.hash("correct horse");
      expect(await passwords.verify("wrong horse", hash)).toBe(false);
      expect(await passwords.verify("wrong horse", null)).toBe(false);
      expect(await passwords.verify("", null)).toBe(false);
      const costs = verify.mock.calls.map(([, hash]) => (hash as string).split("$")[3]);
      expect(costs).toEqual(["m=8,t=1,p=1", "m=8,t=1,p=1", "m=8,t=1,p=1"]);
    } finally {
      verify.mockRestore();
    }
  });

  test("is hashed a few at a time; some wait, the rest are refused and may come again", async () => {
    let running = 0;
    let most = 0;
    const verify = spyOn(Bun.password, "verify").mockImplementation(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return true;
    });
    try {
      const passwords = createPasswords(CHEAP);
      const all = await Promise.allSettled(
        Array.from({ length: 1_000 }, () => passwords.verify("correct horse", "a hash")),
      );
      const refused = all.filter(({ status }) => status === "rejected");
      expect(most).toBe(2);
      expect(all.length - refused.length).toBe(52);
      for (const one of refused) {
        expect(code((one as PromiseRejectedResult).reason)).toBe("queue_full");
      }
      expect(await passwords.verify("correct horse", "a hash")).toBe(true);
    } finally {
      verify.mockRestore();
    }
  });
});
