import { Problem } from "../../http/problem.ts";
import { isApiError, isConnectionError, retryAfterMs } from "../../platform/openai.ts";
import { AnswerUnusable } from "./answers.ts";

/** Why the service gave no answer, and whether asking again may help. */
export interface Failure {
  problem: Problem;
  isPassing: boolean;
}

/** Whoever is over a limit and was not told for how long. */
const RATE_LIMITED_MS = 10_000;

/**
 * What a caller may know of a failure: nothing of keys, addresses and the service's own words.
 * `isModelNamed` says whether the caller named the model; one that is not there is its mistake then.
 */
export function failureOf(error: unknown, isModelNamed: boolean): Failure {
  if (error instanceof Problem) return { problem: error, isPassing: false };
  if (isConnectionError(error) && !(error.cause instanceof AnswerUnusable)) {
    return { problem: unavailable("cannot be reached"), isPassing: true };
  }
  if (!isApiError(error) || error.status === undefined) {
    // Connections break with a code of the system, as in ECONNRESET.
    const isBroken = !isApiError(error) && error instanceof Error && "code" in error;
    return isBroken
      ? { problem: brokenOff(), isPassing: true }
      : { problem: unavailable("gave no usable answer"), isPassing: false };
  }
  const { status } = error;
  const waitMs = retryAfterMs(error.headers);
  switch (status) {
    case 401:
      return { problem: unavailable("refused the key (401)"), isPassing: false };
    case 403:
      return { problem: unavailable("does not allow this (403)"), isPassing: false };
    case 404: {
      const blamed = isModelNamed ? refused : unavailable;
      return { problem: blamed("has no such model or address (404)"), isPassing: false };
    }
    case 429:
      return { problem: overLimit(waitMs), isPassing: true };
    default:
  }
  if (status === 408 || status >= 500) {
    return { problem: unavailable(`failed (${status})`, waitMs), isPassing: true };
  }
  if (status < 400) {
    return { problem: unavailable(`is not at this address (${status})`), isPassing: false };
  }
  return { problem: refused(`refused the request (${status})`), isPassing: false };
}

/** The answer was not there in time. */
export function late(ms: number): Problem {
  return unavailable(`did not answer in ${Math.max(0.1, Math.round(ms / 100) / 10)} s`);
}

/** The connection ended before the answer did. */
export function brokenOff(): Problem {
  return unavailable("broke off in the middle of its answer");
}

function unavailable(what: string, retryAfterMs: number | null = null): Problem {
  const extras = retryAfterMs === null ? {} : { retryAfterMs };
  return new Problem("llm_unavailable", `The language model's service ${what}`, extras);
}

/** What is wrong with is the request: its model, its length. */
function refused(what: string): Problem {
  return new Problem("invalid", `The language model's service ${what}`);
}

function overLimit(waitMs: number | null): Problem {
  return new Problem("llm_rate_limited", "The language model's service is over its limit (429)", {
    retryAfterMs: waitMs ?? RATE_LIMITED_MS,
  });
}
