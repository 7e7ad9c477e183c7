import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { BLOCK_SAMPLES, toPcm16 } from "../../src/speech/blocks.ts";
import { createGate, type Voice } from "../../src/speech/gate.ts";
import { decodeWav } from "../../src/speech/wav.ts";
import { createRandom, cutRandomly } from "../support/random.ts";
import { hasSharedAudio, hasVosk, recording, SHARED_AUDIO } from "../support/sound.ts";

const RATE_HZ = 16_000;
const SECONDS = 20;
const LENGTH = SECONDS * RATE_HZ;

type Stretch = readonly [startedAt: number, lastAt: number];

describe("the gate hears no voice in", () => {
  const noises: Record<string, () => Float32Array> = {
    "digital silence": () => new Float32Array(LENGTH),
    "a constant offset": () => new Float32Array(LENGTH).fill(0.2),
    "white noise at -60 dBFS": () => createNoise(-60, LENGTH),
    "white noise at -30 dBFS": () => createNoise(-30, LENGTH),
    "white noise at -10 dBFS": () => createNoise(-10, LENGTH),
    "noise that sets in suddenly": () =>
      createNoise(-25, LENGTH).map((sample, at) => (at % 50_000 < 25_000 ? 0 : sample)),
    "noise that fades in": () =>
      createNoise(-15, LENGTH).map((sample, at) => (sample * (at % 64_000)) / 64_000),
    "noise that swells like syllables": () =>
      createNoise(-20, LENGTH).map((sample, at) => sample * swell(at, 4)),
    "brown noise": createBrownNoise,
    "the hum of the mains": () => createTones([50, 100, 150, 200, 250, 350, 450]),
    "a steady chord": () => createTones([131, 165, 196, 262, 330, 392]),
    tremolo: () => createTones([220, 440, 660]).map((sample, at) => sample * swell(at, 5.5)),
    "a dialled number": () =>
      createTones([770, 1336]).map((sample, at) => (at % 3_200 < 1_600 ? sample : 0)),
    "a sweep": () => createSweep(100, 4_000, 4),
    "a melody of 2 notes a second": () => createMelody(2),
    "a melody of 5 notes a second": () => createMelody(5),
    "a melody of 8 notes a second": () => createMelody(8),
  };
  for (const [name, create] of Object.entries(noises)) {
    test(name, () => expect(findStretches(create())).toEqual([]));
  }
});

describe("the gate", () => {
  test("takes blocks of any length and depends on the samples only", () => {
    const samples = createVowels();
    const whole = createGate().hear(samples);
    expect(whole.startedAt).not.toBeNull();
    for (const length of [1, 160, 641, BLOCK_SAMPLES]) {
      expect(hearAll(cut(samples, length)).at(-1)).toEqual(whole);
    }
    const pieces = cutRandomly(samples, createRandom(7), 3_000);
    expect(hearAll(pieces).at(-1)).toEqual(whole);
    expect(createGate().hear(new Float32Array())).toEqual({ startedAt: null, lastAt: null });
  });

  test("backdates a stretch to where the voice began and ends it where it ended", () => {
    const [stretch, ...others] = findStretches(pad(createVowels(), RATE_HZ));
    expect(others).toEqual([]);
    expect(Math.abs((stretch?.[0] ?? 0) - RATE_HZ)).toBeLessThan(1_600);
    expect(Math.abs((stretch?.[1] ?? 0) - 3 * RATE_HZ)).toBeLessThan(1_600);
  });

  test("starts a new stretch after a pause of 300 ms, and moves nothing during a pause", () => {
    const voices = hearAll(cut(pad(createVowels(), RATE_HZ, 2), BLOCK_SAMPLES));
    const positions = voices.filter(({ lastAt }) => lastAt !== null);
    expect(new Set(positions.map(({ startedAt }) => startedAt)).size).toBe(2);
    const pause = voices.slice(34, 40);
    expect(new Set(pause.map(({ lastAt }) => lastAt)).size).toBe(1);
  });

  test("does not let noise that sets in hold a voice for longer than half a second", () => {
    const noise = createNoise(-20, 8 * RATE_HZ);
    const vowels = createVowels();
    noise.set(vowels, 0);
    const stretches = findStretches(noise);
    expect(stretches.at(-1)?.[1]).toBeLessThan(vowels.length + RATE_HZ / 2);
  });
});

describe.skipIf(!hasSharedAudio)("recordings of speech (needs ../shared)", () => {
  const clips = hasSharedAudio
    ? readdirSync(SHARED_AUDIO).filter((name) => name.endsWith(".wav"))
    : [];
  const changes: Record<string, (samples: Float32Array) => Float32Array> = {
    "as recorded": (samples) => samples,
    "turned down to 2 %": (samples) => toSamples(samples.map((sample) => sample * 0.02)),
    "turned up to clipping": (samples) => toSamples(samples.map((sample) => sample * 8)),
    "with an offset": (samples) => samples.map((sample) => sample + 0.1),
    "with noise 20 dB below": (samples) => addNoise(samples, 20),
    "with noise 10 dB below": (samples) => addNoise(samples, 10),
  };
  for (const [name, change] of Object.entries(changes)) {
    test(`are all heard ${name}`, () => {
      const unheard = clips.filter((clip) => {
        const samples = change(decodeWav(readFileSync(join(SHARED_AUDIO, clip))).samples);
        return findStretches(samples).length === 0;
      });
      expect(unheard).toEqual([]);
    });
  }
});

