import { ENGINE_RATE_HZ } from "./engine.ts";
import { createGate } from "./gate.ts";

/** What a block of sound means for the utterance that it belongs to; positions are in samples. */
export interface Turn {
  /** Somebody began to speak, there; null when nobody did. */
  startedAt: number | null;
  /** They have been silent for long enough since; null when they have not. */
  endedAt: number | null;
  /** The utterance is so long that it is better cut here. */
  isLong: boolean;
}

/** Finds where utterances begin and end by the voice in the sound. */
export interface Segmenter {
  hear(block: Float32Array): Turn;
  /** Samples heard, counted from the start of the sound. */
  position(): number;
  /** Whether a voice was heard since the last cut. */
  hasVoice(): boolean;
  /** Where that voice began, or where the sound after the last cut did. */
  voiceFrom(): number;
  /** Where it was last heard; null when never. */
  voiceTo(): number | null;
  /** Between a `startedAt` and its `endedAt`. */
  isSpeaking(): boolean;
  /** An utterance ends here, whoever says so. */
  cut(): void;
  /** Nobody speaks any more, whatever the silence; returns where they did last, null if none did. */
  end(): number | null;
  setEndpointing(ms: number): void;
}

/** The silence that ends an utterance, where nobody asks for another. */
export const ENDPOINTING_MS = 800;
/** Past it an utterance is cut at the next breath, and past the other wherever it is. */
const LONG_MS = 15_000;
const UTTERANCE_MS_MAX = 28_000;
const BREATH_MS = 200;
/** Less voice than this after a cut is the rest of what was said before it. */
const REST_MS = 40;

/** `startAt` is where in the sound it begins to hear, in samples. */
export function createSegmenter(endpointingMs: number, startAt: number): Segmenter {
  const gate = createGate();
  let endpointing = samplesIn(endpointingMs);
  let position = startAt;
  let cutAt = startAt;
  let startedAt = startAt;
  let lastAt: number | null = null;
  let isSpeaking = false;
  let endedAt = startAt;

  const hasVoice = (): boolean => lastAt !== null && lastAt > cutAt + samplesIn(REST_MS);
  const voiceFrom = (): number => Math.max(cutAt, startedAt);

  return {
    hear: (block) => {
      const voice = gate.hear(block);
      position += block.length;
      // A pause that is too short to end the utterance does not begin another.
      if (voice.startedAt !== null && (!isSpeaking || startedAt < cutAt)) {
        startedAt = startAt + voice.startedAt;
      }
      if (voice.lastAt !== null) lastAt = startAt + voice.lastAt;
      const turn: Turn = { startedAt: null, endedAt: null, isLong: false };
      if (lastAt === null) return turn;
      if (!isSpeaking && lastAt > endedAt) {
        isSpeaking = true;
        turn.startedAt = Math.max(startedAt, endedAt);
      }
      const silence = position - lastAt;
      if (isSpeaking && silence >= endpointing) {
        isSpeaking = false;
        endedAt = lastAt;
        turn.endedAt = lastAt;
      }
      const length = hasVoice() ? position - voiceFrom() : 0;
      turn.isLong =
        length >= samplesIn(UTTERANCE_MS_MAX) ||
        (length >= samplesIn(LONG_MS) && silence >= samplesIn(BREATH_MS));
      return turn;
    },
    position: () => position,
    hasVoice,
    voiceFrom,
    voiceTo: () => lastAt,
    isSpeaking: () => isSpeaking,
    cut: () => void (cutAt = position),
    end: () => {
      if (!isSpeaking || lastAt === null) return null;
      isSpeaking = false;
      endedAt = lastAt;
      return lastAt;
    },
    setEndpointing: (ms) => void (endpointing = samplesIn(ms)),
  };
}

export function samplesIn(ms: number): number {
  return (ms * ENGINE_RATE_HZ) / 1000;
}

export function msOf(samples: number): number {
  return (samples * 1000) / ENGINE_RATE_HZ;
}
