import { type Log, errorFields } from "../../platform/log.ts";
import { Refusal, CLOSE } from "../../realtime/refusal.ts";
import { type AudioFormat, UnsupportedAudio, bytesPerSecond } from "../../speech/audio.ts";
import type { Heard } from "../../speech/engine.ts";
import type { Recognition, RecognitionEvent, RecognitionStream } from "../../speech/recognition.ts";
import { createWavParser } from "../../speech/wav.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import type { Segment } from "./model.ts";
import type { TranscriptionStore } from "./store.ts";

/** Sound that is not recognised yet; past it the client is too fast. */
export const AUDIO_QUEUE_MS_MAX = 60_000;
const ACK_EVERY_MS = 1_000;
/** How long the end of a session waits for its recogniser. */
const END_MS_MAX = 90_000;

/** What a session tells whoever listens to it, in order. */
export type SessionEvent =
  | {
      type: "partial";
      segmentId: string;
      text: string;
      stableChars: number;
      startMs: number;
      endMs: number;
    }
  | { type: "final"; segment: Segment; fromFinalize: boolean }
  | { type: "finalized"; seq: number }
  | { type: "processed"; seq: number; segmentId: string; text: string; wordCount: number }
  | { type: "ack"; receivedMs: number; processedMs: number; queuedMs: number }
  /** The session cannot go on; what was heard so far is kept. */
  | { type: "failed"; refusal: Refusal }
  | {
      type: "done";
      seq: number;
      durationMs: number;
      wordCount: number;
      segments: number;
      reason: EndReason;
    };

export type EndReason = "stop" | "disconnected" | "draining" | "failed";

/** The live transcription of one speaker. */
export interface Session {
  id: string;
  transcriptionId: number | null;
  /** Takes sound. Throws `Refusal` when it cannot be used or comes too fast. */
  push(bytes: Uint8Array): void;
  /** Asks for the words so far; answered by `finalized` after their finals. */
  finalize(): void;
  /** Ends it: everything in flight is told and kept, then `done`. Calling it again waits for the same end. */
  end(reason: EndReason): Promise<void>;
}

export interface SessionRequest {
  id: string;
  transcriptionId: number | null;
  language: string;
  /** `wav` learns the rest from the file's header. */
  format: AudioFormat | "wav";
  tell(event: SessionEvent): void;
}

export interface SessionDependencies {
  recognition: Recognition;
  store: TranscriptionStore;
  processText(job: TextJob): Promise<TextResult>;
  log: Log;
}

