import { type ReadonlySignal, signal } from "@preact/signals";
import {
  type CaptionsClient,
  type CaptionsOptions,
  connectCaptions,
} from "../../client/captions.ts";
import { type Microphone, levelOf, openMicrophone } from "./microphone.ts";

export type SpeakingState = "off" | "opening" | "on" | "muted" | "ending";

/** This page's microphone, spoken into a room. */
export interface Speaking {
  state: ReadonlySignal<SpeakingState>;
  /** How loud it is now, 0 to 1. */
  level: ReadonlySignal<number>;
  /** Why it does not work, in words. */
  problem: ReadonlySignal<string | null>;
  start(room: string, language: string): Promise<void>;
  setMuted(isMuted: boolean): void;
  /** Ends it; resolves when the last words are there. */
  stop(): Promise<void>;
}

export interface SpeakingDependencies {
  workletUrl: string;
  /** Who speaks, for the socket. */
  identity(): Omit<CaptionsOptions, "start" | "listener">;
}

/** The level meter is drawn so often at most. */
const LEVEL_EVERY_MS = 80;
const ENDING_MS_MAX = 10_000;

export function createSpeaking({ workletUrl, identity }: SpeakingDependencies): Speaking {
  const state = signal<SpeakingState>("off");
  const level = signal(0);
  const problem = signal<string | null>(null);
  let microphone: Microphone | null = null;
  let captions: CaptionsClient | null = null;
  let levelAt = 0;

  const hear = (sound: Int16Array): void => {
    if (state.value === "muted") return;
    captions?.send(sound);
    if (performance.now() - levelAt < LEVEL_EVERY_MS) return;
    levelAt = performance.now();
    level.value = levelOf(sound);
  };

  const stop = async (): Promise<void> => {
    if (state.value === "off" || state.value === "ending") return;
    state.value = "ending";
    level.value = 0;
    await microphone?.close();
    microphone = null;
    const ended = captions;
    captions = null;
    const late = new Promise((resolve) => setTimeout(resolve, ENDING_MS_MAX));
    await Promise.race([ended?.stop(), late]);
    ended?.close();
    state.value = "off";
  };

  return {
    state,
    level,
    problem,
    start: async (room, language) => {
      if (state.value !== "off") return;
      state.value = "opening";
      problem.value = null;
      // What is said before the stream is open waits here.
      const early: Int16Array[] = [];
      try {
        microphone = await openMicrophone({
          workletUrl,
          onSound: (sound) => (captions === null ? early.push(sound) : hear(sound)),
          onEnded: () => void stop(),
        });
        captions = connectCaptions({
          ...identity(),
          start: {
            language: language as "en" | "hi" | "auto",
            sample_rate: microphone.sampleRate,
            room,
          },
          listener: {
            ready: () => {
              problem.value = null;
            },
            lost: () => {
              problem.value = "The line was down for so long that some sound is lost";
            },
            refused: ({ message, retryable }) => {
              problem.value = message;
              if (!retryable) void stop();
            },
          },
        });
        for (const sound of early) hear(sound);
        state.value = "on";
      } catch (error) {
        problem.value = error instanceof Error ? error.message : String(error);
        state.value = "off";
      }
    },
    setMuted: (isMuted) => {
      if (state.value !== "on" && state.value !== "muted") return;
      state.value = isMuted ? "muted" : "on";
      level.value = 0;
      // What was said until now is finished rather than waiting for more.
      if (isMuted) captions?.finalize();
    },
    stop,
  };
}
