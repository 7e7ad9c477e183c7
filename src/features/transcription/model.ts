import { type Static, Type as t } from "@sinclair/typebox";
import { REFUSAL_CODES } from "../../realtime/refusal.ts";
import type { StoredEntity } from "../../schema.ts";
import type { HeardWord } from "../../speech/engine.ts";
import { clientFrame, refField, roomField } from "../../realtime/frames.ts";

/** Languages that people are served in; an engine may know fewer. */
export const LANGUAGES = ["en", "hi"] as const;
export type Language = (typeof LANGUAGES)[number];

export const TRANSCRIPTION_CHARACTERS_MAX = 1_000_000;
export const TITLE_CHARACTERS_MAX = 200;
const MILLISECONDS = { description: "milliseconds from the start of the sound" };

const languageField = t.Union([t.Literal("en"), t.Literal("hi")]);
const userId = t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A kept transcription as it is told. */
export const transcriptionSchema = t.Object({
  id: t.Integer(),
  user_id: t.Integer(),
  transcription: t.String(),
  processed_text: t.String(),
  word_count: t.Integer(),
  language: t.String(),
  created_at: t.Integer({ description: "Unix milliseconds" }),
  updated_at: t.Integer({ description: "Unix milliseconds" }),
  session_id: t.Union([t.String(), t.Null()]),
  room: t.Union([t.String(), t.Null()]),
  title: t.Union([t.String(), t.Null()]),
  duration_ms: t.Integer(),
  status: t.Union([t.Literal("live"), t.Literal("done"), t.Literal("interrupted")]),
});
export type Transcription = Static<typeof transcriptionSchema>;

export const saveBody = t.Object(
  {
    user_id: userId,
    language: languageField,
    transcription: t.Optional(t.String({ maxLength: TRANSCRIPTION_CHARACTERS_MAX })),
  },
  { additionalProperties: false },
);

export const saveKeptBody = t.Object(
  { user_id: userId, language: t.Optional(languageField) },
  { additionalProperties: false },
);

/** A person, organisation or place that a processed text names. */
export type Entity = StoredEntity;

/** A piece of a transcription that will not change any more. */
export interface Segment {
  segmentId: string;
  seq: number;
  text: string;
  startMs: number;
  endMs: number;
  language: string;
  /** 0 to 1; null when the engine does not say. */
  confidence: number | null;
  words: HeardWord[];
}

