import { parseArgs } from "node:util";
import { createLog } from "../platform/log.ts";
import { UnsupportedAudio } from "../speech/audio.ts";
import { openRecognition } from "../speech/open.ts";
import { type FileSegment, recogniseFile } from "../speech/recognise-file.ts";
import { spawnSpeechWorker } from "../workers.ts";

const FORMATS = ["txt", "json"];

/** Writes what is said in WAV files to standard output. */
export async function transcribe(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { format: { type: "string", default: "txt" } },
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  const { positionals: files, values } = parsed;
  if (files.length === 0 || !FORMATS.includes(values.format)) {
    console.error("usage: earshot transcribe FILE… [--format txt|json]");
    return 2;
  }
  const log = createLog("warn", (line) => process.stderr.write(line));
  const recognition = openRecognition({
    engine: "auto",
    workers: 1,
    spawn: spawnSpeechWorker,
    log,
  });
  if (recognition === null) return 1;
  await recognition.loaded();

  let failures = 0;
  for (const file of files) {
    try {
      const segments = await recogniseFile(recognition, await Bun.file(file).bytes());
      console.log(values.format === "json" ? asJson(file, segments) : asText(segments));
    } catch (error) {
      const isExpected =
        error instanceof UnsupportedAudio || (error instanceof Error && "code" in error);
      if (!isExpected) throw error;
      console.error(`${file}: ${error.message}`);
      failures++;
    }
  }
  await recognition.close();
  return failures === 0 ? 0 : 1;
}

function asText(segments: readonly FileSegment[]): string {
  return segments.map(({ text }) => text).join("\n");
}

function asJson(file: string, segments: readonly FileSegment[]): string {
  return JSON.stringify({ file, text: segments.map(({ text }) => text).join(" "), segments });
}
