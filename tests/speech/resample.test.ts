import { describe, expect, test } from "bun:test";
import { createResampler } from "../../src/speech/resample.ts";
import { createRandom, cutRandomly } from "../support/random.ts";

const outputHz = 16_000;

async function resample(samples: Float32Array, fromHz: number): Promise<Float32Array> {
  return resamplePieces([samples], fromHz);
}

async function resamplePieces(pieces: Float32Array[], fromHz: number): Promise<Float32Array> {
  const resampler = await createResampler(fromHz, outputHz);
  const out = pieces.map((piece) => resampler.push(piece));
  out.push(resampler.flush());
  resampler.free();
  return Float32Array.from(out.flatMap((piece) => [...piece]));
}

describe("resampling", () => {
  test("leaves equal rates alone", async () => {
    const resampler = await createResampler(16_000, 16_000);
    const samples = Float32Array.of(0.1, 0.2);
    expect(resampler.push(samples)).toBe(samples);
    expect(resampler.flush()).toHaveLength(0);
    resampler.free();
  });

  test("gives as many samples as the time needs, at any rate", async () => {
    for (const fromHz of [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 192_000]) {
      for (const length of [0, 1, 5_003]) {
        const out = await resample(new Float32Array(length), fromHz);
        expect(out).toHaveLength(Math.round((length * outputHz) / fromHz));
      }
    }
  });

  test("gives exactly the same samples however the input is cut", async () => {
    const random = createRandom(11);
    for (const fromHz of [8_000, 44_100]) {
      const samples = Float32Array.from({ length: 9_001 }, () => random() - 0.5);
      const whole = await resample(samples, fromHz);
      for (const lengthMax of [60, 4_000]) {
        const pieces = cutRandomly(samples, random, lengthMax);
        expect(await resamplePieces(pieces, fromHz)).toEqual(whole);
      }
    }
  });

  test("keeps speech frequencies where they are in time and level", async () => {
    const cases: [fromHz: number, hz: number][] = [
      [8_000, 1_000],
      [8_000, 3_400],
      [44_100, 6_000],
      [48_000, 7_000],
    ];
    for (const [fromHz, hz] of cases) {
      const out = await resample(createTone(hz, fromHz, fromHz / 4), fromHz);
      expect(findDifference(out, createTone(hz, outputHz, outputHz / 4))).toBeLessThan(0.05);
    }
  });

  test("removes frequencies that the new rate cannot hold", async () => {
    for (const fromHz of [44_100, 48_000]) {
      const out = await resample(createTone(10_000, fromHz, fromHz / 4), fromHz);
      expect(findPeak(out.slice(500, -500))).toBeLessThan(0.5 * 10 ** (-90 / 20));
    }
    // Going up, the mirror image of a 3 kHz tone would stand at 5 kHz.
    const up = await resample(createTone(3_000, 8_000, 2_000), 8_000);
    expect(findDifference(up, createTone(3_000, outputHz, 4_000))).toBeLessThan(1e-3);
  });

  test("keeps the end of the sound", async () => {
    const samples = new Float32Array(4_800).fill(0.5, 4_500);
    const out = await resample(samples, 48_000);
    expect(out).toHaveLength(1_600);
    expect(out[1_560]).toBeCloseTo(0.5, 1);
  });

  test("stays within the range of samples", async () => {
    const square = Float32Array.from({ length: 8_000 }, (_, at) => (at % 40 < 20 ? 1 : -1));
    expect(findPeak(await resample(square, 8_000))).toBe(1);
  });

  test("refuses sound after the end and may be freed twice", async () => {
    const resampler = await createResampler(8_000, 16_000);
    resampler.flush();
    expect(() => resampler.push(new Float32Array(1))).toThrow("flushed");
    resampler.free();
    resampler.free();
    expect(() => resampler.flush()).toThrow("freed");
  });
});

function createTone(hz: number, sampleRateHz: number, length: number): Float32Array {
  return Float32Array.from(
    { length },
    (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / sampleRateHz),
  );
}

function findPeak(samples: Float32Array): number {
  return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}

/** The largest difference away from the edges, where the filter still fills. */
function findDifference(one: Float32Array, other: Float32Array): number {
  expect(one).toHaveLength(other.length);
  return findPeak(one.map((sample, at) => sample - (other[at] ?? 0)).slice(500, -500));
}
