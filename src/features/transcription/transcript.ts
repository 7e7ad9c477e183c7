import type { ListenerEvent } from "../../speech/listener.ts";
import { msOf } from "../../speech/segmenter.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import type { Segment } from "./model.ts";
import type { Caption, SegmentStore } from "./segment.store.ts";
import type { Hold, SettledPlace } from "./session.store.ts";
import type { SessionEvent } from "./told.ts";

/** The room that hears along. */
export interface RoomCaptions {
  /** Shows what may still change. */
  interim(segmentId: string, text: string): void;
  /** A final is kept and goes to the room. */
  post(segmentId: string, text: string): void;
}

/** The words of one session, on their way from the recogniser to the disk and to who listens. */
export interface Transcript {
  showPartial(partial: ListenerEvent & { type: "partial" }, endMs: number): void;
  /**
   * Keeps a final with the place up to which the sound is settled by it, then tells it. False, and
   * nothing told, when another process holds the session.
   */
  keepFinal(final: ListenerEvent & { type: "final" }, place: SettledPlace): Promise<boolean>;
  /** Cleans and counts; the result is told whenever it comes, after its final. */
  process(segment: Segment): void;
  /** Resolves when nothing is being processed. */
  processed(): Promise<void>;
  segments(): number;
  wordCount(): number;
}

export interface TranscriptRequest {
  id: string;
  /** Null when nothing is kept. */
  hold: Hold | null;
  caption: Caption;
  /** What there is already. */
  segments: number;
  wordCount: number;
}

export interface TranscriptDependencies {
  store: SegmentStore;
  captions: RoomCaptions | null;
  processText(job: TextJob): Promise<TextResult>;
  /** The language of what is said when the engine does not tell. */
  language(): string;
  /** The number of the next frame that has one. */
  nextSeq(): number;
  emit(event: SessionEvent): void;
  /** Owns a step that follows `previous`; what it returns never rejects. */
  after(previous: Promise<void>, step: () => void | Promise<void>): Promise<void>;
  /** Does a step when all that was heard before is told. */
  inOrder(step: () => void | Promise<void>): void;
}

export function createTranscript(
  { id, hold, caption, ...given }: TranscriptRequest,
  dependencies: TranscriptDependencies,
): Transcript {
  const { store, captions, processText, language, nextSeq, emit, after, inOrder } = dependencies;
  let { segments, wordCount } = given;
  let shown = "";
  let processing: Promise<void> = Promise.resolve();

  const segmentId = (): string => `${id}-${segments + 1}`;

  const keepProcessed = async (
    processedId: string,
    { text, wordCount: words, entities }: TextResult,
  ): Promise<void> => {
    const processed = { seq: nextSeq(), segmentId: processedId, text, wordCount: words, entities };
    if (hold !== null) await store.addProcessed(hold, processed);
    wordCount += words;
    emit({ type: "processed", ...processed });
  };

  const process = ({ segmentId: processedId, text, language: spoken }: Segment): void => {
    processing = after(processing, async () => {
      const result = await processText({ text, language: spoken });
      inOrder(() => keepProcessed(processedId, result));
    });
  };

  return {
    showPartial: ({ text, from }, endMs) => {
      const stableChars = commonStart(shown, text);
      shown = text;
      const startMs = Math.round(msOf(from));
      emit({ type: "partial", segmentId: segmentId(), text, stableChars, startMs, endMs });
      captions?.interim(segmentId(), text);
    },
    keepFinal: async ({ heard, from, to, isCut }, place) => {
      const { text, words } = heard;
      const segment: Segment = {
        segmentId: segmentId(),
        seq: nextSeq(),
        text,
        startMs: words[0]?.startMs ?? Math.round(msOf(from)),
        endMs: words.at(-1)?.endMs ?? Math.round(msOf(to)),
        language: heard.language ?? language(),
        confidence: meanConfidence(words),
        words,
      };
      if (hold !== null && !(await store.add(hold, segment, place, caption))) return false;
      segments++;
      shown = "";
      emit({ type: "final", seq: segment.seq, segment, fromFinalize: isCut });
      captions?.post(segment.segmentId, text);
      process(segment);
      return true;
    },
    process,
    processed: () => processing,
    segments: () => segments,
    wordCount: () => wordCount,
  };
}

/** Null when the engine says it of no word. */
function meanConfidence(words: Segment["words"]): number | null {
  const known = words.flatMap(({ confidence }) => confidence ?? []);
  if (known.length === 0) return null;
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  // More decimals would only look exact.
  return Math.round(mean * 1000) / 1000;
}

/** How many characters (code points) two texts have in common at their start. */
function commonStart(a: string, b: string): number {
  let same = 0;
  for (let at = 0; at < a.length && a.codePointAt(at) === b.codePointAt(at); same++) {
    at += (a.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return same;
}
