import { expect, test } from "bun:test";
import { createAdmission } from "../../../src/features/assistant/admission.ts";
import { Problem } from "../../../src/http/problem.ts";
import { UNLIMITED } from "../../../src/realtime/rate.ts";

const user = (userId: number) => ({ userId, role: "user" as const, name: "Somebody" });

test("answers under way are limited for each and for all, quota or none", () => {
  const admission = createAdmission(UNLIMITED);
  const refusalOf = (userId: number): Problem => {
    try {
      admission.enter(user(userId));
    } catch (error) {
      if (error instanceof Problem) return error;
    }
    throw new Error("it was not refused");
  };
  const leave = Array.from({ length: 32 }, (_, at) => admission.enter(user(at >> 2)));
  expect(refusalOf(0)).toMatchObject({ code: "llm_rate_limited" });
  expect(refusalOf(99)).toMatchObject({ code: "queue_full" });
  expect(refusalOf(99).extras.retryAfterMs).toBeGreaterThan(0);

  leave[0]?.();
  // Whoever left once has left.
  leave[0]?.();
  admission.enter(user(99));
  expect(refusalOf(98)).toMatchObject({ code: "queue_full" });
  for (const one of leave) one();
  for (let times = 0; times < 4; times++) admission.enter(user(0));
  expect(refusalOf(0)).toMatchObject({ code: "llm_rate_limited" });
});
