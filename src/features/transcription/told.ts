import type { Refusal } from "../../realtime/refusal.ts";
import type { Entity, Segment } from "./model.ts";
import type { SegmentStore, ToldFrame } from "./segment.store.ts";

/** What a session tells whoever listens to it, in order. What has a `seq` is told again on request. */
export type SessionEvent =
  | { type: "speech_started"; atMs: number }
  | {
      type: "partial";
      segmentId: string;
      text: string;
      stableChars: number;
      startMs: number;
      endMs: number;
    }
  | { type: "ack"; receivedMs: number; processedMs: number; queuedMs: number }
  /** The session cannot go on for this listener; what was heard so far is kept. */
  | { type: "failed"; refusal: Refusal }
  | ToldEvent;

export type ToldEvent =
  | { type: "final"; seq: number; segment: Segment; fromFinalize: boolean }
  | { type: "utterance_end"; seq: number; atMs: number }
  | { type: "finalized"; seq: number }
  | {
      type: "processed";
      seq: number;
      segmentId: string;
      text: string;
      wordCount: number;
      entities: readonly Entity[];
    }
  | {
      type: "done";
      seq: number;
      durationMs: number;
      wordCount: number;
      segments: number;
      reason: EndReason;
    };

export type EndReason = "stop" | "disconnected" | "draining" | "failed";

/** Remembers what was told, so that a client that comes back misses nothing. */
export interface Told {
  add(event: ToldEvent): void;
  /** What was told after `seq`, in order; older than what is remembered here, as far as it is kept. */
  after(seq: number): Promise<ToldEvent[]>;
  /** As `after`, of what is remembered here. */
  rememberedAfter(seq: number): ToldEvent[];
}

/** Older events are read from the disk, where only finals and processed texts are. */
const REMEMBERED_MAX = 500;

/** `transcriptionId` is null for a session that is not kept. */
export function createTold(store: SegmentStore, transcriptionId: number | null): Told {
  const events: ToldEvent[] = [];

  const rememberedAfter = (seq: number): ToldEvent[] => events.filter((event) => event.seq > seq);

  return {
    add: (event) => {
      events.push(event);
      if (events.length > REMEMBERED_MAX) events.shift();
    },
    rememberedAfter,
    after: async (seq) => {
      const first = events[0]?.seq ?? Number.POSITIVE_INFINITY;
      const isRemembered = first <= seq + 1 || transcriptionId === null;
      const older = isRemembered ? [] : await store.toldAfter(transcriptionId, seq);
      const { seq: from = Number.POSITIVE_INFINITY } = events[0] ?? {};
      return [
        ...older.map((frame) => eventOf(frame)).filter((event) => event.seq < from),
        ...rememberedAfter(seq),
      ];
    },
  };
}

function eventOf(frame: ToldFrame): ToldEvent {
  if (frame.type === "processed") return { type: "processed", ...frame.processed };
  const { segment } = frame;
  return { type: "final", seq: segment.seq, segment, fromFinalize: false };
}
