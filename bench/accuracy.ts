import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createBlocks, toPcm16 } from "../src/speech/blocks.ts";
import { createLeveller } from "../src/speech/level.ts";
import { loadVoskModel, locateVosk, openVosk } from "../src/speech/vosk.ts";
import { decodeWav } from "../src/speech/wav.ts";

// Word error rate of the bundled recogniser over clips with reference text, as recorded and turned
// down to 2 %, each with and without levelling.
//
//   bun bench/accuracy.ts [FOLDER with manifest.tsv]

const FOLDER = process.argv[2] ?? join(import.meta.dir, "../../shared/audio");
const QUIET = 0.02;

const source = locateVosk();
if (source === null || !existsSync(FOLDER)) {
  console.error("this needs the bundled recogniser and a folder of clips");
  process.exit(1);
}
const engine = openVosk(source, loadVoskModel(source));
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

console.log("| sound | levelled | word error rate % |");
console.log("|---|---|--:|");
for (const gain of [1, QUIET]) {
  for (const isLevelled of [false, true]) {
    const rate = errorRate(gain, isLevelled).toFixed(1);
    console.log(
      `| ${gain === 1 ? "as recorded" : "at 2 %"} | ${isLevelled ? "yes" : "no"} | ${rate} |`,
    );
  }
}

function errorRate(gain: number, isLevelled: boolean): number {
  let errors = 0;
  let words = 0;
  for (const { samples, reference } of clips) {
    // Through 16 bits again, as a quiet recording would have been.
    const heard = toPcm16(samples.map((sample) => sample * gain));
    const text = listen(
      Float32Array.from(heard, (sample) => sample / 0x8000),
      isLevelled,
    );
    errors += distance(reference, wordsOf(text));
    words += reference.length;
  }
  return (errors / words) * 100;
}

function listen(samples: Float32Array, isLevelled: boolean): string {
  const recogniser = engine.open();
  const leveller = createLeveller();
  const blocks = createBlocks();
  const texts: string[] = [];
  for (const block of [...blocks.push(samples), blocks.flush() ?? new Float32Array()]) {
    if (block.length === 0) continue;
    const sound = isLevelled ? leveller.level(block) : block;
    if (recogniser.accept(toPcm16(sound))) texts.push(recogniser.ended().text);
  }
  texts.push(recogniser.final().text);
  recogniser.free();
  return texts.join(" ");
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
