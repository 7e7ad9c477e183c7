import { Elysia } from "elysia";
import type { guard } from "../../http/guard.ts";
import { limitedBody } from "../../http/limits.ts";
import { patiently } from "../../http/patience.ts";
import { Problem, problemSchema } from "../../http/problem.ts";
import { acceptedSchema, bulkSchema, postBody } from "./model.ts";
import { type PostService, bulkMembers } from "./posts.ts";

export interface PostRoutesDependencies {
  guard: ReturnType<typeof guard>;
  posts: PostService;
}

/** Where the bodies that hold many posts arrive, and how large one may be. */
export const BULK_PATH = "/v1/posts/bulk";
export const BULK_BODY_BYTES_MAX = 4 * 1024 * 1024 * 1024;

const tags = ["topics"];
const refused = {
  401: problemSchema,
  403: problemSchema,
  413: problemSchema,
  422: problemSchema,
  429: problemSchema,
  503: problemSchema,
};

export function postRoutes({ guard, posts }: PostRoutesDependencies) {
  const route = {
    keyed: true,
    body: postBody,
    response: { 200: acceptedSchema, 201: acceptedSchema, ...refused },
  } as const;
  return new Elysia({ name: "posts" })
    .use(guard)
    .post(
      "/v1/posts",
      async ({ body, status }) => {
        const { id, isNew } = await posts.add(body);
        return isNew ? status(201, { id }) : status(200, { id });
      },
      {
        ...route,
        detail: {
          summary: "Take in a post; 201 once it is durable, 200 when it was there already",
          tags,
        },
      },
    )
    .post(
      "/post/enqueue",
      async ({ body, status }) => {
        const { id, isNew } = await posts.add(body);
        return isNew ? status(201, { id }) : status(200, { id });
      },
      { ...route, detail: { summary: "The same at the path of older uploaders", tags } },
    )
    .post(
      BULK_PATH,
      async ({ request, server, status }) => {
        checkEncoding(request);
        const outcome = await patiently({ request, server }, () =>
          posts.addAll(limitedBody(request, BULK_BODY_BYTES_MAX)),
        );
        return status(201, bulkMembers(outcome));
      },
      {
        keyed: true,
        response: { 201: bulkSchema, ...refused },
        detail: {
          summary: "Take in many posts: NDJSON or a JSON array, streamed",
          description:
            "Answered when all accepted posts are durable. An error in the middle tells what was " +
            "accepted before it; sending everything again adds nothing twice when posts have an external_id.",
          tags,
          requestBody: {
            required: true,
            content: {
              "application/x-ndjson": { schema: { type: "string" } },
              "application/json": {
                schema: { type: "array", items: { $ref: "#/components/schemas/Post" } },
              },
            },
          },
        },
      },
    );
}

/** Compressed bytes would be taken for so many bad lines. */
function checkEncoding({ headers }: Request): void {
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding === "identity") return;
  throw new Problem("invalid", "The body must be sent as it is, without a Content-Encoding");
}
