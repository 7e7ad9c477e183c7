import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import { type AudioFormat, bytesPerFrame, bytesPerSecond } from "../../speech/audio.ts";
import { ENGINE_RATE_HZ } from "../../speech/engine.ts";
import type { RecognitionEvent } from "../../speech/messages.ts";
import {
  type Recognition,
  RecognitionFull,
  type RecognitionPlace,
  type RecognitionStream,
} from "../../speech/recognition.ts";
import { msOf, samplesIn } from "../../speech/segmenter.ts";
import { createWavParser } from "../../speech/wav.ts";
import type { SettledPlace } from "./session.store.ts";
import { createHeaderSkipper } from "./header-again.ts";
import type { SpeechCounts } from "./speech-counts.ts";
import type { Spool } from "./spool.ts";

/** Sound that is not recognised yet; past it the client is too fast. */
export const AUDIO_QUEUE_MS_MAX = 60_000;
/** The same in bytes, for formats that need many. */
const AUDIO_QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** The recogniser takes so much at once; smaller frames are joined before they travel. */
const POST_MS = 100;
const POST_BYTES_MAX = 64 * 1024;
/** A recogniser that is lost is looked for again so often, and so long. */
const REOPEN_EVERY_MS = 250;
const REOPEN_MS_MAX = 20_000;
/** Recognisers that may die over the same stretch of sound before it is left alone. */
const DEATHS_MAX = 4;

/** What is known of a client's sound. */
export interface SoundFormat {
  format: AudioFormat;
  /** The bytes that its header announces; null when it does not say. */
  soundBytes: number | null;
}

/**
 * A client's sound on its way to a recogniser. It lies in the spool until its words are kept, and is
 * heard again from there when a recogniser dies.
 */
export interface Hearing {
  /** Throws `Refusal` when it comes too fast, `UnsupportedAudio` when it cannot be used. */
  push(bytes: Uint8Array): void;
  /** Asks for the words so far; a `cut` is told after them, which `cutAnswered` takes note of. */
  cut(): void;
  cutAnswered(): void;
  /** How many are not answered. */
  cutsOpen(): number;
  configure(change: { endpointingMs?: number; language?: string }): void;
  /** What was received lies in the spool now. Throws `Refusal` when it cannot. */
  keep(): void;
  /** The client is back: when nothing but a header had come, it may send that again. */
  comeBack(): void;
  /** No more sound comes. */
  end(): void;
  /** As `end`, without the sound that waits; it stays in the spool. */
  endNow(): void;
  /**
   * Finds a recogniser for what is not settled, if it has none, or keeps the room for one until a WAV
   * header has come; all that was told has to be settled by then. Rejects with `RecognitionFull` when
   * there is no room for so long.
   */
  reopen(withinMs?: number): Promise<void>;
  /** Lets the recogniser go, or stops looking for one; `reopen` goes on. */
  suspend(): void;
  /** The words of the first `samples` (at the engines' rate) are kept. */
  settle(samples: number): void;
  /** Whether there is a recogniser for its sound. */
  isOpen(): boolean;
  /** Null until a WAV header has come. */
  sound(): SoundFormat | null;
  receivedBytes(): number;
  receivedMs(): number;
  processedMs(): number;
  settled(): SettledPlace;
  /** Where `samples` at the engines' rate are in the client's sound. */
  placeAt(samples: number): SettledPlace;
}

export interface HearingRequest {
  /** `wav` learns the rest from the file's header. */
  format: SoundFormat | "wav";
  language: string;
  endpointingMs: number;
  /** What an earlier session has settled. */
  settledMs: number;
}

export interface HearingDependencies {
  recognition: Recognition;
  spool: Spool;
  tell(event: RecognitionEvent): void;
  /** The header of a WAV file was read. */
  onFormat(): void;
  counts: SpeechCounts;
}

