import { createCosineTransform, createRealFft } from "./spectrum.ts";

/** 40 ms at 16 kHz: nearly three periods of the lowest voice. */
export const WINDOW_SAMPLES = 640;
/** 10 ms at 16 kHz: from one frame to the next. */
export const HOP_SAMPLES = 160;

/** What one frame sounds like. The same object is filled again for every frame. */
export interface Frame {
  /** The level of the whole frame, its constant offset taken out. */
  levelDb: number;
  /** The level in each of `BANDS`. */
  bandsDb: Float64Array;
  /** 0 for noise to 1 for a sound that repeats itself. */
  periodicity: number;
  /** How often it does, where `periodicity` is not 0. */
  pitchHz: number;
  /** 0 when partials go on just as they did for 40 ms, to 1; only of periodic frames, else 1. */
  surprise: number;
  /** Over how many bins the power is spread: 4 for one sine wave; only of periodic frames, else 0. */
  spreadBins: number;
}

export interface Voicing {
  /** Measures the newest `WINDOW_SAMPLES` samples; they come every `HOP_SAMPLES` samples. */
  measure(samples: Float64Array): Frame;
}

const RATE_HZ = 16_000;
const POINTS = 1_024;
const BINS = POINTS / 2 + 1;
/** From 94 to 3,600 Hz: what a telephone leaves of a voice, and little of the hum of the mains. */
const LOW_BIN = 6;
const HIGH_BIN = 230;
/** Where the bands of the background begin and end: 150, 700, 1500, 2500, 4000, 6000, 7800 Hz. */
const BAND_EDGES = [10, 45, 96, 160, 256, 384, 500];
export const BANDS = BAND_EDGES.length - 1;
/** 200 Hz to each side: the breadth over which the spectrum is made level. */
const SMOOTH_BINS = 13;
/** Voices from 70 to 400 Hz, as periods in samples. */
const PERIOD_MIN = 40;
const PERIOD_MAX = 230;
/** A longer period must be this much better than a shorter one, else it is only its multiple. */
const LONGER_PERIOD_LEAD = 0.02;
/** Frames of less than -100 dB are silence, and quieter ones than the other have no pitch. */
const SILENT_POWER_MAX = 1e-10;
const LEVEL_DB_MIN = -88;
/** Less periodic frames are not looked at any closer. */
const PERIODICITY_MIN = 0.35;
/** Partials are foretold 20 ms ahead from two frames 20 ms apart. */
const FORETOLD_FRAMES = 2;
const KEPT_FRAMES = 2 * FORETOLD_FRAMES + 1;
const POWER_MIN = 1e-15;
const SHARE_MIN = 1e-5;

/**
 * Creates the measurement for one stream.
 *
 * The period is the highest peak of the autocorrelation of the spectrum's power, which is first
 * made half level, so that neither one strong partial nor coloured noise passes for a voice (after
 * T. Tolonen and M. Karjalainen, "A computationally efficient multipitch analysis model", 2000),
 * and is divided by that of the window (P. Boersma, "Accurate short-term analysis of the fundamental
 * frequency", 1993). `surprise` is the unpredictability of phases that perceptual coders tell tones
 * from noise with (K. Brandenburg and J. Johnston, "Second generation perceptual audio coding: the
 * hybrid coder", 1990).
 */
export function createVoicing(): Voicing {
  const fft = createRealFft(POINTS);
  const cosine = createCosineTransform(POINTS / 2);
  const window = createWindow();
  const windowSum = window.reduce((sum, weight) => sum + weight, 0);
  const powerScale = 2 / (POINTS * window.reduce((sum, weight) => sum + weight * weight, 0));
  const corrections = correctLags(window);
  const windowed = new Float64Array(POINTS);
  const power = new Float64Array(BINS);
  const levelled = new Float64Array(BINS);
  const correlation = new Float64Array(BINS);
  const reals = Array.from({ length: KEPT_FRAMES }, () => new Float64Array(BINS));
  const imaginaries = Array.from({ length: KEPT_FRAMES }, () => new Float64Array(BINS));
  const frame: Frame = {
    levelDb: toDb(0),
    bandsDb: new Float64Array(BANDS),
    periodicity: 0,
    pitchHz: 0,
    surprise: 1,
    spreadBins: 0,
  };
  let turn = 0;

  function measure(samples: Float64Array): Frame {
    turn = (turn + 1) % KEPT_FRAMES;
    const re = reals[turn] ?? power;
    const im = imaginaries[turn] ?? power;
    frame.periodicity = 0;
    frame.surprise = 1;
    frame.spreadBins = 0;
    if (takeWindow(samples) < SILENT_POWER_MAX) {
      re.fill(0);
      im.fill(0);
      frame.levelDb = toDb(0);
      frame.bandsDb.fill(toDb(0));
      return frame;
    }
    fft.transform(windowed, re, im);
    for (let bin = 0; bin < BINS; bin += 1) {
      const real = re[bin] ?? 0;
      const imaginary = im[bin] ?? 0;
      power[bin] = real * real + imaginary * imaginary;
    }
    let total = sum(power, LOW_BIN, BAND_EDGES[0] ?? 0) + sum(power, BAND_EDGES[BANDS] ?? 0, BINS);
    for (let band = 0; band < BANDS; band += 1) {
      const inBand = sum(power, BAND_EDGES[band] ?? 0, BAND_EDGES[band + 1] ?? 0);
      frame.bandsDb[band] = toDb(inBand * powerScale);
      total += inBand;
    }
    frame.levelDb = toDb(total * powerScale);
    if (frame.levelDb < LEVEL_DB_MIN) return frame;
    findPeriod();
    if (frame.periodicity < PERIODICITY_MIN) return frame;
    frame.surprise = measureSurprise(
      power,
      [re, im],
      frameBefore(FORETOLD_FRAMES),
      frameBefore(2 * FORETOLD_FRAMES),
    );
    frame.spreadBins = measureSpread(power);
    return frame;
  }

  /** Takes out the constant offset and weighs the samples; returns their mean power. */
  function takeWindow(samples: Float64Array): number {
    let mean = 0;
    for (let at = 0; at < WINDOW_SAMPLES; at += 1) mean += (samples[at] ?? 0) * (window[at] ?? 0);
    mean /= windowSum;
    let total = 0;
    for (let at = 0; at < WINDOW_SAMPLES; at += 1) {
      const sample = ((samples[at] ?? 0) - mean) * (window[at] ?? 0);
      windowed[at] = sample;
      total += sample * sample;
    }
    return total / WINDOW_SAMPLES;
  }

  function frameBefore(frames: number): Spectrum {
    const at = (turn + KEPT_FRAMES - frames) % KEPT_FRAMES;
    return [reals[at] ?? power, imaginaries[at] ?? power];
  }

  function findPeriod(): void {
    levelSpectrum(power, levelled);
    cosine.transform(levelled, correlation);
    const scale = 1 / (correlation[0] ?? 0);
    let best = 0;
    let period = 0;
    let before = 0;
    let here = 0;
    for (let lag = PERIOD_MIN - 1; lag <= PERIOD_MAX + 1; lag += 1) {
      const after = (correlation[lag] ?? 0) * scale * (corrections[lag] ?? 0);
      const isPeak = lag > PERIOD_MIN && here > before && here >= after;
      if (isPeak && here > best + (period === 0 ? 0 : LONGER_PERIOD_LEAD)) {
        best = here;
        period = lag - 1 + (before - after) / (2 * (before - 2 * here + after));
      }
      before = here;
      here = after;
    }
    frame.periodicity = best;
    frame.pitchHz = period === 0 ? 0 : RATE_HZ / period;
  }

  return { measure };
}

