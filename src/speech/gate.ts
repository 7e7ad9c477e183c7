import { createBackground } from "./background.ts";
import { createVoicing, type Frame, HOP_SAMPLES, WINDOW_SAMPLES } from "./voicing.ts";
import { createWhisper } from "./whisper.ts";

/** What was heard up to the end of a block; positions are samples from the start of the stream. */
export interface Voice {
  /** Where the latest stretch of voice began; null before any. Backdated to its first voiced frame. */
  startedAt: number | null;
  /** The end of the last voiced frame of that stretch; null before any. */
  lastAt: number | null;
}

/** Tells where in a stream somebody speaks. */
export interface Gate {
  /** Takes the next mono 16 kHz samples in [-1, 1], before levelling; any number of them. */
  hear(block: Float32Array): Voice;
}

/** A frame is voiced from this periodicity on: noise of any colour hardly ever reaches it. */
const PERIODICITY_MIN = 0.4;
/** Pitch is compared over 20 ms, in which a voice glides by 0.4 to 6 % and a note does not. */
const GLIDE_FRAMES = 2;
const GLIDE_MIN = 0.004;
const GLIDE_MAX = 0.06;
const STEADY_GLIDE_MAX = 0.001;
/** A pitch that moves further than this in 10 ms has jumped, to another note or by mistake. */
const JUMP_MIN = 0.04;
/** Partials that go on as they did are a note's, glide or not. */
const SURPRISE_MIN = 0.2;
const STEADY_SURPRISE_MAX = 0.12;
/** One sine wave is 4 bins wide: whistles and sweeps are no voice. */
const SPREAD_BINS_MIN = 5.5;
/** Gliding frames within half a second that are evidence of a voice: less when one spoke lately. */
const GLIDING_FRAMES_FIRST = 4;
const GLIDING_FRAMES_AGAIN = 2;
const GLIDING_WINDOW_FRAMES = 50;
/** 3 s: who spoke so lately is likely to go on. */
const LATELY_FRAMES = 300;
/** Moving frames within a second that are evidence of a whisper. */
const MOVING_FRAMES = 20;
const MOVING_WINDOW_FRAMES = 100;
/** More steady frames than this for each of those are a melody's. */
const STEADY_SHARE_MAX = 0.5;
/**
 * 300 ms: unvoiced sounds this long before or after a voiced frame belong to the voice, and so do
 * creaky voiced frames this long after the last gliding one.
 */
const UNVOICED_FRAMES_MAX = 30;
/** 100 ms: the closure before a final "t" or "k". A longer quiet ends what may follow a voice. */
const CLOSURE_FRAMES_MAX = 10;
/** 300 ms: voice after a longer pause is a new stretch. */
const PAUSE_FRAMES = 30;
/** How far sound must stand out from the background, in dB, and sound that may be whispered. */
const ACTIVE_DB_MIN = 5;
const BREATH_DB_MIN = 7;
/** Frames before this one hold samples from before the start of the stream. */
const FIRST_FRAME = 3;
const HISTORY_FRAMES = 128;
/** The middle fifth of a window: from 400 to 240 samples before its end. */
const START_SAMPLES = 400;
const END_SAMPLES = 240;

/** Kinds of frame, as kept in the history. */
const UNVOICED = 0;
const VOICED = 1;
const GLIDING = 2;
const STEADY = 3;
const MOVING = 4;

/**
 * Creates a gate for one stream. It depends on the samples only, not on how they are cut into
 * blocks.
 *
 * The model of evidence: noise has no pitch and keeps its colour, a note keeps its pitch, and speech
 * keeps neither. A few frames with a pitch that glides smoothly (pitch continuity as in P. Boersma,
 * 1993) are a voice, and many loud frames without one, whose colour moves on, are a whisper; steady
 * frames near them speak against both. Sound that stands out from the background near a voice, such
 * as consonants, is counted as voice with it.
 */