const Start = clientFrame(
  "start",
  {
    language: t.Optional(t.Union([languageField, t.Literal("auto")])),
    encoding: t.Optional(
      t.Union(
        ["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "wav"].map((encoding) => t.Literal(encoding)),
        { default: "pcm_s16le" },
      ),
    ),
    sample_rate: t.Optional(t.Integer({ minimum: 4_000, maximum: 192_000, default: 16_000 })),
    channels: t.Optional(t.Integer({ minimum: 1, maximum: 8, default: 1 })),
    interim_results: t.Optional(t.Boolean({ default: true })),
    endpointing_ms: t.Optional(t.Integer({ minimum: 100, maximum: 60_000 })),
    words: t.Optional(t.Boolean({ default: true, description: "tell each word's time" })),
    room: t.Optional(roomField),
    store: t.Optional(t.Boolean({ default: true })),
    title: t.Optional(t.String({ maxLength: TITLE_CHARACTERS_MAX })),
    user_id: t.Optional(userId),
    resume: t.Optional(
      t.Object(
        {
          session_id: t.String({ maxLength: 64 }),
          after_seq: t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  "begins a stream of sound; binary frames of it follow",
);
const Configure = clientFrame(
  "configure",
  {
    endpointing_ms: t.Optional(t.Integer({ minimum: 100, maximum: 60_000 })),
    interim_results: t.Optional(t.Boolean()),
    language: t.Optional(t.Union([languageField, t.Literal("auto")])),
  },
  "changes a running stream; answered by `configured`",
);
const Keepalive = clientFrame("keepalive", {}, "keeps a silent stream open");
const Finalize = clientFrame(
  "finalize",
  {},
  "asks for the words so far as finals; answered by `finalized`",
);
const Stop = clientFrame(
  "stop",
  {},
  "ends the stream; answered by what is in flight, `done`, close 1000",
);

/** What a client may send in the streaming dialect. */
export const streamingClientFrames = [Start, Configure, Keepalive, Finalize, Stop];
export type StreamingClientFrame = Static<(typeof streamingClientFrames)[number]>;
export type StartFrame = Static<typeof Start>;

/** The one frame of the one-frame-one-answer dialect. */
export const OneFrame = t.Object(
  {
    user_id: userId,
    language: languageField,
    audio: t.String({ description: "base64 of a WAV file, or plain text" }),
  },
  {
    additionalProperties: false,
    description: "the first frame without `type` chooses this dialect: one answer for each frame",
  },
);

const seq = t.Integer({ description: "grows by one with each kept frame of the session" });
const atMs = t.Integer(MILLISECONDS);
const word = t.Object({
  word: t.String(),
  start_ms: atMs,
  end_ms: atMs,
  confidence: t.Union([t.Number(), t.Null()], { description: "0 to 1; null: not known" }),
});

/** Every frame of the transcription socket, by its name in the documentation. */
export const transcriptionFrames = {
  SpeechStart: Start,
  SpeechConfigure: Configure,
  SpeechKeepalive: Keepalive,
  SpeechFinalize: Finalize,
  SpeechStop: Stop,
  SpeechOneFrame: OneFrame,
  SpeechOneAnswer: t.Object({
    message_id: t.String({ format: "uuid" }),
    text: t.String({ description: "the first 20 characters of `audio`" }),
    type: t.String({ description: "the language" }),
  }),
  SpeechReady: t.Object({
    type: t.Literal("ready"),
    session_id: t.String(),
    transcription_id: t.Union([t.Integer(), t.Null()]),
    engine: t.String(),
    model: t.String(),
    guest_token: t.Optional(t.String()),
    limits: t.Record(t.String(), t.Integer()),
    expires_at: t.Optional(t.Integer()),
    resumed: t.Boolean(),
    received_bytes: t.Integer(),
    ref: refField,
  }),
  SpeechStarted: t.Object({ type: t.Literal("speech_started"), at_ms: atMs }),
  SpeechUtteranceEnd: t.Object({
    type: t.Literal("utterance_end"),
    seq,
    at_ms: t.Integer({ description: "where the voice was last heard, in ms of the sound" }),
  }),
  SpeechPartial: t.Object({
    type: t.Literal("partial"),
    segment_id: t.String(),
    text: t.String({ description: "replaces the one before; may become empty" }),
    stable_chars: t.Integer({ description: "so many characters stayed since the one before" }),
    start_ms: atMs,
    end_ms: atMs,
  }),
  SpeechFinal: t.Object({
    type: t.Literal("final"),
    segment_id: t.String(),
    seq,
    text: t.String(),
    start_ms: atMs,
    end_ms: atMs,
    language: t.String(),
    confidence: t.Union([t.Number(), t.Null()]),
    words: t.Optional(t.Array(word)),
    from_finalize: t.Boolean(),
  }),
  SpeechFinalized: t.Object({ type: t.Literal("finalized"), seq, ref: refField }),
  SpeechProcessed: t.Object({
    type: t.Literal("processed"),
    seq,
    segment_ids: t.Array(t.String()),
    text: t.String(),
    word_count: t.Integer(),
    entities: t.Array(
      t.Object({ text: t.String(), label: t.String(), start: t.Integer(), end: t.Integer() }),
    ),
  }),
  SpeechAudioAck: t.Object({
    type: t.Literal("audio_ack"),
    received_ms: atMs,
    processed_ms: atMs,
    queued_ms: atMs,
  }),
  SpeechConfigured: t.Object({ type: t.Literal("configured"), ref: refField }),
  SpeechWarning: t.Object({
    type: t.Literal("warning"),
    code: t.Union(REFUSAL_CODES.map((code) => t.Literal(code))),
    message: t.String(),
  }),
  SpeechDone: t.Object({
    type: t.Literal("done"),
    seq,
    transcription_id: t.Union([t.Integer(), t.Null()]),
    duration_ms: atMs,
    word_count: t.Integer(),
    segments: t.Integer(),
    reason: t.String(),
    ref: refField,
  }),
};
