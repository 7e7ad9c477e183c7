import type { Caller } from "../../http/caller.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import type { RecognitionEvent, StreamFailure } from "../../speech/messages.ts";
import type { SpanRequest, Traces } from "../../platform/traces.ts";
import type { Recognition } from "../../speech/recognition.ts";
import { msOf } from "../../speech/segmenter.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import { HURRIED_MS_MAX, waitForEnd } from "./ending.ts";
import { type Hearing, type HearingRequest, createHearing } from "./hearing.ts";
import type { Segment } from "./model.ts";
import { notKept, noRecogniser, serviceFailed, takenOver, unfinished } from "./session-refusals.ts";
import type { SegmentStore } from "./segment.store.ts";
import type { Hold, SessionStore, TouchedHold } from "./session.store.ts";
import type { SpeechCounts } from "./speech-counts.ts";
import type { Spool } from "./spool.ts";
import { type EndReason, type SessionEvent, type ToldEvent, createTold } from "./told.ts";
import { type RoomCaptions, createTranscript } from "./transcript.ts";

const ACK_EVERY_MS = 1_000;
/**
 * Numbers that a process may have told without keeping them before it died: a client that has seen
 * them counts on from there. Past it the client is not believed.
 */
const UNKEPT_SEQ_MAX = 10_000;

export type SessionListener = (event: SessionEvent) => void;

/** The live transcription of one speaker. Who listens to it may go and come back. */
export interface Session {
  id: string;
  transcriptionId: number | null;
  speaker: Caller;
  language(): string;
  receivedBytes(): number;
  /** How much of its sound is not recognised yet. */
  waitingMs(): number;
  /** Takes sound. Throws `Refusal` when it cannot be used or comes too fast. */
  push(bytes: Uint8Array): void;
  /** Asks for the words so far; answered by `finalized` after their finals. */
  finalize(): void;
  /** How often that was asked for and is not answered. */
  finalizesOpen(): number;
  configure(change: { endpointingMs?: number; language?: string }): void;
  /**
   * Tells `listener` from now on; whoever was told before is told of the taking over. Returns what
   * was told after `afterSeq`, nothing missing and nothing twice.
   */
  attach(listener: SessionListener, afterSeq: number): Promise<ToldEvent[]>;
  /** Tells `listener` no more; whether nobody is told any more. */
  detach(listener: SessionListener): boolean;
  /** Begins, or goes on after a failure with what is not kept yet. Rejects with `RecognitionFull`. */
  reopen(withinMs?: number): Promise<void>;
  /** Its client is back, and sends from `receivedBytes` on. */
  comeBack(): void;
  /**
   * Ends it: everything in flight is told and kept, then `done`. Calling it again waits for the same
   * end, and may hurry it: after `withinMs` only what is recognised by then is told, and the rest
   * stays where it can be heard again. Resolves with false when no `done` was told, because a later
   * session has to go on with it or another process does. Never rejects.
   */
  end(reason: EndReason, withinMs?: number): Promise<boolean>;
  /** It has never begun: nothing of it stays. */
  abandon(): Promise<void>;
  /** What proves that this process holds it; null when it is not kept, is lost or has ended. */
  hold(): TouchedHold | null;
  /** Somebody else holds it now. */
  lose(): void;
  isLost(): boolean;
}

export interface SessionRequest extends HearingRequest {
  id: string;
  /** Null for a session that is not kept. */
  hold: Hold | null;
  speaker: Caller;
  room: string | null;
  /** What an earlier process has told. */
  seq: number;
  segments: number;
  wordCount: number;
  /** Finals whose text it has not processed. */
  unprocessed: readonly Segment[];
}

export interface SessionDependencies {
  recognition: Recognition;
  store: SessionStore;
  segmentStore: SegmentStore;
  spool: Spool;
  /** Null without a room. */
  captions: RoomCaptions | null;
  processText(job: TextJob): Promise<TextResult>;
  /** Keeps the end, or what there is for another try. Never rejects. */
  conclude(conclusion: SessionConclusion): Promise<void>;
  /** Forgets it altogether. */
  discard(): Promise<void>;
  /** Counts for all sessions together. */
  counts: SpeechCounts;
  log: Log;
  traces: Traces;
}

/** How a session has ended. */
export interface SessionConclusion {
  reason: EndReason;
  /** The highest number that is told. */
  seq: number;
  durationMs: number;
  /** Whether all of its sound was recognised. */
  isWhole: boolean;
}

