import { describe, expect, test } from "bun:test";
import { UnsupportedAudio } from "../../../src/speech/audio.ts";
import { FILE_KINDS } from "../../../src/speech/files/kinds.ts";
import { createResampler } from "../../../src/speech/resample.ts";
import { decodeWav } from "../../../src/speech/wav.ts";
import { createRandom } from "../../support/random.ts";
import { hasVosk, recording } from "../../support/sound.ts";
import { SOUND_FILES, decode, soundFile } from "./sound-files.ts";

/** Every byte must count, but not every one needs a try. */
const CUT_EVERY_BYTES = 997;

async function original(seconds: number, sampleRate: number): Promise<Float32Array> {
  const { samples, format } = decodeWav(recording());
  const resampler = await createResampler(format.sampleRate, sampleRate);
  const resampled = [...resampler.push(samples), ...resampler.flush()];
  resampler.free();
  return Float32Array.from(resampled.slice(0, seconds * sampleRate));
}

/** From -1 to 1; 1 for the same shape, whatever the loudness. */
function likeness(one: Float32Array, other: Float32Array): number {
  let both = 0;
  let ones = 0;
  let others = 0;
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    const [a = 0, b = 0] = [one[at], other[at]];
    both += a * b;
    ones += a * a;
    others += b * b;
  }
  return both / Math.sqrt(ones * others);
}

function wavOf(samples: number): Uint8Array {
  const header = WAV_HEADER.slice();
  new DataView(header.buffer).setUint32(40, samples * 2, true);
  return Buffer.concat([header, new Uint8Array(samples * 2).fill(1)]);
}

const WAV_HEADER = new Uint8Array(
  Buffer.from(
    "RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\0\0\0",
    "latin1",
  ),
);

async function messageOf(bytes: Uint8Array): Promise<string> {
  const error = await decode(bytes).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(UnsupportedAudio);
  return error instanceof UnsupportedAudio ? error.message : "";
}

describe("a sound file", () => {
  for (const [name, seconds] of SOUND_FILES) {
    test.skipIf(!hasVosk)(
      `sounds as it was recorded, at its place in time: ${name} (needs the recogniser)`,
      async () => {
        const { samples, sampleRate } = await decode(soundFile(name));
        expect(Math.abs(samples.length / sampleRate - seconds)).toBeLessThan(0.06);
        expect(likeness(samples, await original(seconds, sampleRate))).toBeGreaterThan(0.9);
      },
    );

    test(`gives the same samples however its bytes are cut: ${name}`, async () => {
      const bytes = soundFile(name);
      const whole = await decode(bytes);
      for (const cutBytes of [1, 7, 4096]) {
        expect(await decode(bytes, cutBytes)).toEqual(whole);
      }
    });

    test(`can be cut off anywhere: ${name}`, async () => {
      const bytes = soundFile(name);
      const whole = await decode(bytes);
      for (let end = 0; end < bytes.length; end += CUT_EVERY_BYTES) {
        const sound = await decode(bytes.subarray(0, end)).catch((error: unknown) => error);
        if (sound instanceof UnsupportedAudio) continue;
        expect(sound).toHaveProperty("sampleRate", whole.sampleRate);
      }
    });

    test(`can be broken anywhere: ${name}`, async () => {
      const random = createRandom(1);
      const bytes = soundFile(name);
      for (let time = 0; time < 12; time += 1) {
        const broken = bytes.slice();
        const reach = time % 2 === 0 ? broken.length : 300;
        for (let hit = 0; hit < 4; hit += 1) {
          broken[Math.floor(random() * reach)] = Math.floor(random() * 256);
        }
        const outcome = await decode(broken).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UnsupportedAudio);
      }
    });
  }

  test("of WAV is read too, cut anywhere", async () => {
    const { samples, sampleRate } = await decode(wavOf(1000));
    expect(samples.length).toBe(1000);
    expect(sampleRate).toBe(16_000);
    expect(await decode(wavOf(1000), 1)).toEqual({ samples, sampleRate });
  });

  test("is mixed down by averaging its channels", async () => {
    const stereo = await decode(soundFile("speech-stereo.flac"));
    const mono = await decode(soundFile("speech-flac.ogg"));
    // The right channel is half as loud as the left one.
    const ratios = [...mono.samples].flatMap((sample, at) =>
      Math.abs(sample) > 0.01 ? [(stereo.samples[at] ?? 0) / sample] : [],
    );
    expect(ratios.length).toBeGreaterThan(100);
    for (const ratio of ratios) expect(ratio).toBeCloseTo(0.75, 1);
  });
});

describe("what is no sound file", () => {
  const random = createRandom(7);
  const rubbish: Record<string, Uint8Array> = {
    nothing: new Uint8Array(0),
    "one byte": Uint8Array.of(0xff),
    "a line of text": Buffer.from("Dear reader"),
    "a long text": Buffer.from("Dear reader, this is no sound. ".repeat(5000)),
    "a ZIP file": Buffer.from("PK\x03\x04\x14\0\0\0\x08\0".repeat(300), "latin1"),
    "a PNG file": Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".repeat(300), "latin1"),
    "random bytes": Uint8Array.from({ length: 300_000 }, () => Math.floor(random() * 256)),
    "bytes of 255": new Uint8Array(200_000).fill(0xff),
    "a tag with nothing behind it": Buffer.from("ID3\x04\0\0\x7f\x7f\x7f\x7f", "latin1"),
    "a RIFF file of another kind": Buffer.from("RIFF\0\0\0\0AVI LIST", "latin1"),
  };

  for (const [name, bytes] of Object.entries(rubbish)) {
    test(`is refused, and told what is read: ${name}`, async () => {
      const message = await messageOf(bytes);
      for (const { name } of FILE_KINDS) expect(message).toContain(name);
    });
  }

  test("is known as MP4 where it is one", async () => {
    const message = await messageOf(Buffer.from("\0\0\0\x18ftypM4A \0\0\0\0isom", "latin1"));
    expect(message).toContain("M4A");
  });

  test("is refused where only a header is left", async () => {
    for (const marker of ["fLaC", "OggS", "\x1a\x45\xdf\xa3", "RIFF", "RIFF\0\0\0\0WAVE", "ID3"]) {
      expect((await messageOf(Buffer.from(marker, "latin1"))).length).toBeGreaterThan(20);
    }
  });
});
