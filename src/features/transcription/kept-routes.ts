import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { patiently } from "../../http/patience.ts";
import { problemSchema } from "../../http/problem.ts";
import {
  LANGUAGES,
  type Transcription,
  saveBody,
  saveKeptBody,
  transcriptionSchema,
} from "./model.ts";
import { type KeptSegment, segmentsPageSchema } from "./kept-model.ts";
import type { TranscriptionService } from "./service.ts";
import type { SegmentRow } from "./store.ts";

export interface KeptRoutesDependencies {
  guard: ReturnType<typeof guard>;
  service: TranscriptionService;
}

const PAGE_MAX = 1_000;
/** Rows read at once while all of them are streamed. */
const STREAM_PAGE = 200;
/** Behind these comes everything. */
const START = { oldest: 0, newest: Number.MAX_SAFE_INTEGER } as const;

/** The routes that save transcriptions and read them. */
export function keptRoutes({ guard, service }: KeptRoutesDependencies) {
  const tags = ["transcription"];
  const created = {
    201: transcriptionSchema,
    401: problemSchema,
    403: problemSchema,
    422: problemSchema,
  };

  return new Elysia({ name: "kept transcriptions" })
    .use(guard)
    .get("/v1/languages", () => ({ languages: [...LANGUAGES] }), {
      response: t.Object({ languages: t.Array(t.String()) }),
      detail: { summary: "Languages", tags },
    })
    .get(
      "/v1/transcriptions",
      async ({ caller, query: { order = "oldest", after = START[order], limit }, request }) => {
        if (limit === undefined)
          return everyRow((last, rows) => service.list(caller, last, rows, order), after);
        const rows = await service.list(caller, after, limit + 1, order);
        const page = rows.slice(0, limit);
        const last = page.at(-1);
        const headers: Record<string, string> = {};
        if (rows.length > limit && last !== undefined) {
          const ordered = order === "oldest" ? "" : `&order=${order}`;
          const next = `${new URL(request.url).pathname}?limit=${limit}&after=${last.id}${ordered}`;
          headers["link"] = `<${next}>; rel="next"`;
        }
        return Response.json(page, { headers });
      },
      {
        signedIn: true,
        query: t.Object(
          {
            ...identity,
            after: t.Optional(
              t.Integer({ minimum: 0, description: "an id; rows behind it in that order" }),
            ),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: PAGE_MAX })),
            order: t.Optional(
              t.Union([t.Literal("oldest"), t.Literal("newest")], {
                description: "which comes first; the oldest unless told",
              }),
            ),
          },
          { additionalProperties: false },
        ),
        detail: {
          summary: "All transcriptions the caller may see, oldest first unless told",
          tags,
          responses: {
            200: {
              description: "streamed; with `limit`, a page and its `Link` to the next",
              content: {
                "application/json": {
                  schema: { type: "array", items: { $ref: "#/components/schemas/Transcription" } },
                },
              },
            },
          },
        },
      },
    )
    .get(
      "/v1/transcriptions/:id",
      async ({ caller, params, set }) => {
        const row = await service.get(caller, params.id);
        set.headers["etag"] = `"${row.updated_at}"`;
        return row;
      },
      {
        signedIn: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        response: { 200: transcriptionSchema, 404: problemSchema },
        detail: { summary: "One transcription; its `ETag` goes with edits as `If-Match`", tags },
      },
    )
    .get(
      "/v1/transcriptions/:id/segments",
      async ({ caller, params, query: { after = 0 } }) => {
        const row = await service.get(caller, params.id);
        const rows = await service.segmentsAfter(row, after);
        return { segments: rows.map(keptSegment), next: rows.at(-1)?.id ?? null };
      },
      {
        signedIn: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        query: t.Object(
          {
            ...identity,
            after: t.Optional(t.Integer({ minimum: 0, description: "`next` of the page before" })),
          },
          { additionalProperties: false },
        ),
        response: { 200: segmentsPageSchema, 401: problemSchema, 404: problemSchema },
        detail: { summary: "A transcription's segments in order, while it is spoken too", tags },
      },
    )
    .post(
      "/v1/transcriptions/save",
      async ({ caller, body: { user_id: userId, language, transcription }, status }) =>
        status(201, await service.save(caller, { userId, language, transcription })),
      {
        signedIn: true,
        body: saveBody,
        response: created,
        detail: { summary: "Save a text as a transcription", tags },
      },
    )
    .post(
      "/v1/transcription/save",
      async ({ caller, body, status, request, server }) => {
        const saved = await patiently({ request, server }, () =>
          service.saveKept(caller, body.user_id, body.language ?? null),
        );
        return status(201, saved);
      },
      {
        signedIn: true,
        body: saveKeptBody,
        response: { ...created, 404: problemSchema },
        detail: { summary: "Save everything kept for a user as one transcription", tags },
      },
    );
}

function keptSegment(row: SegmentRow): KeptSegment {
  const { segment_id, text, processed_text, start_ms, end_ms } = row;
  const { language, confidence, words } = row;
  // An edit moves what was found, and does not look for it anew.
  const entities = (row.entities ?? []).filter(
    (entity) => processed_text?.slice(entity.start, entity.end) === entity.text,
  );
  const told = { segment_id, text, processed_text, start_ms, end_ms };
  return { ...told, language, confidence, words, entities };
}

/** A JSON array of all rows, written as the client takes it, so that no row waits in memory. */
function everyRow(
  list: (after: number, limit: number) => Promise<Transcription[]>,
  after: number,
): Response {
  let last = after;
  let isFirst = true;
  const rows = new ReadableStream<string>({
    pull: async (controller) => {
      const page = await list(last, STREAM_PAGE);
      last = page.at(-1)?.id ?? last;
      const text = page.map((row) => JSON.stringify(row)).join(",\n");
      if (page.length > 0) controller.enqueue((isFirst ? "[" : ",\n") + text);
      if (page.length > 0) isFirst = false;
      if (page.length === STREAM_PAGE) return;
      controller.enqueue(isFirst ? "[]" : "]");
      controller.close();
    },
  });
  return new Response(rows.pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "application/json" },
  });
}