test.skipIf(!hasVosk)(
  "the recording of the bundled model holds its three utterances (needs the recogniser)",
  () => {
    const stretches = findStretches(decodeWav(recording()).samples);
    const seconds = stretches.map((stretch) => stretch.map((at) => Math.round(at / RATE_HZ)));
    expect(seconds).toEqual([
      [1, 3],
      [4, 5],
      [6, 8],
    ]);
  },
);

const DIGITS = join(SHARED_AUDIO, "../models/digits-streaming-ctc/test_wavs");

test.skipIf(!existsSync(DIGITS))("short words with pauses are all heard (needs ../shared)", () => {
  const { samples } = decodeWav(readFileSync(join(DIGITS, "digits01.wav")));
  const stretches = findStretches(samples);
  const unheard = [0.53, 1.53, 2.02, 2.58, 3.18, 3.9].filter(
    (second) => !stretches.some(([from, to]) => from <= second * RATE_HZ && second * RATE_HZ <= to),
  );
  expect(unheard).toEqual([]);
});

function hearAll(blocks: readonly Float32Array[]): Voice[] {
  const gate = createGate();
  return blocks.map((block) => gate.hear(block));
}

function findStretches(samples: Float32Array): Stretch[] {
  const stretches = new Map<number, number>();
  for (const { startedAt, lastAt } of hearAll(cut(samples, BLOCK_SAMPLES))) {
    if (startedAt !== null && lastAt !== null) stretches.set(startedAt, lastAt);
  }
  return [...stretches];
}

function cut(samples: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: Math.ceil(samples.length / length) }, (_, at) =>
    samples.subarray(at * length, (at + 1) * length),
  );
}

/** Two seconds of something like a voice: harmonics of a gliding pitch under moving formants. */
function createVowels(): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: 2 * RATE_HZ }, (_, at) => {
    const time = at / RATE_HZ;
    const pitchHz = 130 + 20 * Math.sin(2 * Math.PI * 1.1 * time);
    const formantHz = 700 + 300 * Math.sin(2 * Math.PI * 2.3 * time);
    phase += (2 * Math.PI * pitchHz) / RATE_HZ;
    let sample = 0;
    for (let partial = 1; partial <= 20; partial += 1) {
      const distance = (partial * pitchHz - formantHz) / 300;
      sample += (Math.exp(-distance * distance) + 0.1) * Math.sin(partial * phase);
    }
    return 0.06 * sample;
  });
}

/** The sound after the given silence, as often as asked, and a silence at the end. */
function pad(samples: Float32Array, silence: number, times = 1): Float32Array {
  const padded = new Float32Array(times * (silence + samples.length) + silence);
  for (let time = 0; time < times; time += 1) {
    padded.set(samples, silence + time * (silence + samples.length));
  }
  return padded;
}

function swell(at: number, hz: number): number {
  return 0.5 - 0.5 * Math.cos((2 * Math.PI * hz * at) / RATE_HZ);
}

function createTones(hertz: readonly number[]): Float32Array {
  return Float32Array.from({ length: LENGTH }, (_, at) =>
    hertz.reduce((sum, hz) => sum + 0.08 * Math.sin((2 * Math.PI * hz * at) / RATE_HZ), 0),
  );
}

function createSweep(fromHz: number, toHz: number, seconds: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: LENGTH }, (_, at) => {
    const share = ((at / RATE_HZ) % seconds) / seconds;
    phase += (2 * Math.PI * fromHz * (toHz / fromHz) ** share) / RATE_HZ;
    return 0.2 * Math.sin(phase);
  });
}

/** Plucked notes of eight partials, each at its own pitch. */
function createMelody(notesPerSecond: number): Float32Array {
  const random = createRandom(11);
  const noteSamples = RATE_HZ / notesPerSecond;
  let hz = 0;
  return Float32Array.from({ length: LENGTH }, (_, at) => {
    const into = at % noteSamples;
    if (into < 1) hz = 262 * 2 ** (Math.floor(random() * 19) / 12);
    const time = into / RATE_HZ;
    const loudness = Math.min(1, time / 0.01) * Math.exp(-time / 0.3);
    let sample = 0;
    for (let partial = 1; partial <= 8; partial += 1) {
      sample += Math.sin(2 * Math.PI * partial * hz * time) / partial;
    }
    return 0.2 * loudness * sample;
  });
}

function createBrownNoise(): Float32Array {
  let level = 0;
  return createNoise(-30, LENGTH).map((sample) => {
    level = 0.998 * level + sample;
    return level / 4;
  });
}

/** White noise of the given RMS level, always the same. */
function createNoise(db: number, length: number): Float32Array {
  const random = createRandom(5);
  const peak = Math.sqrt(3) * 10 ** (db / 20);
  return Float32Array.from({ length }, () => (2 * random() - 1) * peak);
}

function addNoise(samples: Float32Array, dbBelow: number): Float32Array {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const noise = createNoise(10 * Math.log10(power) - dbBelow, samples.length);
  return samples.map((sample, at) => sample + (noise[at] ?? 0));
}

/** Through 16 bits and back, as a recording of that level would have been. */
function toSamples(samples: Float32Array): Float32Array {
  return Float32Array.from(toPcm16(samples), (sample) => sample / 0x8000);
}
