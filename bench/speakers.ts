import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { decodeWav } from "../src/speech/wav.ts";

// What the benches of captions say, and those who say it.

const RATE_HZ = 16_000;
const PAUSE_MS = 1_500;
const FRAME_MS = 100;
const BYTES_PER_MS = 32;

/** Real clips with a pause after each: 16 kHz, mono, 16 bits. */
export function conversation(folder: string): Uint8Array<ArrayBuffer> {
  const pause = new Uint8Array(PAUSE_MS * BYTES_PER_MS);
  const clips = readdirSync(folder)
    .filter((file) => file.endsWith(".wav"))
    .map((file) => decodeWav(new Uint8Array(readFileSync(join(folder, file)))))
    .filter(({ format }) => format.sampleRate === RATE_HZ)
    .map(({ samples }) => {
      const bytes = new Uint8Array(samples.length * 2);
      const view = new DataView(bytes.buffer);
      for (const [at, sample] of samples.entries()) view.setInt16(at * 2, sample * 0x7fff, true);
      return bytes;
    });
  return new Uint8Array(Buffer.concat(clips.flatMap((clip) => [clip, pause])));
}

/** What one speaker has seen. */
export interface Seen {
  /** From when the last sound of a partial was sent until the partial came. */
  partialMs: number[];
  /** From when a voice ended, plus the endpointing silence, until the end of its utterance was told. */
  endMs: number[];
  finals: number;
  refused: number | null;
}

export interface SpeakerOptions {
  url: string;
  sound: Uint8Array<ArrayBuffer>;
  /** Where in the sound it begins, so that not all say the same at once. */
  fromMs: number;
  forMs: number;
  endpointingMs: number;
}

/** Speaks at the pace of speech, then stops; `refused` is the wait that was asked for instead. */
export async function speak(options: SpeakerOptions): Promise<Seen> {
  const { url, sound, fromMs, forMs, endpointingMs } = options;
  const seen: Seen = { partialMs: [], endMs: [], finals: 0, refused: null };
  const socket = new WebSocket(`${url}/v1/ws/transcription`);
  const ready = Promise.withResolvers<boolean>();
  const closed = Promise.withResolvers<void>();
  /** When the sound up to a moment of the stream was sent, a frame each. */
  const sentAt: number[] = [];
  const sentOf = (ms: number): number => sentAt[Math.max(0, Math.ceil(ms / FRAME_MS) - 1)] ?? 0;
  socket.onopen = () => {
    socket.send(
      JSON.stringify({ type: "start", language: "en", endpointing_ms: endpointingMs, store: true }),
    );
  };
  socket.onclose = () => closed.resolve();
  socket.onmessage = ({ data }) => {
    const now = performance.now();
    const frame = JSON.parse(String(data)) as Record<string, number> & { type: string };
    if (frame.type === "ready") ready.resolve(true);
    if (frame.type === "error") {
      seen.refused = frame["retry_after_ms"] ?? 0;
      ready.resolve(false);
    }
    if (frame.type === "partial") seen.partialMs.push(now - sentOf(frame["end_ms"] ?? 0));
    if (frame.type === "final") seen.finals++;
    // What `stop` ends has no silence behind it.
    if (frame.type === "utterance_end" && !isStopped) {
      seen.endMs.push(now - sentOf(frame["at_ms"] ?? 0) - endpointingMs);
    }
  };
  let isStopped = false;
  if (await ready.promise) {
    const startedAt = performance.now();
    for (let ms = 0; ms < forMs; ms += FRAME_MS) {
      const at = ((fromMs + ms) * BYTES_PER_MS) % sound.length;
      await Bun.sleep(Math.max(0, startedAt + ms + FRAME_MS - performance.now()));
      sentAt.push(performance.now());
      socket.send(sound.slice(at, at + FRAME_MS * BYTES_PER_MS));
    }
    isStopped = true;
    socket.send(JSON.stringify({ type: "stop" }));
  }
  await closed.promise;
  return seen;
}

/** The value that the given share of the others lie below. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;
}
