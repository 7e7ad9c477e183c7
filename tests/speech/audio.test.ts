import { describe, expect, test } from "bun:test";
import { bytesPerSecond, createDecoder, UnsupportedAudio } from "../../src/speech/audio.ts";
import type { AudioFormat, Encoding } from "../../src/speech/audio.ts";
import { BLOCK_SAMPLES, createBlocks, toPcm16 } from "../../src/speech/blocks.ts";
import { createRandom, cutRandomly } from "../support/random.ts";

const encodings: Encoding[] = [
  "pcm_s16le",
  "pcm_f32le",
  "mulaw",
  "alaw",
  "pcm_u8",
  "pcm_s24le",
  "pcm_s32le",
];

function formatOf(encoding: Encoding, channels = 1): AudioFormat {
  return { encoding, sampleRate: 16_000, channels };
}

function decode(encoding: Encoding, bytes: ArrayLike<number>, channels = 1): number[] {
  return [...createDecoder(formatOf(encoding, channels)).decode(Uint8Array.from(bytes))];
}

function floatBytes(values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

describe("decoding", () => {
  test("reads each linear encoding on the same scale", () => {
    expect(decode("pcm_s16le", [0, 0, 0, 0x40, 0, 0x80])).toEqual([0, 0.5, -1]);
    expect(decode("pcm_u8", [0x80, 0xc0, 0])).toEqual([0, 0.5, -1]);
    expect(decode("pcm_s24le", [0, 0, 0, 0, 0, 0x40, 0, 0, 0x80])).toEqual([0, 0.5, -1]);
    expect(decode("pcm_s32le", [0, 0, 0, 0x40, 0, 0, 0, 0x80])).toEqual([0.5, -1]);
    expect(decode("pcm_f32le", floatBytes([0, 0.5, -1]))).toEqual([0, 0.5, -1]);
  });

  test("expands G.711 codes to the values of the recommendation", () => {
    const mulaw = decode("mulaw", [0xff, 0x7f, 0x80, 0x00, 0xfe, 0x8f]);
    expect(mulaw.map((sample) => sample * 0x8000)).toEqual([0, 0, 32_124, -32_124, 8, 16_764]);
    const alaw = decode("alaw", [0xd5, 0x55, 0xaa, 0x2a, 0xd4, 0xc5]);
    expect(alaw.map((sample) => sample * 0x8000)).toEqual([8, -8, 32_256, -32_256, 24, 264]);
  });

  test("expands every G.711 code symmetrically", () => {
    for (const encoding of ["mulaw", "alaw"] as const) {
      for (let code = 0; code < 0x80; code += 1) {
        const [negative = 1, positive = 1] = decode(encoding, [code, code | 0x80]);
        expect(positive + negative).toBe(0);
        expect(positive).toBeGreaterThanOrEqual(0);
      }
    }
  });

  test("turns floats that are no numbers into silence and clamps the rest", () => {
    const bytes = floatBytes([Number.NaN, Infinity, -Infinity, 3, -3, 0.25]);
    expect(decode("pcm_f32le", bytes)).toEqual([0, 0, 0, 1, -1, 0.25]);
  });

  test("mixes channels down by averaging", () => {
    expect(decode("pcm_s16le", [0, 0x40, 0, 0xc0, 0, 0x40, 0, 0], 2)).toEqual([0, 0.25]);
    expect(decode("pcm_u8", [0xc0, 0x80, 0x80, 0x80], 4)).toEqual([0.125]);
  });

  test("gives the same samples however the bytes are cut", () => {
    const random = createRandom(7);
    for (const encoding of encodings) {
      for (const channels of [1, 2, 3, 8]) {
        const bytes = Uint8Array.from({ length: 1_003 }, () => Math.floor(random() * 256));
        const whole = createDecoder(formatOf(encoding, channels));
        const expected = [...whole.decode(bytes)];
        const cut = createDecoder(formatOf(encoding, channels));
        const pieces = cutRandomly(bytes, random, 40);
        expect(pieces.flatMap((piece) => [...cut.decode(piece)])).toEqual(expected);
        expect(cut.pendingBytes()).toBe(whole.pendingBytes());
      }
    }
  });

  test("says how many bytes of an unfinished frame wait", () => {
    const decoder = createDecoder(formatOf("pcm_s16le", 2));
    expect(decoder.decode(new Uint8Array(3))).toHaveLength(0);
    expect(decoder.pendingBytes()).toBe(3);
    expect(decoder.decode(new Uint8Array(1))).toHaveLength(1);
    expect(decoder.pendingBytes()).toBe(0);
    expect(decoder.decode(new Uint8Array(0))).toHaveLength(0);
  });

  test("reads bytes that lie at an odd place in their buffer", () => {
    const buffer = Uint8Array.from([9, 0, 0x40, 9]);
    const decoder = createDecoder(formatOf("pcm_s16le"));
    expect([...decoder.decode(buffer.subarray(1, 3))]).toEqual([0.5]);
  });

  test("refuses formats out of limits", () => {
    for (const sampleRate of [0, -1, 3_999, 192_001, 8_000.5, Number.NaN, Infinity]) {
      const format: AudioFormat = { encoding: "mulaw", sampleRate, channels: 1 };
      expect(() => createDecoder(format)).toThrow(UnsupportedAudio);
    }
    for (const channels of [0, -1, 9, 1.5, Number.NaN]) {
      expect(() => createDecoder(formatOf("mulaw", channels))).toThrow(UnsupportedAudio);
    }
  });

  test("counts the bytes of a second", () => {
    expect(bytesPerSecond(formatOf("pcm_s16le"))).toBe(32_000);
    expect(bytesPerSecond({ encoding: "pcm_s24le", sampleRate: 48_000, channels: 2 })).toBe(
      288_000,
    );
  });
});

describe("blocks", () => {
  test("are equal however the samples are cut, and the last one is shorter", () => {
    const random = createRandom(3);
    const samples = Float32Array.from({ length: 3 * BLOCK_SAMPLES + 5 }, (_, index) => index);
    const blocks = createBlocks();
    const full = cutRandomly(samples, random, 900).flatMap((piece) => blocks.push(piece));
    const rest = blocks.flush();
    expect(full.map((block) => block.length)).toEqual([1_600, 1_600, 1_600]);
    expect(rest).toHaveLength(5);
    expect([...full, rest ?? []].flatMap((block) => [...block])).toEqual([...samples]);
    expect(blocks.flush()).toBeNull();
  });

  test("do not change after they were given out", () => {
    const blocks = createBlocks();
    const [first] = blocks.push(new Float32Array(BLOCK_SAMPLES).fill(1));
    blocks.push(new Float32Array(BLOCK_SAMPLES).fill(2));
    expect(first?.every((sample) => sample === 1)).toBe(true);
  });

  test("a 16-bit sample survives decoding and encoding", () => {
    const integers = Int16Array.from({ length: 0x1_0000 }, (_, index) => index - 0x8000);
    const samples = createDecoder(formatOf("pcm_s16le")).decode(new Uint8Array(integers.buffer));
    expect(toPcm16(samples)).toEqual(integers);
  });

  test("16-bit conversion rounds, clamps and silences what is no number", () => {
    const samples = Float32Array.of(1, 2, -2, 0.6 / 0x8000, -0.6 / 0x8000, Number.NaN);
    expect([...toPcm16(samples)]).toEqual([32_767, 32_767, -32_768, 1, -1, 0]);
  });
});
