import type { Engine, Heard } from "./engine.ts";
import { listenToStretches } from "./listener.one-shot.ts";
import { listenAlong } from "./listener.streaming.ts";
import type { Segmenter } from "./segmenter.ts";

/** What is heard, in the order of the sound; positions are in samples from its start. */
export type ListenerEvent =
  | { type: "speech_started"; at: number }
  /** The current utterance's words so far, and where they begin. */
  | { type: "partial"; text: string; from: number }
  /** An utterance; `isCut` when it was asked for. */
  | { type: "final"; heard: Heard; from: number; to: number; isCut: boolean }
  /** Whoever spoke has been silent since `at`. */
  | { type: "utterance_end"; at: number };

/** Turns blocks of sound into utterances. */
export interface Listener {
  /** Takes a block; its engine's `decode` works on it, and `collect` tells what came of it. */
  accept(block: Float32Array): void;
  collect(): void;
  /** Ends the current utterance; resolves when its words are told. */
  cut(isAsked: boolean): Promise<void>;
  /** Resolves when it can take more; null when it can now. */
  wait(): Promise<void> | null;
  /** So much of the sound is worked on. */
  processed(): number;
  /** So much of it would not be needed again to tell what comes next. */
  settled(): number;
  free(): void;
}

export interface ListenerDependencies {
  /** Outlives the listener when the engine is changed. */
  segmenter: Segmenter;
  /** Null leaves it to the engine. */
  language: string | null;
  tell(event: ListenerEvent): void;
  /** It cannot go on: what is not settled has to be heard again. */
  fail(error: unknown): void;
}

export function openListener(engine: Engine, dependencies: ListenerDependencies): Listener {
  return engine.kind === "streaming"
    ? listenAlong(engine, dependencies)
    : listenToStretches(engine, dependencies);
}