/** Opens a session. A `wav` one has its place at a recogniser before its header comes. */
export function openSession(request: SessionRequest, dependencies: SessionDependencies): Session {
  const { id, hold, speaker, room } = request;
  const { recognition, store, segmentStore, spool, captions } = dependencies;
  const { processText, conclude, discard, counts, log, traces } = dependencies;
  const told = createTold(segmentStore, hold?.transcriptionId ?? null);
  let { seq, language, endpointingMs } = request;
  let believedSeq = hold !== null && hold.generation > 1 ? seq + UNKEPT_SEQ_MAX : seq;
  let listener: SessionListener | null = null;
  let ackedMs = -1;
  let isLost = false;
  let ending: Promise<boolean> | null = null;
  let isDraining = false;
  let hasEnded = false;
  let endAt = Number.POSITIVE_INFINITY;
  let hurriedMs = HURRIED_MS_MAX;
  /** Resolves when the recogniser has told its last words: whether they are all. */
  let over = Promise.withResolvers<boolean>();

  // Each step waits for the one before: finals are on the disk before they are told, and nothing
  // overtakes them. What was heard before a failure is not worked on after it: it is heard again.
  let steps: Promise<void> = Promise.resolve();
  let hearings = 0;

  /** What it returns never rejects: a step that fails suspends the session. */
  const after = (previous: Promise<void>, step: () => void | Promise<void>): Promise<void> =>
    previous.then(step).catch((error: unknown) => {
      log.error({ session: id, ...errorFields(error) }, "a session lost a step");
      suspend(notKept());
    });

  const inOrder = (step: () => void | Promise<void>): void => {
    steps = after(steps, () => (isLost ? undefined : step()));
  };

  const emit = (event: SessionEvent): void => {
    if ("seq" in event) {
      seq = event.seq;
      told.add(event);
    }
    listener?.(event);
  };

  /** Lets whoever listens go; the sound that has no words yet waits in the spool. */
  const suspend = (refusal: Refusal): void => {
    hearings++;
    hearing.suspend();
    over.resolve(false);
    const refused = listener;
    listener = null;
    refused?.({ type: "failed", refusal });
  };

  const hearing: Hearing = createHearing(request, {
    recognition,
    spool,
    tell: (event) => {
      const heardBy = hearings;
      inOrder(() => (heardBy === hearings ? hear(event) : undefined));
    },
    onFormat: () => keepWishes(),
    counts,
  });

  const keepWishes = (): void => {
    const sound = hearing.sound() ?? { format: null, soundBytes: null };
    const wishes = { language, endpointingMs, ...sound };
    if (hold !== null) inOrder(() => store.setWishes(hold, wishes));
  };

  const nextSeq = (): number => seq + 1;

  const transcript = createTranscript(
    {
      id,
      hold,
      caption: room === null ? null : { room, userId: speaker.userId, userName: speaker.name },
      segments: request.segments,
      wordCount: request.wordCount,
    },
    {
      store: segmentStore,
      captions,
      processText,
      language: () =>
        language === "auto" ? (recognition.modelFor(language)?.languages[0] ?? "en") : language,
      nextSeq,
      emit,
      after,
      inOrder,
    },
  );

  const hear = async (event: RecognitionEvent): Promise<void> => {
    switch (event.type) {
      case "speech_started":
        return emit({ type: "speech_started", atMs: Math.round(msOf(event.at)) });
      case "partial":
        return transcript.showPartial(event, Math.round(hearing.processedMs()));
      case "final": {
        const isOurs = await traces.span(segmentSpan(event), () =>
          transcript.keepFinal(event, hearing.placeAt(event.settled)),
        );
        return isOurs ? hearing.settle(event.settled) : lose();
      }
      case "utterance_end":
        return emit({ type: "utterance_end", seq: nextSeq(), atMs: Math.round(msOf(event.at)) });
      case "progress":
        return hearing.settle(event.settled);
      case "cut":
        hearing.cutAnswered();
        return emit({ type: "finalized", seq: nextSeq() });
      case "ended":
        return over.resolve(true);
      case "failed":
        return recover(event.failure);
      case "taken":
    }
  };

  /** From the recogniser's last word on a segment until it is kept and told. */
  const segmentSpan = ({ from, to, heard }: RecognitionEvent & { type: "final" }): SpanRequest => ({
    name: "segment",
    isRoot: true,
    attributes: {
      "earshot.segment.audio_ms": Math.round(msOf(to - from)),
      "earshot.segment.words": heard.words.length,
      // Of sound that comes as it is spoken, this is how long its words took.
      "earshot.segment.behind_ms": Math.round(Math.max(0, hearing.receivedMs() - msOf(to))),
    },
  });

  const recover = async (failure: StreamFailure): Promise<void> => {
    if (failure.kind === "audio") {
      return suspend(
        new Refusal("unsupported_audio", failure.message, { close: CLOSE.badRequest }),
      );
    }
    if (failure.kind === "service") return suspend(serviceFailed(failure));
    try {
      await hearing.reopen();
    } catch (error) {
      log.error({ session: id, ...errorFields(error) }, "no recogniser goes on with a session");
      suspend(noRecogniser());
    }
  };

  const acknowledge = (): void => {
    if (listener === null) return;
    try {
      // What is acknowledged survives this process.
      hearing.keep();
    } catch (error) {
      log.error({ session: id, ...errorFields(error) }, "sound could not be kept");
      return suspend(notKept());
    }
    const heard = Math.floor(hearing.receivedMs());
    const done = Math.min(heard, Math.floor(hearing.processedMs()));
    if (heard + done === ackedMs) return;
    ackedMs = heard + done;
    listener({ type: "ack", receivedMs: heard, processedMs: done, queuedMs: heard - done });
  };
  const acknowledgement = setInterval(acknowledge, ACK_EVERY_MS);

  const reopen = async (withinMs?: number): Promise<void> => {
    // What was told is settled first, or it would be heard again.
    await steps;
    if (!hearing.isOpen()) over = Promise.withResolvers<boolean>();
    await hearing.reopen(withinMs);
  };

  const end = async (reason: EndReason): Promise<boolean> => {
    const isWhole = await waitForEnd({
      hearing,
      reopen,
      over: () => over.promise,
      endAt: () => endAt,
      hurriedMs: () => hurriedMs,
      onHurry: () => log.warn({ session: id }, "a session ended before all its sound was heard"),
    });
    clearInterval(acknowledgement);
    // Everything that was heard is kept, processed and told.
    await steps;
    await transcript.processed();
    await steps;
    if (isLost) return false;
    hasEnded = true;
    const isTold = isWhole || isDraining || hold === null;
    const why = isWhole ? reason : isDraining ? "draining" : "failed";
    const durationMs = Math.round(isWhole ? hearing.receivedMs() : hearing.processedMs());
    await conclude({ reason: why, seq: isTold ? nextSeq() : seq, durationMs, isWhole });
    if (!isTold) {
      suspend(unfinished());
      return false;
    }
    const [segments, wordCount] = [transcript.segments(), transcript.wordCount()];
    emit({ type: "done", seq: nextSeq(), durationMs, wordCount, segments, reason: why });
    listener = null;
    return true;
  };

  const lose = (): void => {
    if (isLost) return;
    isLost = true;
    clearInterval(acknowledgement);
    suspend(takenOver());
    spool.close();
  };

  for (const segment of request.unprocessed) transcript.process(segment);

  return {
    id,
    transcriptionId: hold?.transcriptionId ?? null,
    speaker,
    language: () => language,
    receivedBytes: hearing.receivedBytes,
    waitingMs: () => Math.max(0, hearing.receivedMs() - hearing.processedMs()),
    push: (bytes) => {
      if (ending === null && !isLost) hearing.push(bytes);
    },
    finalize: () => {
      if (hearing.sound() !== null) hearing.cut();
      else inOrder(() => emit({ type: "finalized", seq: nextSeq() }));
    },
    finalizesOpen: hearing.cutsOpen,
    configure: (change) => {
      language = change.language ?? language;
      endpointingMs = change.endpointingMs ?? endpointingMs;
      hearing.configure(change);
      keepWishes();
    },
    attach: async (next, afterSeq) => {
      const missed = await told.after(afterSeq);
      const last = missed.at(-1)?.seq ?? afterSeq;
      const before = listener;
      listener = next;
      if (before !== next) before?.({ type: "failed", refusal: takenOver() });
      if (afterSeq <= believedSeq) seq = Math.max(seq, afterSeq);
      believedSeq = 0;
      return [...missed, ...told.rememberedAfter(last)];
    },
    detach: (current) => {
      if (listener === current) listener = null;
      return listener === null;
    },
    reopen,
    comeBack: hearing.comeBack,
    end: (reason, withinMs) => {
      if (withinMs !== undefined) {
        endAt = Math.min(endAt, performance.now() + withinMs);
        // Whoever has little time has little for this, too.
        hurriedMs = Math.min(hurriedMs, withinMs);
      }
      isDraining ||= reason === "draining";
      ending ??= isLost ? Promise.resolve(false) : end(reason);
      return ending;
    },
    abandon: async () => {
      clearInterval(acknowledgement);
      await discard();
    },
    hold: () =>
      hold === null || isLost || hasEnded ? null : { ...hold, seq, place: hearing.settled() },
    lose,
    isLost: () => isLost,
  };
}
