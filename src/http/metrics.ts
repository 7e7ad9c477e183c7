import { Elysia } from "elysia";
import {
  type Histogram,
  METRICS_TYPE,
  type Measure,
  byLabel,
  counter,
  createHistogram,
  histogram,
  metricsText,
  readMetrics,
} from "../platform/metrics.ts";
import type { guard } from "./guard.ts";
import { PROBLEM_CODES, type Problem, problemAnswer, statusOf } from "./problem.ts";

/** Counts what is asked and answered here. */
export interface HttpCounts {
  /** A problem was told. */
  problem(problem: Problem, request: Request): void;
  measure: Measure;
  /** Counts requests, and looks how long some of them take. */
  plugin: ReturnType<typeof countRequests>;
}

export interface MetricsDependencies {
  guard: ReturnType<typeof guard>;
  measures: readonly Measure[];
}

interface Group {
  requests: number;
  refused: number;
  failed: number;
  seconds: Histogram;
}

/** Where the path of an address begins at the earliest: behind `http://` and a host. */
const PATH_AT = 8;
/**
 * At most so often a request's time is taken: waiting for every answer costs 5 % of the throughput of
 * small ones. Where there are few requests it is taken of all.
 */
const TIMED_EVERY_MS = 10;
const TIMES_S = [0.005, 0.025, 0.1, 0.5, 2.5, 10];
const OTHER = "other";
/** What addresses are about, by how they begin; a group for each name would be thousands. */
const GROUPS = new Map([
  ["v1/auth", "accounts"],
  ["v1/keys", "accounts"],
  ["v1/rooms", "chat"],
  ["v1/ws", "sockets"],
  ["v1/transcriptions", "transcription"],
  ["v1/transcription", "transcription"],
  ["v1/languages", "transcription"],
  ["v1/audio", "audio"],
  ["v1/models", "audio"],
  ["v1/posts", "posts"],
  ["post", "posts"],
  ["v1/queue", "queue"],
  ["v1/topics", "topics"],
  ["v1/publications", "topics"],
  ["v1/inference", "assistant"],
  ["v1/public", "lookup"],
  ["healthz", "operations"],
  ["readyz", "operations"],
  ["metrics", "operations"],
]);

export function createHttpCounts(): HttpCounts {
  const groups = new Map([...GROUPS.values(), OTHER].map((name) => [name, newGroup()]));
  const problems = new Map(PROBLEM_CODES.map((code) => [code, 0]));
  const find = (url: string): Group => groups.get(groupOf(url)) ?? newGroup();
  return {
    plugin: countRequests(find),
    problem: (problem, { url }) => {
      find(url)[statusOf(problem) < 500 ? "refused" : "failed"]++;
      problems.set(problem.code, (problems.get(problem.code) ?? 0) + 1);
    },
    measure: () => [
      counter(
        "earshot_http_requests_total",
        "Requests by what they were about.",
        Array.from(groups, ([group, { requests }]) => [{ group }, requests] as const),
      ),
      counter(
        "earshot_http_errors_total",
        "Requests that were answered with a problem, by the class of its status.",
        Array.from(groups).flatMap(([group, { refused, failed }]) => [
          [{ group, status: "4xx" }, refused] as const,
          [{ group, status: "5xx" }, failed] as const,
        ]),
      ),
      counter(
        "earshot_http_problems_total",
        "The same by the code of the problem; `internal` are ours.",
        byLabel("code", problems),
      ),
      histogram(
        "earshot_http_request_seconds",
        "Time up to the first byte of an answer, of a hundred requests a second at most.",
        Array.from(groups, ([group, { seconds }]) => [{ group }, seconds] as const),
      ),
    ],
  };
}

/** Around the whole handler: hooks behind an answer cost half of the throughput. */
function countRequests(find: (url: string) => Group) {
  let timedAt = Number.NEGATIVE_INFINITY;
  return new Elysia({ name: "counts" }).wrap(
    (handle: (request: Request) => unknown) => (request: Request) => {
      const group = find(request.url);
      group.requests++;
      const begunAt = performance.now();
      const answer = handle(request);
      if (begunAt - timedAt < TIMED_EVERY_MS || !(answer instanceof Promise)) return answer;
      timedAt = begunAt;
      return answer.then((response: unknown) => {
        group.seconds.observe((performance.now() - begunAt) / 1000);
        return response;
      });
    },
  );
}

function newGroup(): Group {
  return { requests: 0, refused: 0, failed: 0, seconds: createHistogram(TIMES_S) };
}

/** `GET /metrics`: everything that is counted here, for Prometheus. */
export function metrics({ guard, measures }: MetricsDependencies) {
  return new Elysia({ name: "metrics" }).use(guard).get(
    "/metrics",
    async () =>
      new Response(metricsText(await readMetrics(measures)), {
        headers: { "content-type": METRICS_TYPE },
      }),
    {
      watcher: true,
      detail: {
        summary: "Numbers for Prometheus",
        tags: ["operations"],
        responses: {
          200: {
            description: "metrics",
            content: { "text/plain": { schema: { type: "string" } } },
          },
          401: problemAnswer,
          403: problemAnswer,
        },
      },
    },
  );
}

/** The first word of an address's path, the second too where the first is `v1`; see `GROUPS`. */
function groupOf(url: string): string {
  const path = url.indexOf("/", PATH_AT) + 1;
  const from = url.startsWith("v1/", path) ? path + 3 : path;
  const query = url.indexOf("?", from);
  const pathEnd = query < 0 ? url.length : query;
  const slash = url.indexOf("/", from);
  const end = slash < 0 ? pathEnd : Math.min(slash, pathEnd);
  return GROUPS.get(url.slice(path, end)) ?? OTHER;
}