export function createHearing(
  { format: given, settledMs, ...wishes }: HearingRequest,
  { recognition, spool, tell, onFormat, counts }: HearingDependencies,
): Hearing {
  let header = given === "wav" ? createWavParser() : null;
  let skipHeader: ((bytes: Uint8Array) => Uint8Array) | null = null;
  let sound: SoundFormat | null = given === "wav" ? null : given;
  let { language, endpointingMs } = wishes;
  /** Kept until the format is known, and a stream is opened there. */
  let place: RecognitionPlace | null = null;
  let stream: RecognitionStream | null = null;
  let received = spool.end();
  let processed = samplesIn(settledMs);
  let settled = processed;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  /** Where in the sound finals were asked for that have not come. */
  let cuts: number[] = [];
  let isEnding = false;
  let deaths = 0;
  let suspensions = 0;

  const bytesPerMs = (): number => (sound === null ? 0 : bytesPerSecond(sound.format) / 1000);

  const bytesAt = (samples: number): number => {
    if (sound === null) return 0;
    const { format } = sound;
    const frames = Math.round((samples * format.sampleRate) / ENGINE_RATE_HZ);
    const frameBytes = bytesPerFrame(format);
    // Whole frames: half a sample would turn all that is read behind it into noise.
    return Math.min(Math.floor(received / frameBytes), frames) * frameBytes;
  };

  const placeAt = (samples: number): SettledPlace => ({
    bytes: bytesAt(samples),
    ms: Math.round(msOf(samples)),
  });

  const samplesAt = (bytes: number): number => {
    if (sound === null) return 0;
    const { format } = sound;
    const frames = Math.floor(bytes / bytesPerFrame(format));
    return Math.round((frames * ENGINE_RATE_HZ) / format.sampleRate);
  };

  const receive = (event: RecognitionEvent): void => {
    if (event.type === "taken") return;
    if ("processed" in event && event.processed > processed) {
      counts.recognisedMs += msOf(event.processed - processed);
      processed = event.processed;
    }
    if (event.type === "failed") {
      place = null;
      stream = null;
      if (event.failure.kind === "engine") deaths++;
    }
    tell(event);
  };

  const open = (at: RecognitionPlace, { format }: SoundFormat, startAt: number): void => {
    place = null;
    stream = at.open({ format, language, endpointingMs, startAt });
  };

  const letGo = (): void => {
    stream?.drop();
    place?.leave();
    stream = null;
    place = null;
  };

  const flush = (): void => {
    const [first, ...others] = held;
    if (first === undefined) return;
    const bytes = others.length === 0 ? first : Buffer.concat(held);
    held = [];
    heldBytes = 0;
    try {
      spool.append(bytes);
    } catch {
      counts.spoolErrors++;
      received = spool.end();
      throw new Refusal("internal", "the sound could not be kept here", { close: CLOSE.internal });
    }
    stream?.push(bytes);
  };

  /** For when there is nobody who could be told: the client sends again from what was kept. */
  const flushOrForget = (): void => {
    try {
      flush();
    } catch {
      // `received` says what there is.
    }
  };

  const soundOf = (bytes: Uint8Array): Uint8Array | null => {
    if (sound !== null) {
      const audio = skipHeader?.(bytes) ?? bytes;
      const left = (sound.soundBytes ?? Number.POSITIVE_INFINITY) - received;
      return audio.length <= left ? audio : audio.subarray(0, left);
    }
    const parsed = header?.push(bytes) ?? null;
    if (parsed === null) return null;
    sound = { format: parsed.format, soundBytes: parsed.announcedBytes };
    onFormat();
    // Without a place one is being looked for, and what comes waits for it.
    if (place !== null) open(place, sound, processed);
    return parsed.audio;
  };

  const reopen = async (withinMs = REOPEN_MS_MAX): Promise<void> => {
    if (place !== null || stream !== null) return;
    if (deaths >= DEATHS_MAX) throw new Error("recognisers die over this sound");
    const giveUpAt = performance.now() + withinMs;
    const before = suspensions;
    for (;;) {
      // What ends without a format has nothing to be heard.
      if (isEnding && sound === null) return;
      flush();
      try {
        place = recognition.reserve({ language, isPatient: false }, receive);
        return goOn(place);
      } catch (error) {
        // A stream that was not told everything is none.
        letGo();
        if (!(error instanceof RecognitionFull) || performance.now() >= giveUpAt) throw error;
      }
      await Bun.sleep(REOPEN_EVERY_MS);
      if (place !== null || stream !== null || suspensions !== before) return;
    }
  };

  /** Hears again what is not settled, as soon as it is known what it is. */
  const goOn = (at: RecognitionPlace): void => {
    if (sound === null) return;
    const from = Math.max(bytesAt(settled), spool.begin());
    processed = samplesAt(from);
    open(at, sound, processed);
    replay(from);
  };

  /** What the lost recogniser was told, in the same order. */
  const replay = (from: number): void => {
    const bytes = spool.read(from);
    let at = from;
    for (const [index, mark] of [...cuts, spool.end()].entries()) {
      for (; at < mark; at = Math.min(at + POST_BYTES_MAX, mark)) {
        // A copy, because of a part the whole would travel.
        stream?.push(bytes.slice(at - from, Math.min(at + POST_BYTES_MAX, mark) - from));
      }
      if (index < cuts.length) stream?.cut();
    }
    if (isEnding) stream?.end();
  };

  return {
    push: (bytes) => {
      const audio = soundOf(bytes);
      if (audio === null || audio.length === 0) return;
      const queuedBytes = received + audio.length - bytesAt(processed);
      if (queuedBytes > Math.min(AUDIO_QUEUE_MS_MAX * bytesPerMs(), AUDIO_QUEUE_BYTES_MAX)) {
        throw new Refusal("audio_too_fast", "more sound waits than audio_queue_ms allows", {
          close: CLOSE.bufferLimit,
        });
      }
      received += audio.length;
      counts.receivedMs += audio.length / bytesPerMs();
      held.push(audio);
      heldBytes += audio.length;
      if (heldBytes >= POST_MS * bytesPerMs()) flush();
    },
    cut: () => {
      flush();
      cuts.push(received);
      stream?.cut();
    },
    cutAnswered: () => void cuts.shift(),
    cutsOpen: () => cuts.length,
    configure: (change) => {
      flush();
      language = change.language ?? language;
      endpointingMs = change.endpointingMs ?? endpointingMs;
      stream?.configure(change);
    },
    keep: flush,
    comeBack: () => {
      if (received > 0) return;
      if (sound === null) header = createWavParser();
      else skipHeader = createHeaderSkipper();
    },
    end: () => {
      flushOrForget();
      isEnding = true;
      if (sound === null) letGo();
      stream?.end();
    },
    endNow: () => {
      flushOrForget();
      isEnding = true;
      if (sound === null) letGo();
      stream?.endNow();
    },
    reopen,
    suspend: () => {
      suspensions++;
      flushOrForget();
      letGo();
      deaths = 0;
    },
    settle: (samples) => {
      if (samples <= settled) return;
      settled = samples;
      deaths = 0;
      spool.settle(bytesAt(samples));
    },
    isOpen: () => stream !== null,
    sound: () => sound,
    receivedBytes: () => received,
    receivedMs: () => (sound === null ? 0 : received / bytesPerMs()),
    processedMs: () => msOf(processed),
    settled: () => placeAt(settled),
    placeAt,
  };
}
