import { type Environment } from "../../src/environment.ts";
import { decodeWav } from "../../src/speech/wav.ts";
import { type TestApp, startTestApp, until } from "./app.ts";
import { type Frame, type TestSocket, openSocket } from "./socket.ts";
import { recording } from "./sound.ts";

/** What of the sound is written down, and how. */
export interface Spoken {
  encoding: "pcm_s16le" | "pcm_f32le" | "mulaw" | "alaw";
  sampleRate: number;
  channels: number;
}

/** So long may a slow machine take over what a test says. */
const HEARD_MS_MAX = 25_000;
const WAV_HEADER_BYTES = 44;
const RATE_HZ = 16_000;
export const PLAIN: Spoken = { encoding: "pcm_s16le", sampleRate: RATE_HZ, channels: 1 };

/** The app with the recogniser, when it can hear. */
export async function startHearingApp(settings: Environment = {}): Promise<TestApp> {
  const app = await startTestApp({ SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "2", ...settings });
  await until(async () => (await fetch(`${app.url}/readyz`)).ok);
  return app;
}

/** Samples in [-1, 1] of the real recording, from and up to a time. */
export function speech(fromMs = 0, toMs = Number.POSITIVE_INFINITY): number[] {
  const samples = [...decodeWav(recording()).samples];
  return samples.slice((fromMs * RATE_HZ) / 1000, (toMs * RATE_HZ) / 1000);
}

/** Writes 16 kHz samples down in another way. */
export function written(
  samples: readonly number[],
  as: Partial<Spoken> = {},
): Uint8Array<ArrayBuffer> {
  const { encoding, sampleRate, channels } = { ...PLAIN, ...as };
  const resampled = atRate(samples, sampleRate);
  const sampleBytes = { pcm_s16le: 2, pcm_f32le: 4, mulaw: 1, alaw: 1 }[encoding];
  const view = new DataView(new ArrayBuffer(resampled.length * channels * sampleBytes));
  let at = 0;
  for (const sample of resampled) {
    for (let channel = 0; channel < channels; channel++, at += sampleBytes) {
      const whole = Math.max(-0x8000, Math.min(0x7fff, Math.round(sample * 0x8000)));
      if (encoding === "pcm_s16le") view.setInt16(at, whole, true);
      else if (encoding === "pcm_f32le") view.setFloat32(at, sample, true);
      else view.setUint8(at, encoding === "mulaw" ? mulawOf(whole) : alawOf(whole));
    }
  }
  return new Uint8Array(view.buffer);
}

/** Puts a WAV header before sound. */
export function wavFile(
  sound: Uint8Array,
  { tag = 1, channels = 1, sampleRate = RATE_HZ, bits = 16, dataBytes = sound.length } = {},
): Uint8Array<ArrayBuffer> {
  const file = Buffer.alloc(WAV_HEADER_BYTES + sound.length);
  const frameBytes = (channels * bits) / 8;
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE((36 + dataBytes) % 2 ** 32, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(tag, 20);
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * frameBytes, 28);
  file.writeUInt16LE(frameBytes, 32);
  file.writeUInt16LE(bits, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(dataBytes, 40);
  file.set(sound, WAV_HEADER_BYTES);
  return new Uint8Array(file);
}

/** Cuts sound into frames; `bytes` says how long the next one is. */
export function cut(
  sound: Uint8Array<ArrayBuffer>,
  bytes: () => number = () => 3_200,
): Uint8Array<ArrayBuffer>[] {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < sound.length;) {
    const end = at + bytes();
    frames.push(sound.slice(at, end));
    at = end;
  }
  return frames;
}

/** Opens a transcription socket and starts a stream on it. */
export async function startStream(
  app: { wsUrl: string },
  start: object = {},
  query = "",
): Promise<{ socket: TestSocket; ready: Frame }> {
  for (;;) {
    const socket = await openSocket(`${app.wsUrl}/v1/ws/transcription${query}`);
    socket.send({ type: "start", language: "en", ...start });
    const answer = await socket.next();
    if (answer["code"] !== "overloaded") return { socket, ready: answer };
    // As the error says, only sooner: a machine that is busy takes fewer speakers at once.
    await socket.closed;
    await Bun.sleep(100);
  }
}

/** Speaks all of it, stops, and returns every frame that came. */
export async function speak(
  app: { wsUrl: string },
  frames: readonly Uint8Array<ArrayBuffer>[],
  start: object = {},
): Promise<Frame[]> {
  const { socket } = await startStream(app, start);
  for (const frame of frames) socket.sendRaw(frame);
  socket.send({ type: "stop" });
  await socket.next("done", HEARD_MS_MAX);
  const { code } = await socket.closed;
  if (code !== 1000) throw new Error(`the stream was closed with ${code}`);
  return socket.frames;
}

/** The words of a stream's finals, a line each. */
export function wordsIn(frames: readonly Frame[]): string {
  return frames
    .filter((frame) => frame.type === "final")
    .map((frame) => String(frame["text"]))
    .join("\n");
}

/** Linear interpolation: crude, but the words survive it. */
function atRate(samples: readonly number[], rateHz: number): readonly number[] {
  if (rateHz === RATE_HZ) return samples;
  const length = Math.floor((samples.length * rateHz) / RATE_HZ);
  return Array.from({ length }, (_, at) => {
    const place = (at * RATE_HZ) / rateHz;
    const before = samples[Math.floor(place)] ?? 0;
    const after = samples[Math.floor(place) + 1] ?? before;
    return before + (after - before) * (place % 1);
  });
}

/** ITU-T G.711 mu-law, as Sun's g711.c writes it. */
function mulawOf(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32_635) + 0x84;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** ITU-T G.711 A-law, as Sun's g711.c writes it. */
function alawOf(sample: number): number {
  const sign = sample >= 0 ? 0x80 : 0;
  const magnitude = Math.min(sample >= 0 ? sample : -sample - 1, 32_767) >> 3;
  const exponent = magnitude < 32 ? 0 : Math.floor(Math.log2(magnitude)) - 4;
  const mantissa = (magnitude >> (exponent === 0 ? 1 : exponent)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}
