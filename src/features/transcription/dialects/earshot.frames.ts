import type { HeardWord } from "../../../speech/engine.ts";
import type { SessionEvent } from "../told.ts";

export interface FrameContext {
  transcriptionId: number | null;
  showsWords: boolean;
}

/** What is told to the client for an event; the shapes are those of `transcriptionFrames`. */
export function frameOf(
  event: Exclude<SessionEvent, { type: "failed" }>,
  { transcriptionId, showsWords }: FrameContext,
): object {
  switch (event.type) {
    case "speech_started":
      return { type: "speech_started", at_ms: event.atMs };
    case "partial":
      return {
        type: "partial",
        segment_id: event.segmentId,
        text: event.text,
        stable_chars: event.stableChars,
        start_ms: event.startMs,
        end_ms: event.endMs,
      };
    case "final": {
      const { segmentId, seq, text, startMs, endMs, language, confidence, words } = event.segment;
      return {
        type: "final",
        segment_id: segmentId,
        seq,
        text,
        start_ms: startMs,
        end_ms: endMs,
        language,
        confidence,
        ...(showsWords ? { words: words.map(wordFrame) } : {}),
        from_finalize: event.fromFinalize,
      };
    }
    case "utterance_end":
      return { type: "utterance_end", seq: event.seq, at_ms: event.atMs };
    case "finalized":
      return { type: "finalized", seq: event.seq };
    case "processed":
      return {
        type: "processed",
        seq: event.seq,
        segment_ids: [event.segmentId],
        text: event.text,
        word_count: event.wordCount,
        entities: event.entities,
      };
    case "ack":
      return {
        type: "audio_ack",
        received_ms: event.receivedMs,
        processed_ms: event.processedMs,
        queued_ms: event.queuedMs,
      };
    case "done":
      return {
        type: "done",
        seq: event.seq,
        transcription_id: transcriptionId,
        duration_ms: event.durationMs,
        word_count: event.wordCount,
        segments: event.segments,
        reason: event.reason,
      };
  }
}

function wordFrame({ word, startMs, endMs, confidence }: HeardWord): object {
  return { word, start_ms: startMs, end_ms: endMs, confidence };
}
