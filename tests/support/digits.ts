import { existsSync } from "node:fs";
import { join } from "node:path";
import { locateSherpa } from "../../src/speech/sherpa.ts";

/** A small model of spoken digits beside the project, where it and the engine are present. */
export const DIGITS = join(import.meta.dir, "../../../shared/models/digits-streaming-ctc");
export const hasDigits = existsSync(DIGITS) && locateSherpa() !== null;
