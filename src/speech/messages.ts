import type { EngineSource } from "./engine.ts";
import type { StreamEvent, StreamRequest } from "./stream.ts";

// What the process and its speech workers tell each other.

export type ToSpeechWorker =
  /** `models` is where another worker of this process has loaded them; null to load them. */
  | { type: "load"; sources: readonly EngineSource[]; models: readonly (number | null)[] | null }
  /** `engine` counts the sources that were loaded. */
  | ({ type: "open"; stream: number; engine: number; isPatient: boolean } & StreamRequest)
  | { type: "audio"; stream: number; bytes: Uint8Array }
  | { type: "cut"; stream: number }
  /** Null leaves either as it is. */
  | {
      type: "configure";
      stream: number;
      endpointingMs: number | null;
      engine: number | null;
      language: string | null;
    }
  /** `isNow`: without the sound that waits. */
  | { type: "end"; stream: number; isNow: boolean }
  | { type: "drop"; stream: number };

export type FromSpeechWorker =
  | { type: "loaded"; models: (number | null)[] }
  /** What a block of sound has cost lately, by the clock. */
  | { type: "cost"; engine: number; msPerBlock: number }
  | { type: "event"; stream: number; event: StreamEvent }
  /** So much of what was pushed is decoded and waits for its engine at most. */
  | { type: "taken"; stream: number; bytes: number }
  | { type: "cut"; stream: number }
  | { type: "ended"; stream: number }
  | { type: "failed"; stream: number; failure: StreamFailure };

/** Why a stream cannot go on; what it had not settled has to be heard again. */
export type StreamFailure =
  /** The sound is of a kind that is not understood. */
  | { kind: "audio"; message: string }
  /** The service that was asked for words gave none. */
  | { kind: "service"; message: string; isPassing: boolean; retryAfterMs: number | null }
  /** The engine, or the worker it runs in, is broken. */
  | { kind: "engine"; message: string };

/** What a stream tells its owner. After `ended` or `failed` nothing more comes. */
export type RecognitionEvent =
  | StreamEvent
  | { type: "taken"; bytes: number }
  /** The answer to `cut`, after its final. */
  | { type: "cut" }
  | { type: "ended" }
  | { type: "failed"; failure: StreamFailure };
