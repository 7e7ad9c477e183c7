import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { readConfig } from "../config.ts";
import { ConfigError } from "../environment.ts";
import { LANGUAGES } from "../features/transcription/model.ts";
import { createLog } from "../platform/log.ts";
import { UnsupportedAudio } from "../speech/audio.ts";
import { ServiceFailed } from "../speech/engine.ts";
import { EngineMissing } from "../speech/engine-missing.ts";
import { openRecognition, speechSettings } from "../speech/open.ts";
import { type FileWords, recogniseFile } from "../speech/recognise-file.ts";
import type { Recognition } from "../speech/recognition.ts";
import { srtOf, vttOf } from "../text/subtitles.ts";
import { spawnSpeechWorker } from "../workers.ts";
import { createProgress } from "./progress.ts";

const WRITERS: Record<string, (file: string, words: FileWords) => string> = {
  txt: (_file, { segments }) => segments.map(({ text }) => `${text}\n`).join(""),
  json: (file, { segments, durationMs }) => {
    const text = segments.map((segment) => segment.text).join(" ");
    return `${JSON.stringify({ file, text, durationMs, segments })}\n`;
  },
  srt: (_file, { segments }) => srtOf(segments),
  vtt: (_file, { segments }) => vttOf(segments),
};
const USAGE = `usage: earshot transcribe FILE… [--format ${Object.keys(WRITERS).join("|")}] [--language ${LANGUAGES.join("|")}|auto]`;

/** Writes what is said in sound files to standard output. */
export async function transcribe(args: string[]): Promise<number> {
  let parsed;
  let config;
  try {
    config = readConfig(process.env);
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        format: { type: "string", default: "txt" },
        language: { type: "string", default: "auto" },
      },
    });
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof TypeError)) throw error;
    console.error(error.message);
    return 2;
  }
  const { positionals: files, values } = parsed;
  const write = WRITERS[values.format];
  if (files.length === 0 || write === undefined) {
    console.error(USAGE);
    return 2;
  }
  const recognition = await open({ ...speechSettings(config), workers: 1 });
  if (recognition === null) return 1;
  if (recognition.modelFor(values.language) === null) {
    console.error(`no speech engine here knows ${values.language}; see \`earshot models list\``);
    await recognition.close();
    return 1;
  }
  let failures = 0;
  for (const file of files) {
    const words = await recognise(recognition, file, values.language);
    if (words === null) failures++;
    else process.stdout.write(write(file, words));
  }
  await recognition.close();
  return failures === 0 ? 0 : 1;
}

/** Null, and a line that says why, when there is none. */
async function open(settings: ReturnType<typeof speechSettings>): Promise<Recognition | null> {
  const log = createLog("warn", (line) => process.stderr.write(line));
  let recognition;
  try {
    recognition = openRecognition({
      settings,
      languages: LANGUAGES,
      spawn: spawnSpeechWorker,
      log,
    });
  } catch (error) {
    if (!(error instanceof EngineMissing)) throw error;
    console.error(error.message);
    return null;
  }
  try {
    await recognition?.loaded();
    return recognition;
  } catch (error) {
    // Why has been logged already.
    console.error(error instanceof Error ? error.message : String(error));
    await recognition?.close();
    return null;
  }
}

/** Null, and a line that says why, for a file that gives no words. */
async function recognise(
  recognition: Recognition,
  file: string,
  language: string,
): Promise<FileWords | null> {
  try {
    const { size } = await stat(file);
    const { stderr: stream } = process;
    const now = performance.now.bind(performance);
    // Files that take a moment are not worth a line each where nobody looks.
    const progress = stream.isTTY
      ? createProgress({ label: file, total: size, unit: "bytes", stream, now })
      : null;
    const words = await recogniseFile(recognition, {
      sound: createReadStream(file),
      language,
      onProgress: (_ms, bytes) => progress?.update(bytes),
    });
    progress?.end(null);
    return words;
  } catch (error) {
    const isExpected =
      error instanceof UnsupportedAudio ||
      error instanceof ServiceFailed ||
      (error instanceof Error && "code" in error);
    if (!isExpected) throw error;
    console.error(`${file}: ${error.message}`);
    return null;
  }
}