export function createGate(): Gate {
  const voicing = createVoicing();
  const background = createBackground();
  const whisper = createWhisper();
  const window = new Float64Array(WINDOW_SAMPLES);
  const pitches = new Float64Array(HISTORY_FRAMES);
  const kinds = new Uint8Array(HISTORY_FRAMES);
  const actives = new Uint8Array(HISTORY_FRAMES);
  let filled = WINDOW_SAMPLES - HOP_SAMPLES;
  let now = -1;
  let glidingFrame = Number.NEGATIVE_INFINITY;
  let periodicFrame = Number.NEGATIVE_INFINITY;
  let voicedFrame = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  let startedAt: number | null = null;
  let lastAt: number | null = null;

  function classify(frame: Frame): number {
    if (frame.periodicity < PERIODICITY_MIN) return UNVOICED;
    for (let back = 0; back < GLIDE_FRAMES; back += 1) {
      const pitch = back === 0 ? frame.pitchHz : (pitches[slot(now - back)] ?? 0);
      const before = pitches[slot(now - back - 1)] ?? 0;
      if (before === 0 || Math.abs(Math.log(pitch / before)) > JUMP_MIN) return VOICED;
    }
    const before = pitches[slot(now - GLIDE_FRAMES)] ?? 0;
    const glide = Math.abs(Math.log(frame.pitchHz / before));
    if (glide < STEADY_GLIDE_MAX || frame.surprise < STEADY_SURPRISE_MAX) return STEADY;
    const isGliding =
      glide >= GLIDE_MIN &&
      glide <= GLIDE_MAX &&
      frame.surprise >= SURPRISE_MIN &&
      frame.spreadBins >= SPREAD_BINS_MIN;
    return isGliding ? GLIDING : VOICED;
  }

  function hasEvidence(kind: number): boolean {
    if (kind !== GLIDING && kind !== MOVING) return false;
    const isLately = now - voicedFrame <= LATELY_FRAMES;
    const glidingMin = isLately ? GLIDING_FRAMES_AGAIN : GLIDING_FRAMES_FIRST;
    const least = kind === GLIDING ? glidingMin : MOVING_FRAMES;
    const window = windowOf(kind);
    const steady = count(STEADY, window);
    const found = count(kind, window);
    return found >= least && steady <= STEADY_SHARE_MAX * found;
  }

  function count(kind: number, frames: number): number {
    let found = 0;
    for (let back = 0; back < frames; back += 1) {
      if (kinds[slot(now - back)] === kind) found += 1;
    }
    return found;
  }

  /** The first frame of the voice whose evidence is complete now. */
  function findStart(kind: number): number {
    let first = now;
    for (let back = 0; back < windowOf(kind); back += 1) {
      if (kinds[slot(now - back)] === kind) first = now - back;
    }
    first -= GLIDE_FRAMES;
    const oldest = Math.max(0, now - HISTORY_FRAMES + 1, first - UNVOICED_FRAMES_MAX);
    while (first > oldest && isSound(first - 1)) first -= 1;
    return first;
  }

  function isSound(frame: number): boolean {
    return actives[slot(frame)] === 1 || kinds[slot(frame)] !== UNVOICED;
  }

  function hearFrame(): void {
    now += 1;
    const frame = voicing.measure(window);
    const overDb = background.hear(frame.bandsDb, now >= FIRST_FRAME);
    const isActive = overDb >= ACTIVE_DB_MIN;
    const isBreath = overDb >= BREATH_DB_MIN && frame.periodicity < PERIODICITY_MIN;
    const isMoving = whisper.hear(frame.bandsDb, isBreath);
    const kind = isMoving ? MOVING : classify(frame);
    kinds[slot(now)] = kind;
    actives[slot(now)] = isActive ? 1 : 0;
    pitches[slot(now)] = frame.periodicity < PERIODICITY_MIN ? 0 : frame.pitchHz;
    if (hasEvidence(kind)) {
      if (!isOpen) {
        isOpen = true;
        startedAt = Math.max(lastAt ?? 0, (findStart(kind) + 1) * HOP_SAMPLES - START_SAMPLES);
      }
      glidingFrame = now;
      periodicFrame = now;
      voicedFrame = now;
    }
    if (!isOpen) return;
    if (kind === VOICED && now - glidingFrame <= UNVOICED_FRAMES_MAX) periodicFrame = now;
    const isNear =
      now - periodicFrame <= UNVOICED_FRAMES_MAX && now - voicedFrame <= CLOSURE_FRAMES_MAX;
    if (isNear && isSound(now)) voicedFrame = now;
    lastAt = Math.max(startedAt ?? 0, (voicedFrame + 1) * HOP_SAMPLES - END_SAMPLES);
    if (now - voicedFrame > PAUSE_FRAMES) isOpen = false;
  }

  function hear(block: Float32Array): Voice {
    let taken = 0;
    while (taken < block.length) {
      const end = Math.min(block.length, taken + WINDOW_SAMPLES - filled);
      for (; taken < end; taken += 1) {
        window[filled] = block[taken] ?? 0;
        filled += 1;
      }
      if (filled === WINDOW_SAMPLES) {
        hearFrame();
        window.copyWithin(0, HOP_SAMPLES);
        filled -= HOP_SAMPLES;
      }
    }
    return { startedAt, lastAt };
  }

  return { hear };
}

function windowOf(kind: number): number {
  return kind === GLIDING ? GLIDING_WINDOW_FRAMES : MOVING_WINDOW_FRAMES;
}

function slot(frame: number): number {
  return (frame + HISTORY_FRAMES) % HISTORY_FRAMES;
}
