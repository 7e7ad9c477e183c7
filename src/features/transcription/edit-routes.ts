import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { Problem, problemAnswer, problemSchema } from "../../http/problem.ts";
import type { TranscriptionEdits } from "./edits.ts";
import { exportAnswer } from "./export.ts";
import {
  FORMATS,
  FOUND_MAX,
  QUERY_CHARACTERS_MAX,
  REVISIONS_PAGE_MAX,
  editBody,
  foundPageSchema,
  revisionsSchema,
} from "./kept-model.ts";
import { LANGUAGES, transcriptionSchema } from "./model.ts";
import type { TranscriptionSearch } from "./search.ts";
import type { TranscriptionService } from "./service.ts";

export interface EditRoutesDependencies {
  guard: ReturnType<typeof guard>;
  service: TranscriptionService;
  edits: TranscriptionEdits;
  search: TranscriptionSearch;
}

const FOUND_DEFAULT = 20;
const REVISIONS_DEFAULT = 50;

/** The routes that find transcriptions, change them and take them elsewhere. */
export function editRoutes({ guard, service, edits, search }: EditRoutesDependencies) {
  const tags = ["transcription"];
  const params = t.Object({ id: t.Integer({ minimum: 1 }) });
  const query = t.Object(identity, { additionalProperties: false });
  const refused = {
    401: problemSchema,
    // A stated `user_id` that is somebody else's.
    403: problemSchema,
    404: problemSchema,
    422: problemSchema,
  };

  return new Elysia({ name: "edited transcriptions" })
    .use(guard)
    .get(
      "/v1/transcriptions/search",
      async ({ caller, query: { q, language = null, limit = FOUND_DEFAULT, after = null } }) =>
        search.search(caller, { text: q, language, limit, after }),
      {
        signedIn: true,
        query: t.Object(
          {
            ...identity,
            q: t.String({
              minLength: 1,
              maxLength: QUERY_CHARACTERS_MAX,
              description:
                'words, of which each must occur or begin a word; "words in quotation marks" must ' +
                "follow each other exactly",
            }),
            language: t.Optional(t.Union(LANGUAGES.map((language) => t.Literal(language)))),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: FOUND_MAX })),
            after: t.Optional(t.Integer({ minimum: 0, description: "`next` of the page before" })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: foundPageSchema,
          401: problemSchema,
          403: problemSchema,
          422: problemSchema,
          503: problemSchema,
        },
        detail: { summary: "Find what was said, newest first", tags },
      },
    )
    .get(
      "/v1/transcriptions/:id/export",
      async ({ caller, params: { id }, query: { format, text = "spoken" } }) => {
        const row = await service.get(caller, id);
        const isProcessed = text === "processed";
        const page = (after: number) => service.segmentsAfter(row, after);
        return exportAnswer({ row, format, isProcessed, page });
      },
      {
        signedIn: true,
        params,
        query: t.Object(
          {
            ...identity,
            format: t.Union(FORMATS.map((format) => t.Literal(format))),
            text: t.Optional(t.Union([t.Literal("spoken"), t.Literal("processed")])),
          },
          { additionalProperties: false },
        ),
        detail: {
          summary: "A transcription as a file, while it is spoken too",
          description:
            "Subtitles have at most two lines of 42 characters and last seven seconds at most. " +
            "Text that was saved without sound gets the times in which it can be read.",
          tags,
          responses: {
            200: {
              description: "streamed",
              content: {
                "text/plain": { schema: { type: "string" } },
                "application/json": {
                  schema: {
                    allOf: [{ $ref: "#/components/schemas/Transcription" }],
                    properties: { segments: { type: "array", items: { type: "object" } } },
                  },
                },
                "application/x-subrip": { schema: { type: "string" } },
                "text/vtt": { schema: { type: "string" } },
              },
            },
            401: problemAnswer,
            403: problemAnswer,
            404: problemAnswer,
            422: problemAnswer,
          },
        },
      },
    )
    .patch(
      "/v1/transcriptions/:id",
      async ({ caller, params: { id }, body, request, set }) => {
        const row = await edits.edit(caller, id, {
          transcription: body.transcription,
          segmentId: body.segment_id,
          text: body.text,
          title: body.title,
          updatedAt: body.updated_at ?? matched(request.headers.get("if-match")),
        });
        set.headers["etag"] = `"${row.updated_at}"`;
        return row;
      },
      {
        signedIn: true,
        params,
        query,
        body: editBody,
        response: { 200: transcriptionSchema, ...refused, 409: problemSchema },
        detail: {
          summary: "Edit the whole text, one segment or the title; what it replaces is kept",
          tags,
        },
      },
    )
    .get(
      "/v1/transcriptions/:id/revisions",
      ({ caller, params: { id }, query: { after = null, limit = REVISIONS_DEFAULT } }) =>
        edits.revisions(caller, id, after, limit),
      {
        signedIn: true,
        params,
        query: t.Object(
          {
            ...identity,
            after: t.Optional(t.Integer({ minimum: 0, description: "`next` of the page before" })),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: REVISIONS_PAGE_MAX })),
          },
          { additionalProperties: false },
        ),
        response: { 200: revisionsSchema, ...refused },
        detail: { summary: "What edits replaced, newest first, and the original text", tags },
      },
    )
    .delete(
      "/v1/transcriptions/:id",
      async ({ caller, params: { id }, status }) => {
        await edits.remove(caller, id);
        return status(204, undefined);
      },
      {
        signedIn: true,
        params,
        query,
        response: { 204: t.Void(), ...refused, 409: problemSchema },
        detail: { summary: "Delete a transcription and everything of it", tags },
      },
    );
}

/** The `updated_at` that an `If-Match` header holds; null for none or any. */
function matched(header: string | null): number | null {
  if (header === null || header.trim() === "*") return null;
  const digits = /^\s*"?(\d{1,16})"?\s*$/.exec(header)?.[1];
  if (digits === undefined) throw new Problem("conflict", "If-Match is not this server's ETag");
  return Number(digits);
}
