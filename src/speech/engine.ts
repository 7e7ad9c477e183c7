// What a recogniser is. Engines run in workers only: they compute for longer than a server may wait.

/** Every engine is fed mono 16-bit sound at this rate, in blocks of `BLOCK_SAMPLES`. */
export const ENGINE_RATE_HZ = 16_000;

export interface HeardWord {
  word: string;
  /** From the start of the stream. */
  startMs: number;
  endMs: number;
  /** 0 to 1. */
  confidence: number;
}

/** One utterance. */
export interface Heard {
  text: string;
  words: HeardWord[];
}

/** One stream of sound. */
export interface Recogniser {
  /** Takes one block; true when the engine itself thinks that an utterance has ended. */
  accept(block: Int16Array): boolean;
  /** The words of the current utterance so far; they may still change. */
  partial(): string;
  /** The utterance that `accept` has just said is over. */
  ended(): Heard;
  /** Ends the current utterance, wherever it is; what comes next begins another. */
  final(): Heard;
  free(): void;
}

/** A loaded model. */
export interface Engine {
  open(): Recogniser;
}

/** What is needed to load an engine in a worker. */
export type EngineSource = VoskSource;

export interface VoskSource {
  engine: "vosk";
  libraryPath: string;
  modelPath: string;
}

/** What clients are told about the engine that listens to them. */
export interface EngineInfo {
  engine: string;
  model: string;
  languages: readonly string[];
}
