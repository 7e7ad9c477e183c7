import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { Problem, problemAnswer, problemResponse } from "../../http/problem.ts";
import type { Answer, Source } from "./model.ts";
import type { LookupService } from "./service.ts";

export interface LookupRoutesDependencies {
  guard: ReturnType<typeof guard>;
  lookup: LookupService;
  /** What the documentation names. */
  sources: ReadonlyMap<string, Source>;
}

const NAME_CHARACTERS_MAX = 60;

export function lookupRoutes({ guard, lookup, sources }: LookupRoutesDependencies) {
  return new Elysia({ name: "lookup" }).use(guard).get(
    "/v1/public/:source",
    async ({ caller, params, request }) => {
      const asked = new URL(request.url).searchParams;
      const answer = await lookup.look(params.source, asked, caller);
      return responseOf(answer, sources.get(params.source)?.ttlMs ?? 0);
    },
    {
      signedIn: true,
      params: t.Object({
        source: t.String({ maxLength: NAME_CHARACTERS_MAX, description: listed(sources) }),
      }),
      detail: {
        summary: "A public API, asked through the cache",
        description:
          "The query holds the source's parameters, and `path` where it has several paths. " +
          "`X-Cache` says `HIT`, `MISS` or `STALE` (kept too long, but the source gave no better " +
          "answer, or the caller has asked for too much that no cache holds), `Age` how many seconds " +
          "ago the source said it.",
        tags: ["lookup"],
        responses: {
          200: {
            description: "what the source answered",
            headers: {
              "x-cache": { schema: { type: "string", enum: ["HIT", "MISS", "STALE"] } },
              age: { schema: { type: "integer" } },
            },
            content: { "application/json": { schema: {} } },
          },
          401: problemAnswer,
          404: problemAnswer,
          422: problemAnswer,
          429: problemAnswer,
          502: problemAnswer,
          503: problemAnswer,
        },
      },
    },
  );
}

/** Nothing of the source's own headers is passed on but the type, and nothing in it may ever run. */
function responseOf({ cache, ageMs, kept }: Answer, ttlMs: number): Response {
  const response =
    kept.kind === "found"
      ? new Response(kept.body, { headers: { "content-type": kept.type } })
      : problemResponse(new Problem("not_found", "The source has nothing of that kind"));
  const isFresh = cache !== "STALE" && kept.kind === "found";
  const headers = {
    "x-cache": cache,
    age: String(Math.floor(ageMs / 1000)),
    "cache-control": isFresh ? `private, max-age=${Math.floor(ttlMs / 1000)}` : "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
  };
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

function listed(sources: ReadonlyMap<string, Source>): string {
  const lines = [...sources.values()].map(({ name, paths }) => {
    const asked = [...paths].map(
      ([path, { parameters }]) => `${path}: ${[...parameters.keys()].join(", ")}`,
    );
    return `${name} (${asked.join("; ")})`;
  });
  return lines.length === 0 ? "none is configured" : lines.join(" · ");
}
