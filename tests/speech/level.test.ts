import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { createBlocks, toPcm16 } from "../../src/speech/blocks.ts";
import { createLeveller, PEAK_MAX } from "../../src/speech/level.ts";
import { decodeWav } from "../../src/speech/wav.ts";
import { createRandom } from "../support/random.ts";

const sampleRateHz = 16_000;
/** Recordings of speech that stand beside the project on some machines. */
const clipsDirectory = new URL("../../../shared/audio/", import.meta.url);
const clips = existsSync(clipsDirectory)
  ? readdirSync(clipsDirectory).filter((name) => name.endsWith(".wav"))
  : [];

interface Levelled {
  before: Float32Array[];
  after: Float32Array[];
}

function level(samples: Float32Array): Levelled {
  const blocks = createBlocks();
  const before = blocks.push(samples);
  const rest = blocks.flush();
  if (rest !== null) before.push(rest);
  const leveller = createLeveller();
  return { before, after: before.map((block) => leveller.level(block)) };
}

function isUntouched({ before, after }: Levelled): boolean {
  return before.every((block, at) => block === after[at]);
}

/** Something like speech: a 150 Hz buzz in syllables of 200 ms with pauses, over soft hiss. */
function createBabble(peak: number, seconds: number): Float32Array {
  const hiss = createNoise(-50, seconds * sampleRateHz);
  return hiss.map((noise, at) => {
    const time = at / sampleRateHz;
    const swell = Math.max(0, Math.sin(2 * Math.PI * 2.5 * time)) ** 2;
    const word = time % 1.6 < 1.2 ? 1 : 0;
    const buzz = Math.sin(2 * Math.PI * 150 * time) + 0.5 * Math.sin(2 * Math.PI * 450 * time);
    return peak * (word * swell * 0.65 * buzz + noise);
  });
}

describe("the leveller", () => {
  test("gives speech of normal level back as the very same array", () => {
    for (const peak of [1, 0.3, 0.1]) expect(isUntouched(level(createBabble(peak, 4)))).toBe(true);
  });

  test("raises very quiet speech to a normal level", () => {
    const { after } = level(createBabble(0.01, 4));
    const late = join(after.slice(10));
    expect(measureRmsDb(late)).toBeGreaterThan(-28);
    expect(measureRmsDb(late)).toBeLessThan(-18);
  });

  test("does not raise steady noise or hum", () => {
    const length = 5 * sampleRateHz;
    const fan = createNoise(-65, length);
    const fanSetsIn = createNoise(-85, length).map((noise, at) =>
      at < length / 3 ? noise : (fan[at] ?? 0),
    );
    const sounds = [
      createNoise(-70, length),
      createNoise(-50, length),
      fanSetsIn,
      createTone(50, length, 0.001),
      createTone(60, length, 0.003),
      new Float32Array(length),
      new Float32Array(length).fill(0.2),
    ];
    for (const sound of sounds) expect(isUntouched(level(sound))).toBe(true);
  });

  test("does not lift noise between quiet words to speech level", () => {
    const words = createBabble(0.01, 3);
    const hiss = createNoise(-62, 6 * sampleRateHz);
    const { after } = level(hiss.map((noise, at) => noise + (words[at] ?? 0)));
    expect(measureRmsDb(join(after.slice(-15)))).toBeLessThan(-42);
  });

  test("never clips when a loud voice follows a quiet one", () => {
    const quiet = createBabble(0.01, 3);
    const loud = createBabble(0.9, 3);
    const { before, after } = level(join([quiet, loud]));
    expect(findPeak(join(after))).toBeLessThanOrEqual(Math.max(PEAK_MAX, findPeak(join(before))));
    // After a second or two the loud voice is what counts, and it is left alone.
    expect(after.at(-1)).toBe(before.at(-1));
  });

  test("changes its gain without steps", () => {
    const { before, after } = level(createBabble(0.01, 4));
    const one = join(before);
    const gains = join(after).map((sample, at) => sample / (one[at] ?? 1));
    const clear = gains.filter((_, at) => Math.abs(one[at] ?? 0) > 1e-4);
    expect(findPeak(clear)).toBeGreaterThan(10);
    for (let at = 1; at < gains.length; at += 1) {
      const known = Math.min(Math.abs(one[at] ?? 0), Math.abs(one[at - 1] ?? 0)) > 1e-4;
      if (known) expect(Math.abs((gains[at] ?? 0) - (gains[at - 1] ?? 0))).toBeLessThan(0.1);
    }
  });

  test("gives the same samples every time and takes blocks of any length", () => {
    const samples = createBabble(0.01, 2).subarray(0, 2 * sampleRateHz - 777);
    const first = level(samples);
    expect(first.after).toEqual(level(samples).after);
    expect(first.after.map((block) => block.length)).toEqual(
      first.before.map((block) => block.length),
    );
    const leveller = createLeveller();
    for (const length of [0, 1, 79, 80, 81, 5_000]) {
      expect(leveller.level(new Float32Array(length))).toHaveLength(length);
    }
  });

  test.skipIf(clips.length === 0)(
    "leaves recordings of normal level untouched (needs ../shared)",
    () => {
      for (const clip of clips)
        expect([clip, isUntouched(level(readClip(clip)))]).toEqual([clip, true]);
    },
  );

  test.skipIf(clips.length === 0)("raises recordings turned down to 2 % (needs ../shared)", () => {
    for (const clip of clips) {
      const quiet = toPcm16(readClip(clip).map((sample) => sample * 0.02));
      const { before, after } = level(Float32Array.from(quiet, (sample) => sample / 0x8000));
      const gainDb = measureRmsDb(join(after.slice(9))) - measureRmsDb(join(before.slice(9)));
      expect([clip, gainDb > 12 && gainDb <= 30.1]).toEqual([clip, true]);
      expect(findPeak(join(after))).toBeLessThanOrEqual(PEAK_MAX);
    }
  });
});

function readClip(name: string): Float32Array {
  return decodeWav(readFileSync(new URL(name, clipsDirectory))).samples;
}

function join(blocks: Float32Array[]): Float32Array {
  return Float32Array.from(blocks.flatMap((block) => [...block]));
}

function findPeak(samples: Float32Array): number {
  return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}

function measureRmsDb(samples: Float32Array): number {
  const squares = samples.reduce((sum, sample) => sum + sample * sample, 0);
  return 10 * Math.log10(squares / samples.length);
}

function createTone(hz: number, length: number, peak: number): Float32Array {
  return Float32Array.from(
    { length },
    (_, at) => peak * Math.sin((2 * Math.PI * hz * at) / sampleRateHz),
  );
}

/** White noise of the given RMS level, always the same. */
function createNoise(db: number, length: number): Float32Array {
  const random = createRandom(5);
  const peak = Math.sqrt(3) * 10 ** (db / 20);
  return Float32Array.from({ length }, () => (2 * random() - 1) * peak);
}