/** Opens a session. A `wav` one claims its recogniser when the header has come. */
export function openSession(
  { id, transcriptionId, language, format, tell }: SessionRequest,
  { recognition, store, processText, log }: SessionDependencies,
): Session {
  const header = format === "wav" ? createWavParser() : null;
  let stream: RecognitionStream | null = null;
  let bytesPerMs = 0;
  let receivedBytes = 0;
  let processedMs = 0;
  let toldMs = -1;

  let seq = 0;
  let segments = 0;
  let wordCount = 0;
  let partial = { text: "", startMs: 0 };
  let lastEndMs = 0;

  let ending: Promise<void> | null = null;
  let isOver = false;
  let onEnded: (() => void) | null = null;

  // Each step waits for the one before: finals are on the disk before they are told, and nothing
  // overtakes them.
  let steps: Promise<void> = Promise.resolve();
  let processing: Promise<void> = Promise.resolve();

  const then = (previous: Promise<void>, step: () => void | Promise<void>): Promise<void> =>
    previous.then(step).catch((error: unknown) => {
      log.error({ session: id, ...errorFields(error) }, "a session lost a step");
      tell({
        type: "failed",
        refusal: new Refusal("internal", "the transcription could not be kept", {
          close: CLOSE.internal,
        }),
      });
    });

  const receivedMs = (): number => (bytesPerMs === 0 ? 0 : receivedBytes / bytesPerMs);
  const segmentId = (): string => `${id}-${segments + 1}`;

  const openStream = (streamFormat: AudioFormat): RecognitionStream => {
    bytesPerMs = bytesPerSecond(streamFormat) / 1000;
    return recognition.open(streamFormat, (event) => {
      steps = then(steps, () => hear(event));
    });
  };

  const hear = async (event: RecognitionEvent): Promise<void> => {
    switch (event.type) {
      case "partial":
        processedMs = event.processedMs;
        return showPartial(event.text);
      case "progress":
        processedMs = event.processedMs;
        return;
      case "final":
        processedMs = event.processedMs;
        return keepFinal(event.heard, event.isCut);
      case "cut":
        return tell({ type: "finalized", seq: ++seq });
      case "ended":
        return onEnded?.();
      case "failed":
        stream = null;
        onEnded?.();
        return tell({
          type: "failed",
          refusal: new Refusal("internal", "the recogniser failed", { close: CLOSE.internal }),
        });
    }
  };

  const showPartial = (text: string): void => {
    if (partial.text === "") partial.startMs = Math.max(lastEndMs, processedMs - 100);
    const stableChars = commonStart(partial.text, text);
    partial.text = text;
    const { startMs } = partial;
    tell({
      type: "partial",
      segmentId: segmentId(),
      text,
      stableChars,
      startMs,
      endMs: processedMs,
    });
  };

  const keepFinal = async ({ text, words }: Heard, fromFinalize: boolean): Promise<void> => {
    const startMs = words[0]?.startMs ?? partial.startMs;
    const endMs = words.at(-1)?.endMs ?? processedMs;
    const confidence =
      words.length === 0
        ? null
        : rounded(words.reduce((sum, word) => sum + word.confidence, 0) / words.length);
    const segment: Segment = {
      segmentId: segmentId(),
      seq: ++seq,
      text,
      startMs,
      endMs,
      language,
      confidence,
      words,
    };
    segments++;
    lastEndMs = endMs;
    partial = { text: "", startMs: 0 };
    if (transcriptionId !== null) {
      await store.addSegment(transcriptionId, segment, Math.round(processedMs));
    }
    tell({ type: "final", segment, fromFinalize });
    processing = then(processing, () => process(segment));
  };

  /** Cleans and counts; the result is told whenever it comes, after its final. */
  const process = async (segment: Segment): Promise<void> => {
    const result = await processText({ text: segment.text, language });
    wordCount += result.wordCount;
    if (transcriptionId !== null) {
      await store.addProcessed(transcriptionId, segment.segmentId, result.text, result.wordCount);
    }
    // A step like the others: a final that has its number but is still on its way to the disk goes
    // out first.
    steps = then(steps, () =>
      tell({
        type: "processed",
        seq: ++seq,
        segmentId: segment.segmentId,
        text: result.text,
        wordCount: result.wordCount,
      }),
    );
  };

  const acknowledgement = setInterval(() => {
    const heard = Math.floor(receivedMs());
    const done = Math.min(heard, Math.floor(processedMs));
    if (heard + done === toldMs) return;
    toldMs = heard + done;
    tell({ type: "ack", receivedMs: heard, processedMs: done, queuedMs: heard - done });
  }, ACK_EVERY_MS);

  const end = async (reason: EndReason): Promise<void> => {
    clearInterval(acknowledgement);
    if (stream !== null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          log.error({ session: id }, "a recogniser did not come to its end");
          stream?.drop();
          resolve();
        }, END_MS_MAX);
        onEnded = () => {
          clearTimeout(timer);
          resolve();
        };
        stream?.end();
      });
    }
    await steps;
    await processing;
    await steps;
    const durationMs = Math.round(receivedMs());
    if (transcriptionId !== null) await store.finish(transcriptionId, durationMs);
    isOver = true;
    tell({ type: "done", seq: ++seq, durationMs, wordCount, segments, reason });
  };

  if (format !== "wav") stream = openStream(format);

  return {
    id,
    transcriptionId,
    push: (bytes) => {
      if (ending !== null || isOver) return;
      const audio = header === null ? bytes : audioOf(header.push(bytes));
      if (audio === null || audio.length === 0) return;
      if (stream === null) throw new Refusal("internal", "the recogniser failed");
      const aheadMs = (receivedBytes + audio.length) / bytesPerMs - processedMs;
      if (aheadMs > AUDIO_QUEUE_MS_MAX) {
        throw new Refusal("audio_too_fast", `more than ${AUDIO_QUEUE_MS_MAX} ms of sound wait`, {
          close: CLOSE.bufferLimit,
        });
      }
      receivedBytes += audio.length;
      stream.push(audio);
    },
    finalize: () => {
      if (stream !== null) stream.cut();
      else steps = then(steps, () => tell({ type: "finalized", seq: ++seq }));
    },
    end: (reason) => (ending ??= end(reason)),
  };

  function audioOf(parsed: { format: AudioFormat; audio: Uint8Array } | null): Uint8Array | null {
    if (parsed === null) return null;
    stream ??= openStream(parsed.format);
    return parsed.audio;
  }
}

/** A sound that cannot be used, or recognisers that are all taken, in words for a client. */
export function asSpeechRefusal(error: unknown): unknown {
  if (error instanceof UnsupportedAudio) {
    return new Refusal("unsupported_audio", error.message, { close: CLOSE.badRequest });
  }
  return error;
}

/** To three decimals; more would only look exact. */
function rounded(share: number): number {
  return Math.round(share * 1000) / 1000;
}

/** How many characters (code points) two texts have in common at their start. */
function commonStart(a: string, b: string): number {
  let same = 0;
  for (let at = 0; at < a.length && a.codePointAt(at) === b.codePointAt(at); same++) {
    at += (a.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return same;
}
