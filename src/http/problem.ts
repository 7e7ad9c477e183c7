import { t } from "elysia";

// Errors that are the caller's to know, as RFC 9457 problem details.

const PROBLEMS = {
  unauthorized: { status: 401, title: "Sign in first" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "Not found" },
  conflict: { status: 409, title: "Conflict" },
  too_large: { status: 413, title: "Too large" },
  invalid: { status: 422, title: "Invalid request" },
  rate_limited: { status: 429, title: "Too many requests" },
  llm_rate_limited: { status: 429, title: "Too much was asked of the language model" },
  internal: { status: 500, title: "Something went wrong here" },
  upstream_failed: { status: 502, title: "A service that was asked gave no answer" },
  draining: { status: 503, title: "The server is stopping" },
  queue_full: { status: 503, title: "Too much is waiting" },
  llm_unconfigured: { status: 503, title: "No language model is configured" },
  llm_unavailable: { status: 503, title: "The language model gave no answer" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

export interface FieldError {
  path: string;
  message: string;
}

export interface ProblemExtras {
  status?: number;
  errors?: FieldError[];
  retryAfterMs?: number;
  /** What else the answer says. */
  members?: Readonly<Record<string, unknown>>;
}

/** An error that is told to the caller. `detail` must hold no secret and nothing that was said. */
export class Problem extends Error {
  override name = "Problem";

  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail);
  }
}

export const problemSchema = t.Object(
  {
    type: t.String(),
    title: t.String(),
    status: t.Integer(),
    detail: t.String(),
    code: t.Union(Object.keys(PROBLEMS).map((code) => t.Literal(code))),
    errors: t.Optional(t.Array(t.Object({ path: t.String(), message: t.String() }))),
  },
  { description: "RFC 9457 problem details" },
);

/** What the documentation of a streamed answer says of its problems. */
export const problemAnswer = {
  description: "problem details",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

/** Statuses that refuse a body before its end, to a sender who is slow enough to read them. */
const UNREAD = [408];

/** The HTTP status that a problem is told with. */
export function statusOf({ code, extras }: Problem): number {
  return extras.status ?? PROBLEMS[code].status;
}

/** The members of problem details. */
export function problemMembers(problem: Problem) {
  const { code, message, extras } = problem;
  const errors = extras.errors === undefined ? {} : { errors: extras.errors };
  return {
    type: "about:blank",
    title: PROBLEMS[code].title,
    status: statusOf(problem),
    detail: message,
    code,
    ...errors,
    ...extras.members,
  };
}

/** The `application/problem+json` answer for a problem; `more` are members that other protocols expect. */
export function problemResponse(
  problem: Problem,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  const { code, extras } = problem;
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (extras.retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.ceil(extras.retryAfterMs / 1000));
  }
  // What was not read of the body must not be taken for the next request.
  if (UNREAD.includes(statusOf(problem))) headers["connection"] = "close";
  if (code === "unauthorized") headers["www-authenticate"] = "Bearer";
  const body = { ...problemMembers(problem), ...more };
  return new Response(JSON.stringify(body), { status: body.status, headers });
}
