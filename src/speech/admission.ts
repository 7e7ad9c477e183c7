import { BLOCK_SAMPLES } from "./blocks.ts";
import { msOf } from "./segmenter.ts";

/** Knows how much of its time a worker needs for those who speak now. */
export interface Admission {
  enter(stream: number, engine: number): void;
  /** Sound came for the stream. */
  hear(stream: number): void;
  leave(stream: number): void;
  /** What a block of sound has cost lately with that engine, in milliseconds by the clock. */
  charge(engine: number, msPerBlock: number): void;
  /** The share of its time that is needed: 1 is all of it. */
  load(): number;
  /** Whether one more, with that engine, leaves those inside their latency. */
  hasRoom(engine: number): boolean;
}

/** Past this share of a worker's time blocks begin to wait for each other. */
const LOAD_MAX = 0.8;
/** Who has sent nothing for so long is silent, and counts for so much of a speaker. */
const SILENT_MS = 3_000;
const SILENT_SHARE = 0.1;
/** Taken for the cost until it is known: a small model on one core. */
const FIRST_MS_PER_BLOCK = 8;
/** How much the newest cost counts; one measurement alone may be an accident. */
const NEWEST_SHARE = 0.3;

const BLOCK_MS = msOf(BLOCK_SAMPLES);

/**
 * Admits by measured cost: streams are worked on in turn, so nobody's words are late as long as a
 * round over all of them takes less than the sound that it works on.
 */
export function createAdmission(nowMs: () => number): Admission {
  const speakers = new Map<number, { engine: number; heardAt: number }>();
  const costs = new Map<number, number>();

  const shareOf = (engine: number): number => (costs.get(engine) ?? FIRST_MS_PER_BLOCK) / BLOCK_MS;

  const load = (): number => {
    const silentSince = nowMs() - SILENT_MS;
    let sum = 0;
    for (const { engine, heardAt } of speakers.values()) {
      sum += shareOf(engine) * (heardAt < silentSince ? SILENT_SHARE : 1);
    }
    return sum;
  };

  return {
    // Whoever comes is about to speak.
    enter: (stream, engine) => void speakers.set(stream, { engine, heardAt: nowMs() }),
    hear: (stream) => {
      const speaker = speakers.get(stream);
      if (speaker !== undefined) speaker.heardAt = nowMs();
    },
    leave: (stream) => void speakers.delete(stream),
    charge: (engine, msPerBlock) => {
      const known = costs.get(engine) ?? msPerBlock;
      costs.set(engine, known + (msPerBlock - known) * NEWEST_SHARE);
    },
    load,
    hasRoom: (engine) => speakers.size === 0 || load() + shareOf(engine) <= LOAD_MAX,
  };
}
