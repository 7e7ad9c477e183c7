import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import type { RateLimit } from "../../realtime/rate.ts";

/** Who may ask the language model now. */
export interface Admission {
  /**
   * Takes one question from the caller's quota and a place for its answer; returns what gives the
   * place back. Throws `llm_rate_limited` or `queue_full`.
   */
  enter(caller: Caller): () => void;
}

/** Answers that are under way in this process; more are refused. */
const ANSWERS_MAX = 32;
/** And of one user's; a service that answers slowly must not be everybody's for one. */
const ANSWERS_PER_USER_MAX = 4;
const RETRY_MS = 2_000;

export function createAdmission(quota: RateLimit): Admission {
  const underWay = new Map<number, number>();
  let total = 0;
  return {
    enter: ({ userId }) => {
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
      const retryAfterMs = quota.take(userId);
      if (retryAfterMs > 0) {
        throw new Problem("llm_rate_limited", "You have asked more than your quota allows", {
          retryAfterMs,
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
    },
  };
}
