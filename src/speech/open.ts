import type { Log } from "../platform/log.ts";
import { type Recognition, createRecognition } from "./recognition.ts";
import { VOSK_INFO, locateVosk } from "./vosk.ts";

export interface OpenRecognitionDependencies {
  /** `auto` does without where nothing is installed. */
  engine: "auto" | "vosk" | "none";
  workers: number;
  spawn(): Worker;
  log: Log;
}

/** An engine was asked for by name and is not installed. */
class EngineMissing extends Error {
  override name = "EngineMissing";
}

/** The recogniser that the settings ask for and this machine has; null for none. */
export function openRecognition(dependencies: OpenRecognitionDependencies): Recognition | null {
  const { engine, workers, spawn, log } = dependencies;
  if (engine === "none") return null;
  const source = locateVosk();
  if (source !== null) return createRecognition({ spawn, workers, source, info: VOSK_INFO, log });
  if (engine === "vosk") {
    throw new EngineMissing("SPEECH_ENGINE=vosk, but its optional packages are not installed here");
  }
  log.warn({}, "no speech engine is installed: sound is not transcribed, all else works");
  return null;
}
