import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import { type AudioFormat, bytesPerSecond } from "../../speech/audio.ts";
import type { RecognitionStream } from "../../speech/recognition.ts";
import { createWavParser } from "../../speech/wav.ts";

/** Sound that is not recognised yet; past it the client is too fast. */
export const AUDIO_QUEUE_MS_MAX = 60_000;
/** The same in bytes, for formats that need many. */
const AUDIO_QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** The recogniser takes so much at once; smaller frames are joined before they travel. */
const POST_MS = 100;

/** A client's sound on its way to a recogniser. */
export interface SoundInput {
  /** Throws `Refusal` when it comes too fast, `UnsupportedAudio` when it cannot be used. */
  push(bytes: Uint8Array): void;
  /** Sends on what was held back to be joined. */
  flush(): void;
  /** Null until the format is known, and after `lose`. */
  stream(): RecognitionStream | null;
  receivedMs(): number;
  /** The recogniser is gone. */
  lose(): void;
}

export interface SoundInputDependencies {
  /** `wav` learns the rest from the file's header. */
  format: AudioFormat | "wav";
  open(format: AudioFormat): RecognitionStream;
  processedMs(): number;
}

/** A `wav` input claims its recogniser when the header has come, others at once. */
export function createSoundInput({
  format,
  open,
  processedMs,
}: SoundInputDependencies): SoundInput {
  const header = format === "wav" ? createWavParser() : null;
  let stream: RecognitionStream | null = null;
  let isLost = false;
  let bytesPerMs = 0;
  let receivedBytes = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  const begin = (known: AudioFormat): void => {
    bytesPerMs = bytesPerSecond(known) / 1000;
    stream = open(known);
  };

  const soundOf = (bytes: Uint8Array): Uint8Array | null => {
    if (header === null) return bytes;
    const parsed = header.push(bytes);
    if (parsed !== null && bytesPerMs === 0) begin(parsed.format);
    return parsed?.audio ?? null;
  };

  const flush = (): void => {
    const [first, ...others] = held;
    if (first === undefined) return;
    stream?.push(others.length === 0 ? first : Buffer.concat(held));
    held = [];
    heldBytes = 0;
  };

  if (format !== "wav") begin(format);
  return {
    flush,
    push: (bytes) => {
      const sound = soundOf(bytes);
      if (sound === null || sound.length === 0) return;
      if (isLost) throw new Refusal("internal", "the recogniser failed", { close: CLOSE.internal });
      const queuedBytes = receivedBytes + sound.length - processedMs() * bytesPerMs;
      if (queuedBytes > Math.min(AUDIO_QUEUE_MS_MAX * bytesPerMs, AUDIO_QUEUE_BYTES_MAX)) {
        throw new Refusal("audio_too_fast", "more sound waits than audio_queue_ms allows", {
          close: CLOSE.bufferLimit,
        });
      }
      receivedBytes += sound.length;
      held.push(sound);
      heldBytes += sound.length;
      if (heldBytes >= POST_MS * bytesPerMs) flush();
    },
    stream: () => stream,
    receivedMs: () => (bytesPerMs === 0 ? 0 : receivedBytes / bytesPerMs),
    lose: () => {
      isLost = true;
      stream = null;
    },
  };
}