type Spectrum = readonly [re: Float64Array, im: Float64Array];

/** A Hann window. */
function createWindow(): Float64Array {
  return Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / WINDOW_SAMPLES),
  );
}

/** What makes up for the window's own fading with the lag. */
function correctLags(window: Float64Array): Float64Array {
  const correlate = (lag: number): number =>
    window.reduce((total, weight, at) => total + weight * (window[at + lag] ?? 0), 0);
  const whole = correlate(0);
  return Float64Array.from({ length: PERIOD_MAX + 2 }, (_, lag) => whole / correlate(lag));
}

/**
 * Divides the power by the root of its mean near by: halfway level, for a spectrum made all level
 * gives noise between the formants as much weight as the voice. Outside of the band stays 0.
 */
function levelSpectrum(power: Float64Array, levelled: Float64Array): void {
  let near = sum(power, 0, LOW_BIN + SMOOTH_BINS);
  for (let bin = LOW_BIN; bin <= HIGH_BIN; bin += 1) {
    near += power[bin + SMOOTH_BINS] ?? 0;
    const gone = bin - SMOOTH_BINS - 1;
    if (gone >= 0) near -= power[gone] ?? 0;
    const width = SMOOTH_BINS + 1 + Math.min(SMOOTH_BINS, bin);
    levelled[bin] = (power[bin] ?? 0) / Math.sqrt(Math.max(near, 0) / width + POWER_MIN);
  }
}

/** The mean error of the phases foretold from the last two spectra, weighed by magnitude. */
function measureSurprise(
  power: Float64Array,
  [re, im]: Spectrum,
  [re1, im1]: Spectrum,
  [re2, im2]: Spectrum,
): number {
  let errors = 0;
  let weights = 0;
  for (let bin = LOW_BIN; bin <= HIGH_BIN; bin += 1) {
    const real1 = re1[bin] ?? 0;
    const imaginary1 = im1[bin] ?? 0;
    const real2 = re2[bin] ?? 0;
    const imaginary2 = im2[bin] ?? 0;
    // The phase turns on as it has turned: that of the first times that of the first over the second.
    const squareReal = real1 * real1 - imaginary1 * imaginary1;
    const squareImaginary = 2 * real1 * imaginary1;
    const real = squareReal * real2 + squareImaginary * imaginary2;
    const imaginary = squareImaginary * real2 - squareReal * imaginary2;
    const weight = Math.sqrt(power[bin] ?? 0);
    const product = Math.sqrt(real * real + imaginary * imaginary) * weight + Number.MIN_VALUE;
    const cosine = (real * (re[bin] ?? 0) + imaginary * (im[bin] ?? 0)) / product;
    errors += weight * Math.sqrt(Math.max(0, (1 - cosine) / 2));
    weights += weight;
  }
  return weights === 0 ? 1 : errors / weights;
}

/** The exponential of the entropy of the power (C. Shannon, 1948). */
function measureSpread(power: Float64Array): number {
  const scale = 1 / sum(power, LOW_BIN, HIGH_BIN + 1);
  let entropy = 0;
  for (let bin = LOW_BIN; bin <= HIGH_BIN; bin += 1) {
    const share = (power[bin] ?? 0) * scale;
    // The others add nothing but the time for their logarithms.
    if (share > SHARE_MIN) entropy -= share * Math.log(share);
  }
  return Math.exp(entropy);
}

function sum(values: Float64Array, from: number, to: number): number {
  let total = 0;
  for (let at = from; at < to; at += 1) total += values[at] ?? 0;
  return total;
}

function toDb(power: number): number {
  return 10 * Math.log10(power + 1e-13);
}
