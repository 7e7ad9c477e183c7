import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createDecoder } from "../../src/speech/audio.ts";
import { createLog } from "../../src/platform/log.ts";
import type { Heard } from "../../src/speech/engine.ts";
import { openRecognition } from "../../src/speech/open.ts";
import { recogniseFile } from "../../src/speech/recognise-file.ts";
import type { Recognition } from "../../src/speech/recognition.ts";
import { loadVoskModel, locateVosk, openVosk } from "../../src/speech/vosk.ts";
import { createWavParser } from "../../src/speech/wav.ts";
import { spawnSpeechWorker } from "../../src/workers.ts";
import { until } from "../support/app.ts";
import { SHARED_AUDIO, hasSharedAudio } from "../support/sound.ts";

setDefaultTimeout(60_000);

const BLOCK_BYTES = 3_200;

interface Clip {
  wav: Uint8Array<ArrayBuffer>;
  reference: string[];
}

/** Short clips are enough to see that nothing is changed on the way; bench/accuracy.ts takes all. */
const SECONDS_MAX = 1.97;

/** The library alone ends no utterance after a silence; its own endpoints are another thing. */
const AS_BARE = { language: "en", endpointingMs: 60_000 };

const source = locateVosk();

describe.skipIf(source === null || !hasSharedAudio)("the recogniser (needs ../shared)", () => {
  test("hears in its workers what the bare library does, to the word", async () => {
    const clips = readClips();
    expect(clips.length).toBeGreaterThan(5);
    const recognition = await startRecognition();
    // The worker has a core of its own while this thread listens to the same clips.
    const housed = Promise.all(
      clips.map(({ wav }) => recogniseFile(recognition, { sound: [wav], ...AS_BARE })),
    );
    const bare = clips.map(({ wav }) => listenBare(soundOf(wav)));
    const files = await housed;
    await recognition.close();

    const bareRate = errorRate(clips, bare);
    const texts = files.map(({ segments }) => segments.map(({ text }) => text).join(" "));
    const housedRate = errorRate(clips, texts);
    console.log(
      `word error rate over ${clips.length} clips: bare ${bareRate.toFixed(2)} %, ` +
        `in workers ${housedRate.toFixed(2)} %`,
    );
    expect(texts).toEqual(bare);
    // References and model are what they are; far more than this would be a broken path for both.
    expect(bareRate).toBeLessThan(40);
  });
});

if (!hasSharedAudio) console.log("accuracy is not measured: ../shared/audio is not there");

function readClips(): Clip[] {
  const [, ...lines] = readFileSync(join(SHARED_AUDIO, "manifest.tsv"), "utf8").trim().split("\n");
  return lines
    .map((line) => line.split("\t"))
    .filter(([, language, seconds]) => language === "en" && Number(seconds) < SECONDS_MAX)
    .map(([file = "", , , reference = ""]) => ({
      wav: new Uint8Array(readFileSync(join(SHARED_AUDIO, file))),
      reference: normalised(reference),
    }));
}

let engine: ReturnType<typeof openVosk> | null = null;

/** The samples alone: headers differ in length. */
function soundOf(wav: Uint8Array): Uint8Array {
  return createWavParser().push(wav)?.audio ?? new Uint8Array();
}

/** The library fed 100 ms at a time with nothing of the house between. */
function listenBare(samples: Uint8Array): string {
  if (source === null) return "";
  engine ??= openVosk(source, loadVoskModel(source));
  const recogniser = engine.open(null);
  const heard: Heard[] = [];
  const decoder = createDecoder({ encoding: "pcm_s16le", sampleRate: 16_000, channels: 1 });
  for (let at = 0; at < samples.length; at += BLOCK_BYTES) {
    recogniser.accept(decoder.decode(samples.subarray(at, at + BLOCK_BYTES)));
    if (recogniser.hasEnded()) heard.push(recogniser.ended());
  }
  heard.push(recogniser.final());
  recogniser.free();
  return heard
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join(" ");
}

async function startRecognition(): Promise<Recognition> {
  const recognition = openRecognition({
    settings: { engine: "vosk", models: null, modelsDir: "none", workers: 1, service: null },
    languages: ["en"],
    spawn: spawnSpeechWorker,
    log: createLog("silent"),
  });
  if (recognition === null) throw new Error("there is no recogniser");
  await until(() => recognition.ready(), 30_000);
  return recognition;
}

/** Wrong, missing and added words over all clips, in per cent of those that were said. */
function errorRate(clips: readonly Clip[], texts: readonly string[]): number {
  let errors = 0;
  let words = 0;
  for (const [at, { reference }] of clips.entries()) {
    errors += distance(reference, normalised(texts[at] ?? ""));
    words += reference.length;
  }
  return (100 * errors) / words;
}

function normalised(text: string): string[] {
  return text.toLowerCase().match(/[a-z']+/g) ?? [];
}

/** Levenshtein distance in words. */
function distance(one: readonly string[], other: readonly string[]): number {
  let row = other.map((_, at) => at + 1);
  for (const [i, word] of one.entries()) {
    let diagonal = i;
    let left = i + 1;
    row = row.map((above, j) => {
      const cost = Math.min(left + 1, above + 1, diagonal + (word === other[j] ? 0 : 1));
      diagonal = above;
      left = cost;
      return cost;
    });
  }
  return row.at(-1) ?? one.length;
}
