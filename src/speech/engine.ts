// What a recogniser is. Engines run in workers only: they compute for longer than a server may wait.

/** Every engine hears mono sound at this rate. */
export const ENGINE_RATE_HZ = 16_000;

export interface HeardWord {
  word: string;
  /** From the start of the stream. */
  startMs: number;
  endMs: number;
  /** 0 to 1; null when the engine does not say. */
  confidence: number | null;
}

/** One utterance. */
export interface Heard {
  text: string;
  /** Empty when the engine has no times. */
  words: HeardWord[];
  /** The language that the engine has found by itself. */
  language?: string;
}

/** A loaded model. */
export type Engine = StreamingEngine | OneShotEngine;

/** Tells words while they are spoken. */
export interface StreamingEngine {
  kind: "streaming";
  /** `language` is one of the model's, or null to leave it to the model. */
  open(language: string | null): Recogniser;
  /** Works on what its recognisers have accepted, on all of them together where it can. */
  decode(): void;
}

/** One stream of sound. */
export interface Recogniser {
  /** Takes one block of samples in [-1, 1]; `decode` of its engine works on it. */
  accept(block: Float32Array): void;
  /** Whether the engine itself thinks that the utterance is over; `ended` is to be called then. */
  hasEnded(): boolean;
  /** The words of the current utterance so far; they may still change. */
  partial(): string;
  /**
   * The utterance that is over; what comes next begins another. Kinder to what follows than `final`,
   * but the last word may be missing when it was spoken less than `lagMs` ago.
   */
  ended(): Heard;
  lagMs: number;
  /** Ends the current utterance, wherever it is; what comes next begins another. */
  final(): Heard;
  free(): void;
}

/** Tells the words of a whole stretch of sound at once. */
export interface OneShotEngine {
  kind: "one-shot";
  /**
   * The words of `samples` in [-1, 1]; times are from their start. `language` null leaves it to the
   * model. Rejects with `ServiceFailed`.
   */
  transcribe(samples: Float32Array, language: string | null, signal: AbortSignal): Promise<Heard>;
}

/** Whoever was asked for words did not give them. The message is fit to be shown to a client. */
export class ServiceFailed extends Error {
  override name = "ServiceFailed";

  constructor(
    message: string,
    /** Whether asking again later may help. */
    readonly isPassing: boolean,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** What is needed to load an engine in a worker; plain data. */
export type EngineSource = VoskSource | SherpaSource | OpenAiSource;

export interface VoskSource {
  engine: "vosk";
  libraryPath: string;
  modelPath: string;
  /** The folder of what a binary carries, and writes out before it is used; null for what lies there. */
  packedFolder: string | null;
}

export interface SherpaSource {
  engine: "sherpa";
  /** Tells words while they are spoken, or only of whole utterances. */
  isStreaming: boolean;
  /** Takes the language of each stream as an option. */
  takesLanguage: boolean;
  /** `modelConfig` and `featConfig` of sherpa's recogniser; paths are absolute. */
  modelConfig: Record<string, unknown>;
  featureConfig: { sampleRate: number; featureDim: number };
}

export interface OpenAiSource {
  engine: "openai";
  /** Null for OpenAI's own. */
  baseUrl: string | null;
  apiKey: string | null;
  model: string;
  /** Whether its requests are told as spans. */
  isTraced?: boolean;
}

/** What clients are told about the engine that listens to them. */
export interface EngineInfo {
  engine: string;
  model: string;
  /** BCP 47 tags; empty when the service knows more than we could list. */
  languages: readonly string[];
}
