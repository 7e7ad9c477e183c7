import { expect, test } from "bun:test";
import { createMemoryAttempts } from "../../src/http/attempts.ts";
import type { Caller } from "../../src/http/caller.ts";
import { createQuota, shareQuota } from "../../src/http/quota.ts";

const user = (userId: number, role: Caller["role"] = "user"): Caller => ({
  userId,
  role,
  name: "Somebody",
});

const allowances = { user: { burst: 1, everyMs: 1_000 }, guests: { burst: 3, everyMs: 100 } };

test("each user has a quota, all guests one together, and each is counted by its own name", async () => {
  const names: string[] = [];
  const quota = createQuota(
    (name, allowance) => {
      names.push(name);
      return createMemoryAttempts(allowance, () => 0);
    },
    "questions",
    allowances,
  );
  expect(names).toEqual(["questions", "questions of guests"]);
  expect(await quota.take(user(1))).toBe(0);
  expect(await quota.take(user(1))).toBe(1_000);
  expect(await quota.take(user(2, "admin"))).toBe(0);
  // A guest may say that it is anybody.
  expect(await quota.take(user(1, "guest"))).toBe(0);
  expect(await quota.take(user(2, "guest"))).toBe(0);
  expect(await quota.take(user(3, "guest"))).toBe(0);
  expect(await quota.take(user(4, "guest"))).toBe(100);
  await quota.giveBack(user(5, "guest"));
  expect(await quota.take(user(6, "guest"))).toBe(0);
  await quota.giveBack(user(1));
  expect(await quota.take(user(1))).toBe(0);
});

test("two share a quota when they are one user or both guests", () => {
  expect(shareQuota(user(1), user(1))).toBe(true);
  expect(shareQuota(user(1), user(2))).toBe(false);
  expect(shareQuota(user(1, "guest"), user(2, "guest"))).toBe(true);
  expect(shareQuota(user(1, "guest"), user(2))).toBe(false);
});
