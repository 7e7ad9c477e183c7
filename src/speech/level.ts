/** Raises audio that is too quiet for a recogniser and leaves all other audio alone. */
export interface Leveller {
  /**
   * Takes the next 16 kHz mono block (100 ms; the last may be shorter) and returns it: the very
   * same array when the gain is 1, else a new one of the same length with no sample beyond
   * `PEAK_MAX`.
   */
  level(block: Float32Array): Float32Array;
}

/** 20 ms at 16 kHz: a whole period of 50 Hz hum, so hum has a steady level from frame to frame. */
const FRAME_SAMPLES = 320;
/** 5 ms at 16 kHz: how finely the gain bends. */
const STEP_SAMPLES = 80;
/** 2 s: the quietest frame of this time is taken for the background. */
const BACKGROUND_FRAMES = 100;
/** 2 s of speech, pauses not counted: the time over which the speech level is judged. */
const SPEECH_FRAMES = 100;
/** 200 ms of speech must have been heard before anything is raised. */
const EVIDENCE_FRAMES = 10;
/** Quieter frames are digital silence, which tells nothing about the background. */
const SILENCE_DB = -90;
/** Speech is at least this loud, and this much louder than the background. */
const SPEECH_DB_MIN = -78;
const SPEECH_OVER_BACKGROUND_DB = 10;
/** The speech level is what the loudest fifth of its frames reach, 3 to 5 dB over its RMS. */
const SPEECH_QUANTILE = 0.8;
/** Speech swings this much between its soft and its loud frames; noise that sets in does not. */
const SWING_DB_MIN = 4.5;
const SOFT_QUANTILE = 0.1;
/** Speech below this level (an RMS of about -42 dBFS) is raised; at or above it is not touched. */
const QUIET_DB = -38;
/** Where raised speech ends up: an RMS of about -23 dBFS. */
const TARGET_DB = -19;
/** Each decibel below `QUIET_DB` adds this much gain until the target is met: no sudden edge. */
const GAIN_PER_DB = 3;
const GAIN_DB_MAX = 30;
/** The gain never lifts the background above this. */
const RAISED_BACKGROUND_DB_MAX = -45;
/** The fastest rise, in dB per second: from nothing to all in a quarter of a second. */
const RISE_DB_PER_SECOND = 120;
const SAMPLES_PER_SECOND = 16_000;
/** No raised sample goes beyond this. A 32-bit float holds it, so rounding cannot either. */
export const PEAK_MAX = 31 / 32;

/**
 * Creates a leveller for one stream. The same blocks always give the same samples.
 *
 * The background is the minimum of the short-term level over a window longer than a syllable (the
 * idea of R. Martin, "Noise power spectral density estimation based on optimal smoothing and
 * minimum statistics", 2001), so steady hum and hiss are never taken for speech. The gain bends
 * linearly between points 5 ms apart, each low enough for the peaks on both of its sides.
 */
export function createLeveller(): Leveller {
  const recentDb = createWindow(BACKGROUND_FRAMES);
  const speechDb = createWindow(SPEECH_FRAMES);
  let gain = 1;

  function listen(block: Float32Array): void {
    for (let at = 0; at + FRAME_SAMPLES <= block.length; at += FRAME_SAMPLES) {
      const frameDb = measureDb(block.subarray(at, at + FRAME_SAMPLES));
      if (frameDb < SILENCE_DB) continue;
      recentDb.add(frameDb);
      const overBackgroundDb = frameDb - recentDb.lowest();
      if (frameDb >= SPEECH_DB_MIN && overBackgroundDb >= SPEECH_OVER_BACKGROUND_DB) {
        speechDb.add(frameDb);
      }
    }
  }

  function chooseGain(block: Float32Array): number {
    if (speechDb.size() < EVIDENCE_FRAMES) return 1;
    const levelDb = speechDb.quantile(SPEECH_QUANTILE);
    const wantedDb = Math.max(
      0,
      Math.min(
        GAIN_PER_DB * (QUIET_DB - levelDb),
        TARGET_DB - levelDb,
        RAISED_BACKGROUND_DB_MAX - recentDb.lowest(),
        GAIN_DB_MAX,
      ),
    );
    const swingDb = levelDb - speechDb.quantile(SOFT_QUANTILE);
    // Sound that does not swing as speech does gives no cause to raise, nor to take a raise back.
    if (swingDb < SWING_DB_MIN) return Math.min(toRatio(wantedDb), gain);
    const riseDb = (RISE_DB_PER_SECOND * block.length) / SAMPLES_PER_SECOND;
    return Math.min(toRatio(wantedDb), gain * toRatio(riseDb));
  }

  function level(block: Float32Array): Float32Array {
    listen(block);
    const before = gain;
    const wanted = chooseGain(block);
    if (before === 1 && wanted === 1) return block;
    const points = bendGain(block, before, wanted);
    gain = points.at(-1) ?? before;
    return applyGain(block, points);
  }

  return { level };
}

/**
 * Plans the gain over a block: one point at the start of every step and one at the end, leading
 * from `before` to `wanted` but never so high that a sample of a neighbouring step would clip.
 */
function bendGain(block: Float32Array, before: number, wanted: number): number[] {
  const steps = Math.ceil(block.length / STEP_SAMPLES);
  const limits = Array.from({ length: steps }, (_, step) => {
    const peak = findPeak(block.subarray(step * STEP_SAMPLES, (step + 1) * STEP_SAMPLES));
    // A sample that was beyond the limit as it came is left as it is, not turned down.
    return peak === 0 ? Number.POSITIVE_INFINITY : Math.max(1, PEAK_MAX / peak);
  });
  return Array.from({ length: steps + 1 }, (_, point) => {
    const straight = point === steps ? wanted : before + ((wanted - before) * point) / steps;
    const left = limits[point - 1] ?? Number.POSITIVE_INFINITY;
    const right = limits[point] ?? Number.POSITIVE_INFINITY;
    return Math.min(straight, left, right);
  });
}

function applyGain(block: Float32Array, points: readonly number[]): Float32Array {
  return block.map((sample, index) => {
    const step = Math.floor(index / STEP_SAMPLES);
    const from = points[step] ?? 1;
    const to = points[step + 1] ?? from;
    return sample * (from + ((to - from) * (index % STEP_SAMPLES)) / STEP_SAMPLES);
  });
}

function findPeak(samples: Float32Array): number {
  return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}

/** The level in dBFS about the mean, so that the constant offset of a microphone is no sound. */
function measureDb(samples: Float32Array): number {
  let sum = 0;
  let squares = 0;
  for (const sample of samples) {
    sum += sample;
    squares += sample * sample;
  }
  const mean = sum / samples.length;
  const power = squares / samples.length - mean * mean;
  return power <= 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(power);
}

function toRatio(db: number): number {
  return 10 ** (db / 20);
}

interface LevelWindow {
  add(value: number): void;
  size(): number;
  lowest(): number;
  /** The value that the given share of the window lies below. */
  quantile(share: number): number;
}

/** Keeps the last `length` levels. */
function createWindow(length: number): LevelWindow {
  const values: number[] = [];

  return {
    add(value) {
      values.push(value);
      if (values.length > length) values.shift();
    },
    size: () => values.length,
    lowest: () => values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY),
    quantile(share) {
      const sorted = Float64Array.from(values).sort();
      return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NEGATIVE_INFINITY;
    },
  };
}
