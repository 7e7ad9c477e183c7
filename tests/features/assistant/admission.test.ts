import { expect, test } from "bun:test";
import { type Admission, createAdmission } from "../../../src/features/assistant/admission.ts";
import { Problem } from "../../../src/http/problem.ts";

const user = (userId: number) => ({ userId, role: "user" as const, name: "Somebody" });

async function refusalOf(admission: Admission, userId: number): Promise<Problem> {
  const error: unknown = await admission.enter(user(userId)).catch((reason: unknown) => reason);
  if (error instanceof Problem) return error;
  throw new Error("it was not refused");
}

test("answers under way are limited for each and for all, quota or none", async () => {
  const admission = createAdmission({ take: async () => 0 });
  const leave = await Promise.all(
    Array.from({ length: 32 }, (_, at) => admission.enter(user(at >> 2))),
  );
  expect(await refusalOf(admission, 0)).toMatchObject({ code: "llm_rate_limited" });
  expect(await refusalOf(admission, 99)).toMatchObject({ code: "queue_full" });
  expect((await refusalOf(admission, 99)).extras.retryAfterMs).toBeGreaterThan(0);

  leave[0]?.();
  // Whoever left once has left.
  leave[0]?.();
  await admission.enter(user(99));
  expect(await refusalOf(admission, 98)).toMatchObject({ code: "queue_full" });
  for (const one of leave) one();
  for (let times = 0; times < 4; times++) await admission.enter(user(0));
  expect(await refusalOf(admission, 0)).toMatchObject({ code: "llm_rate_limited" });
});

test("whoever is refused by the quota, or when it cannot be asked, takes no place", async () => {
  let answer: () => Promise<number> = async () => 7_000;
  const admission = createAdmission({ take: () => answer() });
  for (let times = 0; times < 40; times++) {
    expect((await refusalOf(admission, 1)).extras).toEqual({ retryAfterMs: 7_000 });
  }
  answer = () => Promise.reject(new Error("broken"));
  for (let times = 0; times < 40; times++) {
    const error: unknown = await admission.enter(user(1)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: "broken" });
  }
  answer = async () => 0;
  expect(await admission.enter(user(1))).toBeFunction();
});

test("a place is taken before the quota has answered", async () => {
  const asked = Promise.withResolvers<number>();
  const admission = createAdmission({ take: () => asked.promise });
  const entered = Array.from({ length: 4 }, () => admission.enter(user(1)));
  expect(await refusalOf(admission, 1)).toMatchObject({ code: "llm_rate_limited" });
  asked.resolve(0);
  expect(await Promise.all(entered)).toHaveLength(4);
});
