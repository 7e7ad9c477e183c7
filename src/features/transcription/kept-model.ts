import { type Static, Type as t } from "@sinclair/typebox";
import {
  TITLE_CHARACTERS_MAX,
  TRANSCRIPTION_CHARACTERS_MAX,
  transcriptionSchema,
} from "./model.ts";

// What is told of kept transcriptions beside their rows.

export const QUERY_CHARACTERS_MAX = 500;
export const FOUND_MAX = 100;
export const REVISIONS_PAGE_MAX = 100;

const atMs = t.Integer({
  description: "milliseconds from the start of the sound; 0 for saved text",
});
const unixMs = t.Integer({ description: "Unix milliseconds" });

export const FORMATS = ["txt", "json", "srt", "vtt"] as const;
export type ExportFormat = (typeof FORMATS)[number];

export const editBody = t.Object(
  {
    transcription: t.Optional(
      t.String({
        maxLength: TRANSCRIPTION_CHARACTERS_MAX,
        description: "the whole text; spread over the segments, so that times stay right",
      }),
    ),
    segment_id: t.Optional(t.String({ minLength: 1, maxLength: 100 })),
    text: t.Optional(
      t.String({ maxLength: TRANSCRIPTION_CHARACTERS_MAX, description: "of that segment" }),
    ),
    title: t.Optional(t.Union([t.String({ maxLength: TITLE_CHARACTERS_MAX }), t.Null()])),
    updated_at: t.Optional(
      t.Integer({ description: "as the editor read it; 409 when somebody was quicker" }),
    ),
  },
  { additionalProperties: false },
);

export const revisionSchema = t.Object({
  id: t.Integer(),
  what: t.Union([t.Literal("transcription"), t.Literal("segment"), t.Literal("title")]),
  segment_id: t.Union([t.String(), t.Null()]),
  text: t.Union([t.String(), t.Null()], { description: "what the edit replaced" }),
  user_id: t.Integer({ description: "who edited" }),
  at: unixMs,
});
export type Revision = Static<typeof revisionSchema>;

export const revisionsSchema = t.Object({
  original: t.String({ description: "the whole text as it was recognised or saved" }),
  revisions: t.Array(revisionSchema, { description: "newest first" }),
  next: t.Union([t.Integer(), t.Null()], { description: "`after` of the next page" }),
});
export type Revisions = Static<typeof revisionsSchema>;

export const keptSegmentSchema = t.Object({
  segment_id: t.String(),
  text: t.String({ description: "as spoken or saved, and edited" }),
  processed_text: t.Union([t.String(), t.Null()], {
    description: "cleaned; null: not processed yet",
  }),
  start_ms: atMs,
  end_ms: atMs,
  language: t.String(),
  confidence: t.Union([t.Number(), t.Null()], { description: "0 to 1; null: not known" }),
  words: t.Array(
    t.Object({
      word: t.String(),
      start_ms: atMs,
      end_ms: atMs,
      confidence: t.Union([t.Number(), t.Null()]),
    }),
  ),
  entities: t.Array(
    t.Object({ text: t.String(), label: t.String(), start: t.Integer(), end: t.Integer() }),
    { description: "whom and what the processed text names, in UTF-16 code units of it" },
  ),
});
export type KeptSegment = Static<typeof keptSegmentSchema>;

export const segmentsPageSchema = t.Object({
  segments: t.Array(keptSegmentSchema, { description: "a page in order; empty at the end" }),
  next: t.Union([t.Integer(), t.Null()], {
    description: "`after` of the next page, also of what is still to be spoken; null at the end",
  }),
});
export type SegmentsPage = Static<typeof segmentsPageSchema>;

const foundSchema = t.Object({
  id: t.Integer({ description: "of the transcription" }),
  segment: t.Object({ segment_id: t.String(), start_ms: atMs, end_ms: atMs }),
  snippet: t.String({
    description: "safe as HTML: the text is escaped, `<mark>` stands around what was found",
  }),
  user_id: transcriptionSchema.properties.user_id,
  language: t.String(),
  title: transcriptionSchema.properties.title,
  created_at: unixMs,
});

export const foundPageSchema = t.Object({
  results: t.Array(foundSchema, { description: "newest first" }),
  next: t.Union([t.Integer(), t.Null()], { description: "`after` of the next page" }),
});
export type Found = Static<typeof foundSchema>;
export type FoundPage = Static<typeof foundPageSchema>;
