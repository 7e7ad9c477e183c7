import { Elysia, t } from "elysia";
import type { Caller, KeyCaller } from "../../http/caller.ts";
import type { guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { problemAnswer, problemSchema } from "../../http/problem.ts";
import { DEAD_PAGE_MAX, type QueueState, deadSchema, queueSchema } from "./model.ts";
import type { QueueService } from "./queue.ts";

export interface QueueRoutesDependencies {
  guard: ReturnType<typeof guard>;
  queue: QueueService;
  /** A stream of events for one caller. */
  openEvents(caller: Caller | KeyCaller): Promise<Response>;
}

const tags = ["topics"];
const refused = { 401: problemSchema, 403: problemSchema };

export function queueRoutes({ guard, queue, openEvents }: QueueRoutesDependencies) {
  return new Elysia({ name: "queue" })
    .use(guard)
    .get("/v1/queue", async () => queueJson(await queue.state()), {
      keyed: true,
      response: { 200: queueSchema, ...refused },
      detail: { summary: "How the queue of posts stands", tags },
    })
    .get("/v1/queue/events", ({ caller }) => openEvents(caller), {
      keyed: true,
      detail: {
        summary: "The same as server-sent events, `queue`, whenever it moves",
        tags,
        responses: {
          200: {
            description: "events",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
          401: problemAnswer,
          403: problemAnswer,
        },
      },
    })
    .get(
      "/v1/queue/dead",
      async ({ query: { after = 0, limit = 100 } }) => {
        const found = await queue.dead(after, limit + 1);
        const page = found.slice(0, limit);
        return {
          dead: page.map(({ id, publication, externalId, reason, failures, diedAt }) => ({
            id,
            publication,
            external_id: externalId,
            reason,
            failures,
            died_at: diedAt,
          })),
          next: found.length > limit ? (page.at(-1)?.id ?? null) : null,
        };
      },
      {
        keyed: true,
        query: t.Object(
          {
            after: t.Optional(t.Integer({ minimum: 0 })),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: DEAD_PAGE_MAX })),
            ...identity,
          },
          { additionalProperties: false },
        ),
        response: {
          200: t.Object({ dead: t.Array(deadSchema), next: t.Nullable(t.Integer()) }),
          422: problemSchema,
          ...refused,
        },
        detail: { summary: "Posts that could not be worked, and why", tags },
      },
    )
    .post(
      "/v1/queue/dead/:id/retry",
      async ({ params: { id } }) => {
        await queue.retry(id);
        return { id };
      },
      {
        keyed: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        response: {
          200: t.Object({ id: t.Integer() }),
          404: problemSchema,
          422: problemSchema,
          ...refused,
        },
        detail: { summary: "Work a dead post once more", tags },
      },
    );
}

export function queueJson({ oldestAgeMs, ratePerS, ...counts }: QueueState) {
  return { ...counts, oldest_age_ms: oldestAgeMs, rate_per_s: ratePerS };
}
