import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toPcm16 } from "../src/speech/blocks.ts";
import { decodeWav } from "../src/speech/wav.ts";
import { hear, hearBare, loadEngines } from "./hearing.ts";

// Word error rate of every recogniser that is here over clips with reference text, as recorded and
// turned down to 2 %: the recogniser alone, with levelling, and the whole way with gate and levelling.
//
//   bun accuracy.ts [FOLDER with manifest.tsv] [MODELS_DIR]

const FOLDER = process.argv[2] ?? join(import.meta.dir, "../../shared/audio");
const MODELS_DIR = process.argv[3] ?? join(import.meta.dir, "../models");
const QUIET = 0.02;

if (!existsSync(FOLDER)) {
  console.error("this needs a folder of clips");
  process.exit(1);
}
const clips = readFileSync(join(FOLDER, "manifest.tsv"), "utf8")
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => line.split("\t"))
  .filter(([, language]) => language === "en")
  .map(([file = "", , , reference = ""]) => ({
    samples: decodeWav(readFileSync(join(FOLDER, file))).samples,
    reference: wordsOf(reference),
  }));

console.log("| recogniser | sound | alone % | levelled % | the whole way % |");
console.log("|---|---|--:|--:|--:|");
for (const { name, engine } of await loadEngines(MODELS_DIR)) {
  for (const gain of [1, QUIET]) {
    const rates = [
      await errorRate(gain, (samples) => hearBare(engine, samples, false)),
      await errorRate(gain, (samples) => hearBare(engine, samples, true)),
      await errorRate(gain, (samples) => hear(engine, samples)),
    ];
    const cells = rates.map((rate) => (rate === null ? "–" : rate.toFixed(1)));
    console.log(`| ${name} | ${gain === 1 ? "as recorded" : "at 2 %"} | ${cells.join(" | ")} |`);
  }
}
process.exit(0);

async function errorRate(
  gain: number,
  listen: (samples: Float32Array) => Promise<string> | string | null,
): Promise<number | null> {
  let errors = 0;
  let words = 0;
  for (const { samples, reference } of clips) {
    // Through 16 bits again, as a quiet recording would have been.
    const heard = toPcm16(samples.map((sample) => sample * gain));
    const text = await listen(Float32Array.from(heard, (sample) => sample / 0x8000));
    if (text === null) return null;
    errors += distance(reference, wordsOf(text));
    words += reference.length;
  }
  return (errors / words) * 100;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{M}\p{N}']+/gu) ?? [];
}

/** Levenshtein distance in words. */
function distance(a: string[], b: string[]): number {
  let row = b.map((_, at) => at + 1);
  for (const [line, word] of a.entries()) {
    let diagonal = line;
    let left = line + 1;
    row = row.map((above, at) => {
      left = Math.min(above + 1, left + 1, diagonal + (word === b[at] ? 0 : 1));
      diagonal = above;
      return left;
    });
  }
  return row.at(-1) ?? a.length;
}
