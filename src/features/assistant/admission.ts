import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import type { Quota } from "../../http/quota.ts";

/** Who may ask the language model now. */
export interface Admission {
  /**
   * Takes one question from the caller's quota and a place for its answer; resolves to what gives the
   * place back. Rejects with `llm_rate_limited` or `queue_full`.
   */
  enter(caller: Caller): Promise<() => void>;
}

/** Answers that are under way in this process; more are refused. */
const ANSWERS_MAX = 32;
/** And of one user's; a service that answers slowly must not be everybody's for one. */
const ANSWERS_PER_USER_MAX = 4;
const RETRY_MS = 2_000;

export function createAdmission(questions: Pick<Quota, "take">): Admission {
  const underWay = new Map<number, number>();
  let total = 0;

  /** Takes a place at once, so that nobody else is given it while the quota is asked. */
  const takePlace = (userId: number): (() => void) => {
    const own = underWay.get(userId) ?? 0;
    if (own >= ANSWERS_PER_USER_MAX) {
      throw new Problem("llm_rate_limited", "Wait for the answers that you asked for before", {
        retryAfterMs: RETRY_MS,
      });
    }
    if (total >= ANSWERS_MAX) {
      throw new Problem("queue_full", "Too many wait for the language model; try again soon", {
        retryAfterMs: RETRY_MS,
      });
    }
    underWay.set(userId, own + 1);
    total++;
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      total--;
      const left = (underWay.get(userId) ?? 1) - 1;
      if (left === 0) underWay.delete(userId);
      else underWay.set(userId, left);
    };
  };

  return {
    enter: async (caller) => {
      const leave = takePlace(caller.userId);
      try {
        const retryAfterMs = await questions.take(caller);
        if (retryAfterMs === 0) return leave;
        throw new Problem("llm_rate_limited", "You have asked more than your quota allows", {
          retryAfterMs,
        });
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}
