import { describe, expect, test } from "bun:test";
import { UnsupportedAudio } from "../../src/speech/audio.ts";
import type { Encoding } from "../../src/speech/audio.ts";
import { createWavParser, decodeWav, isWav, WAV_HEADER_BYTES_MAX } from "../../src/speech/wav.ts";
import { createRandom } from "../support/random.ts";

const halfAndBack = [0, 0x40, 0, 0xc0];
const subformatTail = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

interface Header {
  tag: number;
  channels: number;
  sampleRate: number;
  bits: number;
  blockBytes: number;
}

const plain: Header = { tag: 1, channels: 1, sampleRate: 16_000, bits: 16, blockBytes: 2 };

function number(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

function chunk(id: string, body: number[], size = body.length): number[] {
  return [...Buffer.from(id, "latin1"), ...number(size, 4), ...body];
}

function formatBody(header: Header): number[] {
  const { tag, channels, sampleRate, bits, blockBytes } = header;
  return [
    ...number(tag, 2),
    ...number(channels, 2),
    ...number(sampleRate, 4),
    ...number(sampleRate * blockBytes, 4),
    ...number(blockBytes, 2),
    ...number(bits, 2),
  ];
}

function wav(...chunks: number[][]): Uint8Array {
  const body = [...Buffer.from("WAVE"), ...chunks.flat()];
  return Uint8Array.from([...Buffer.from("RIFF"), ...number(body.length, 4), ...body]);
}

function fileOf(header: Partial<Header>, audio: number[]): Uint8Array {
  return wav(chunk("fmt ", formatBody({ ...plain, ...header })), chunk("data", audio));
}

function samplesOf(bytes: Uint8Array): number[] {
  return [...decodeWav(bytes).samples];
}

describe("a WAV file", () => {
  test("is known by its first twelve bytes", () => {
    expect(isWav(fileOf({}, []))).toBe(true);
    expect(isWav(fileOf({}, []).subarray(0, 12))).toBe(true);
    expect(isWav(fileOf({}, []).subarray(0, 11))).toBe(false);
    expect(isWav(new Uint8Array(0))).toBe(false);
    expect(isWav(Buffer.from("RIFF    AVI LIST"))).toBe(false);
  });

  test("gives its format, samples and duration", () => {
    const file = decodeWav(fileOf({ sampleRate: 8_000 }, halfAndBack));
    expect(file.format).toEqual({ encoding: "pcm_s16le", sampleRate: 8_000, channels: 1 });
    expect([...file.samples]).toEqual([0.5, -0.5]);
    expect(file.durationMs).toBe(0.25);
  });

  test("may hold any of the supported ENCODINGS", () => {
    const float = [...new Uint8Array(Float32Array.of(0.5).buffer)];
    const cases: [Partial<Header>, number[], Encoding, number[]][] = [
      [{ bits: 8, blockBytes: 1 }, [0xc0], "pcm_u8", [0.5]],
      [{ bits: 24, blockBytes: 3 }, [0, 0, 0x40], "pcm_s24le", [0.5]],
      [{ bits: 32, blockBytes: 4 }, [0, 0, 0, 0x40], "pcm_s32le", [0.5]],
      [{ tag: 3, bits: 32, blockBytes: 4 }, float, "pcm_f32le", [0.5]],
      [{ tag: 6, bits: 8, blockBytes: 1 }, [0xaa], "alaw", [32_256 / 0x8000]],
      [{ tag: 7, bits: 8, blockBytes: 1 }, [0x80], "mulaw", [32_124 / 0x8000]],
      [{ channels: 2, blockBytes: 4 }, [0, 0x40, 0, 0], "pcm_s16le", [0.25]],
    ];
    for (const [header, audio, encoding, samples] of cases) {
      const file = decodeWav(fileOf(header, audio));
      expect(file.format.encoding).toBe(encoding);
      expect([...file.samples]).toEqual(samples);
    }
  });

  test("may name its encoding in the extensible way", () => {
    const start = [...formatBody({ ...plain, tag: 0xfffe }), 22, 0, 16, 0, 4, 0, 0, 0, 1, 0];
    const body = [...start, ...subformatTail];
    expect(samplesOf(wav(chunk("fmt ", body), chunk("data", halfAndBack)))).toEqual([0.5, -0.5]);
    const short = wav(chunk("fmt ", body.slice(0, 24)), chunk("data", halfAndBack));
    expect(() => decodeWav(short)).toThrow("cut short");
    const foreign = [...start, ...subformatTail.toReversed()];
    expect(() => decodeWav(wav(chunk("fmt ", foreign), chunk("data", [])))).toThrow("unknown");
  });

  test("may hold other chunks, also of odd length, before and after its audio", () => {
    const bytes = wav(
      chunk("LIST", [1, 2, 3, 0], 3),
      chunk("fmt ", [...formatBody(plain), 0, 0]),
      chunk("fact", [2, 0, 0, 0]),
      chunk("data", halfAndBack),
      chunk("LIST", [1, 2, 3, 4]),
    );
    expect(samplesOf(bytes)).toEqual([0.5, -0.5]);
  });

  test("lasts to its end when the length of the audio is unknown or too large", () => {
    for (const size of [0, 0xffff_ffff, 0x7fff_ffff, 5]) {
      const bytes = wav(chunk("fmt ", formatBody(plain)), chunk("data", halfAndBack, size));
      expect(samplesOf(bytes)).toEqual([0.5, -0.5]);
    }
  });

  test("may be empty or end in the middle of a sample", () => {
    expect(samplesOf(fileOf({}, []))).toEqual([]);
    expect(samplesOf(fileOf({}, [0, 0x40, 0]))).toEqual([0.5]);
  });

  test("is refused when its header makes no sense", () => {
    const wrong: Partial<Header>[] = [
      { channels: 0, blockBytes: 0 },
      { channels: 9, blockBytes: 18 },
      { sampleRate: 0 },
      { sampleRate: 0xffff_ffff },
      { blockBytes: 0 },
      { blockBytes: 4 },
      { bits: 0 },
      { bits: 12 },
      { tag: 2, bits: 4, blockBytes: 256 },
      { tag: 3, bits: 64, blockBytes: 8 },
      { tag: 7 },
    ];
    for (const header of wrong) {
      expect(() => decodeWav(fileOf(header, halfAndBack))).toThrow(UnsupportedAudio);
    }
  });

  test("is refused when a part is missing", () => {
    const whole = fileOf({}, halfAndBack);
    for (let length = 0; length < 44; length += 1) {
      expect(() => decodeWav(whole.subarray(0, length))).toThrow(UnsupportedAudio);
    }
    expect(() => decodeWav(wav(chunk("data", halfAndBack)))).toThrow("no format");
    expect(() => decodeWav(wav(chunk("fmt ", formatBody(plain).slice(0, 14))))).toThrow(
      "cut short",
    );
    expect(() => decodeWav(Buffer.from("OggS and then some more"))).toThrow("not a RIFF/WAVE");
  });

  test("is refused when its header is too long", () => {
    const tags = Array.from({ length: 9 }, () => chunk("LIST", Array<number>(8_192).fill(0)));
    expect(() => decodeWav(wav(...tags))).toThrow(`${WAV_HEADER_BYTES_MAX}`);
    expect(() => decodeWav(wav(chunk("junk", [], 0xffff_ffff)))).toThrow(`${WAV_HEADER_BYTES_MAX}`);
    const empties = Array.from({ length: 8_300 }, () => chunk("junk", []));
    expect(() => decodeWav(wav(...empties))).toThrow(`${WAV_HEADER_BYTES_MAX}`);
  });
});

describe("a WAV stream", () => {
  test("gives the same audio byte by byte as in one piece", () => {
    const bytes = wav(
      chunk("LIST", [1, 2, 3, 0], 3),
      chunk("fmt ", formatBody(plain)),
      chunk("data", halfAndBack),
      chunk("LIST", [1, 2, 3, 4]),
    );
    const parser = createWavParser();
    const found = [...bytes].map((byte) => parser.push(Uint8Array.of(byte)));
    expect(found.flatMap((piece) => (piece === null ? [] : [...piece.audio]))).toEqual(halfAndBack);
    expect(found.findIndex((piece) => piece !== null)).toBe(bytes.length - 4 - 12 - 1);
  });

  test("gives its format as soon as the audio begins", () => {
    const parser = createWavParser();
    const header = fileOf({}, halfAndBack).subarray(0, 44);
    expect(parser.push(header.subarray(0, 43))).toBeNull();
    const found = parser.push(header.subarray(43));
    expect(found?.format.sampleRate).toBe(16_000);
    expect(found?.audio).toHaveLength(0);
    expect(parser.push(new Uint8Array(0))?.audio).toHaveLength(0);
  });

  test("throws nothing but UnsupportedAudio for damaged headers", () => {
    const random = createRandom(20);
    const whole = wav(
      chunk("fact", [2, 0, 0, 0]),
      chunk("fmt ", [...formatBody(plain), 22, 0, 16, 0, 4, 0, 0, 0, 1, 0, ...subformatTail]),
      chunk("LIST", [1, 2, 3, 0], 3),
      chunk("data", halfAndBack),
    );
    const outcomes = new Set<string>();
    for (let round = 0; round < 3_000; round += 1) {
      const bytes = whole.slice(0, Math.ceil(random() * whole.length * 1.3));
      const damages = Math.floor(random() * 6);
      for (let damage = 0; damage < damages; damage += 1) {
        // Most damage falls behind the magic, else hardly a round would come past it.
        const at = Math.floor((random() < 0.1 ? random() : 0.1 + 0.9 * random()) * bytes.length);
        bytes[at] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      try {
        const { samples } = decodeWav(bytes);
        expect(samples.every((sample) => Math.abs(sample) <= 1)).toBe(true);
        outcomes.add("decoded");
      } catch (error) {
        if (!(error instanceof UnsupportedAudio)) throw error;
        outcomes.add(error.message.slice(0, 24));
      }
    }
    expect(outcomes.size).toBeGreaterThan(5);
  });
});
