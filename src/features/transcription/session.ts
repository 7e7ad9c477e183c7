import { type Log, errorFields } from "../../platform/log.ts";
import { Refusal, CLOSE } from "../../realtime/refusal.ts";
import { type AudioFormat, UnsupportedAudio } from "../../speech/audio.ts";
import type { Heard } from "../../speech/engine.ts";
import type { Recognition, RecognitionEvent } from "../../speech/recognition.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import type { Segment } from "./model.ts";
import { createSoundInput } from "./sound-input.ts";
import type { TranscriptionStore } from "./store.ts";

const ACK_EVERY_MS = 1_000;
/** The end of a session waits for its recogniser as long as it gets on. */
const STALLED_MS_MAX = 30_000;
/** How long a recogniser may take to answer when it is told to end at once. */
const HURRIED_MS_MAX = 4_000;
const LOOK_EVERY_MS = 100;

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
  /** Sound that came and is not recognised yet. */
  queuedMs(): number;
  /** Takes sound. Throws `Refusal` when it cannot be used or comes too fast. */
  push(bytes: Uint8Array): void;
  /** Asks for the words so far; answered by `finalized` after their finals. */
  finalize(): void;
  /**
   * Ends it: everything in flight is told and kept, then `done`. Calling it again waits for the same
   * end, and may hurry it: after `withinMs` only what is recognised by then is kept.
   */
  end(reason: EndReason, withinMs?: number): Promise<void>;
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
  let processedMs = 0;
  let toldMs = -1;

  let seq = 0;
  let segments = 0;
  let wordCount = 0;
  let partial = { text: "", startMs: 0 };
  let lastEndMs = 0;

  let ending: Promise<void> | null = null;
  let endAt = Number.POSITIVE_INFINITY;
  let hasEnded = false;
  let isWhole = true;

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

  const segmentId = (): string => `${id}-${segments + 1}`;

  const input = createSoundInput({
    format,
    open: (known) =>
      recognition.open(known, (event) => {
        steps = then(steps, () => hear(event));
      }),
    processedMs: () => processedMs,
  });

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
        hasEnded = true;
        return;
      case "failed":
        hasEnded = true;
        isWhole = false;
        input.lose();
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
    const heard = Math.floor(input.receivedMs());
    const done = Math.min(heard, Math.floor(processedMs));
    if (heard + done === toldMs) return;
    toldMs = heard + done;
    tell({ type: "ack", receivedMs: heard, processedMs: done, queuedMs: heard - done });
  }, ACK_EVERY_MS);

  /** Waits until everything is recognised, or until it stalls or the time is over. */
  const recogniseRest = async (): Promise<void> => {
    input.flush();
    input.stream()?.end();
    let lastMs = processedMs;
    let movedAt = performance.now();
    while (input.stream() !== null && !hasEnded) {
      await Bun.sleep(LOOK_EVERY_MS);
      if (processedMs !== lastMs) movedAt = performance.now();
      lastMs = processedMs;
      const isStalled = performance.now() - movedAt > STALLED_MS_MAX;
      if (isStalled || performance.now() > endAt) return hurry();
    }
  };

  /** Takes what is recognised by now; the sound that waits is given up. */
  const hurry = async (): Promise<void> => {
    if (hasEnded) return;
    isWhole = false;
    log.warn({ session: id }, "a session ended before all of its sound was recognised");
    input.stream()?.endNow();
    const giveUpAt = performance.now() + HURRIED_MS_MAX;
    while (!hasEnded && performance.now() < giveUpAt) await Bun.sleep(LOOK_EVERY_MS);
    if (!hasEnded) input.stream()?.drop();
  };

  const end = async (reason: EndReason): Promise<void> => {
    await recogniseRest();
    clearInterval(acknowledgement);
    await steps;
    await processing;
    await steps;
    const durationMs = Math.round(isWhole ? input.receivedMs() : processedMs);
    if (transcriptionId !== null) await store.finish(transcriptionId, durationMs, isWhole);
    const told = isWhole || reason !== "stop" ? reason : "failed";
    tell({ type: "done", seq: ++seq, durationMs, wordCount, segments, reason: told });
  };

  return {
    id,
    transcriptionId,
    queuedMs: () => Math.max(0, input.receivedMs() - processedMs),
    push: (bytes) => {
      if (ending === null) input.push(bytes);
    },
    finalize: () => {
      input.flush();
      const stream = input.stream();
      if (stream !== null) stream.cut();
      else steps = then(steps, () => tell({ type: "finalized", seq: ++seq }));
    },
    end: (reason, withinMs) => {
      if (withinMs !== undefined) endAt = Math.min(endAt, performance.now() + withinMs);
      ending ??= end(reason);
      return ending;
    },
  };
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
