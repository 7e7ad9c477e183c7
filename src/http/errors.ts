import { Elysia, type ValidationError } from "elysia";
import { WritesFull, isLocked } from "../platform/commit.ts";
import { isDiskFull } from "../platform/disk.ts";
import { type Log, errorFields } from "../platform/log.ts";
import { PoolClosed, PoolFull } from "../platform/pool.ts";
import { isRedisAway } from "../platform/redis.ts";
import { ServiceFailed } from "../speech/engine.ts";
import { isNoJson } from "./limits.ts";
import { Problem, problemResponse } from "./problem.ts";

const RETRY_MS = 1_000;
/** Room on a disk is made by people. */
const DISK_RETRY_MS = 10_000;
const INSUFFICIENT_STORAGE = 507;
const ERRORS_TOLD_MAX = 10;
/** The client has gone: nobody reads the answer, and what failed for its sake is no news. */
const GONE_STATUS = 499;

/**
 * What of an error the caller may know: its own mistakes and our limits. Null for everything else,
 * which is ours: it is logged and shown as `internal`.
 */
export function asProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof WritesFull || error instanceof PoolFull) {
    return new Problem("queue_full", "Too much is waiting; try again soon", {
      retryAfterMs: RETRY_MS,
    });
  }
  if (isLocked(error) || isRedisAway(error)) {
    return new Problem("queue_full", "A needed part is away; try again soon", {
      retryAfterMs: RETRY_MS,
    });
  }
  if (isDiskFull(error)) {
    return new Problem("internal", "The server's disk is full; nothing of this was kept", {
      status: INSUFFICIENT_STORAGE,
      retryAfterMs: DISK_RETRY_MS,
    });
  }
  if (error instanceof ServiceFailed) {
    const { message, retryAfterMs } = error;
    return new Problem("upstream_failed", message, retryAfterMs === null ? {} : { retryAfterMs });
  }
  if (error instanceof PoolClosed) {
    return new Problem("draining", "The server is stopping; try again soon", {
      retryAfterMs: RETRY_MS,
    });
  }
  return null;
}

/** Members that an answer has besides those of problem details: other protocols have their own. */
export type MoreMembers = (path: string, problem: Problem) => Record<string, unknown>;

/** Turns whatever a route throws into `application/problem+json`, and tells `onProblem` of it. */
export function errorAnswers(
  log: Log,
  more: MoreMembers = () => ({}),
  onProblem: (problem: Problem, request: Request) => void = () => undefined,
) {
  return new Elysia({ name: "errors" }).onError(
    { as: "global" },
    ({ code, error, request }): Response => {
      const known =
        asProblem(error) ??
        (code === "VALIDATION" ? validationProblem(error) : null) ??
        (code === "PARSE" ? asProblem(error.cause) : null) ??
        routingProblem(code);
      if (known === null && request.signal.aborted) {
        return new Response(null, { status: GONE_STATUS });
      }
      const problem = known ?? logged(error, request, log);
      onProblem(problem, request);
      return problemResponse(problem, more(new URL(request.url).pathname, problem));
    },
  );
}

/** What is told of an error that is ours. */
export function logged(error: unknown, request: Request, log: Log): Problem {
  log.error({ method: request.method, ...errorFields(error) }, "a request failed");
  return new Problem("internal", "The server could not do this; it was logged");
}

function routingProblem(code: string | number): Problem | null {
  switch (code) {
    case "NOT_FOUND":
      return new Problem("not_found", "There is nothing at this address");
    case "PARSE":
      return new Problem("invalid", "The body is not valid JSON", { status: 400 });
    default:
      return null;
  }
}

/** Names the fields that are wrong and never repeats their values. */
function validationProblem({
  type,
  value,
  all,
}: Readonly<Pick<ValidationError, "type" | "value" | "all">>): Problem {
  if (type === "response")
    return new Problem("internal", "The server's answer was not as described");
  if (type === "body" && isNoJson(value)) {
    return new Problem("invalid", "The body must be application/json");
  }
  const told = new Map<string, string>();
  for (const one of all) {
    if (told.size >= ERRORS_TOLD_MAX) break;
    const path = "path" in one ? one.path : "";
    // The first of a field says the most: what is missing is of the wrong type as well. The summary,
    // which reads better, ends in the value that was found.
    if (!told.has(path)) told.set(path, "message" in one ? one.message : "is not as described");
  }
  const errors = [...told].map(([path, message]) => ({ path, message }));
  return new Problem("invalid", `The ${type} is not as described in /docs`, { errors });
}
