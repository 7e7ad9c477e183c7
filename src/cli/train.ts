import { readFile, rename, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { joinMentions, parseDataset, splitDataset } from "../text/entities/dataset.ts";
import { evaluateTagger } from "../text/entities/evaluation.ts";
import { FOUND_LANGUAGES, type FoundLanguage } from "../text/entities/finder.ts";
import { ENTITY_LABELS } from "../text/entities/labels.ts";
import { quantiseWeights, writeModel } from "../text/entities/model.ts";
import type { TypedScore } from "../text/entities/score.ts";
import { guessByScript } from "../text/entities/script.ts";
import { readShippedLexicon } from "../text/entities/shipped.ts";
import { loadTagger } from "../text/entities/tagger.ts";
import { teachWeights } from "../text/entities/teaching.ts";
import { trainingOptionsFor } from "../text/entities/training-options.ts";
import type { LabelledSentence } from "../text/entities/training.ts";

const USAGE =
  `usage: earshot train FILE… --out MODEL [--language ${FOUND_LANGUAGES.join("|")}] [--epochs N]\n` +
  "                     [--unlabelled TEXTS]\n\n" +
  `  FILE        labelled sentences, a line each: {"tokens":["Tom","left"],"tags":["B-PER","O"]}\n` +
  "  TEXTS       texts without labels, a line each, plain or JSON with a content; may end in .zst\n\n" +
  "The models that come with the program were made with\n" +
  "  earshot train wikigold.jsonl wnut-train.jsonl btc.jsonl uner.jsonl \\\n" +
  "    --unlabelled news-links-100k.jsonl.zst --out en.model.zst\n" +
  "  earshot train hi-train.jsonl --out hi.model.zst";

/** Bad lines past this many are counted, not named. */
const BAD_LINES_NAMED_MAX = 20;
const EPOCHS_MAX = 100;

interface Request {
  files: string[];
  out: string;
  language: FoundLanguage | null;
  epochs: number | null;
  unlabelled: string | null;
}

/**
 * Trains a tagger on labelled sentences, of which a tenth is kept for trying out. The same files
 * give the same model, byte for byte.
 */
export async function train(args: string[]): Promise<number> {
  const request = parseRequest(args);
  if (request === null) {
    console.error(USAGE);
    return 2;
  }
  const sets = await readSets(request.files);
  if (sets === null) return 1;
  const texts = request.unlabelled === null ? [] : await readTexts(request.unlabelled);
  if (texts === null) return 1;
  const parts = sets.map(({ file, sentences }) => ({ file, ...splitDataset(sentences) }));
  const sentences = parts.flatMap(({ train }) => train);
  const sample = sentences.slice(0, 100).flatMap(({ tokens }) => tokens);
  const language = request.language ?? guessByScript(sample.join(" "));
  const lexicon = await readShippedLexicon(language);
  const defaults = trainingOptionsFor(language);
  const epochs = request.epochs ?? defaults.epochs;

  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  console.log(`training ${language} on ${sentences.length} sentences`);
  const weights = teachWeights(sentences, texts, lexicon, {
    ...defaults,
    epochs,
    onEpoch: (epoch, wrong) =>
      console.log(`epoch ${epoch} of ${epochs}: ${wrong} sentences wrong, ${seconds()}`),
  });
  const model = writeModel(quantiseWeights(weights, lexicon));
  console.log(`trained in ${seconds()}`);

  try {
    // A model that is being read is never half a new one.
    const working = `${request.out}.${process.pid}.part`;
    await writeFile(working, model);
    await rename(working, request.out);
  } catch (error) {
    console.error(`${request.out}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  const tagger = loadTagger(model);
  for (const { file, dev } of parts) {
    for (const lower of language === "en" ? [false, true] : [false]) {
      const name = `${file}, ${dev.length} sentences kept back${lower ? ", lower-cased" : ""}`;
      console.log(`${name}: ${describe(evaluateTagger(() => tagger, dev, { lower }))}`);
    }
  }
  console.log(`${request.out}: ${model.length} bytes`);
  return 0;
}

function parseRequest(args: string[]): Request | null {
  try {
    const { positionals: files, values } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: "string" },
        language: { type: "string" },
        epochs: { type: "string" },
        unlabelled: { type: "string" },
      },
    });
    const language = FOUND_LANGUAGES.find((known) => known === values.language) ?? null;
    const epochs = values.epochs === undefined ? null : Number(values.epochs);
    if (files.length === 0 || values.out === undefined || values.out === "") return null;
    if (values.language !== undefined && language === null) return null;
    if (epochs !== null && !(Number.isInteger(epochs) && epochs > 0 && epochs <= EPOCHS_MAX)) {
      return null;
    }
    return { files, out: values.out, language, epochs, unlabelled: values.unlabelled ?? null };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return null;
  }
}

/** Null, and lines that say why, when there is nothing to train on. */
async function readSets(
  files: readonly string[],
): Promise<{ file: string; sentences: LabelledSentence[] }[] | null> {
  const sets: { file: string; sentences: LabelledSentence[] }[] = [];
  let isWhole = true;
  for (const file of files) {
    let text;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      console.error(`${file}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
    const { sentences, bad } = parseDataset(text);
    for (const { line, reason } of bad.slice(0, BAD_LINES_NAMED_MAX)) {
      console.error(`${file}:${line}: ${reason}`);
    }
    if (bad.length > BAD_LINES_NAMED_MAX) {
      console.error(`${file}: ${bad.length - BAD_LINES_NAMED_MAX} more bad lines`);
    }
    if (bad.length > 0) isWhole = false;
    sets.push({ file, sentences: sentences.map(joinMentions) });
  }
  if (!isWhole) return null;
  if (sets.some(({ sentences }) => sentences.length > 0)) return sets;
  console.error("there is no sentence to train on");
  return null;
}

/** The texts of a file, one a line; null, and a line that says why, when it cannot be read. */
async function readTexts(file: string): Promise<string[] | null> {
  try {
    const bytes = await readFile(file);
    const plain = file.endsWith(".zst") ? Bun.zstdDecompressSync(bytes) : bytes;
    const lines = new TextDecoder().decode(plain).split("\n");
    return lines.filter((line) => line.trim() !== "").map(textOf);
  } catch (error) {
    console.error(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** What a line says: the content of a post, or the line itself. */
function textOf(line: string): string {
  if (!line.startsWith("{")) return line;
  const { content } = JSON.parse(line) as { content?: unknown };
  return typeof content === "string" ? content : "";
}

function describe({ f1, by }: TypedScore): string {
  const types = ENTITY_LABELS.map((label) => `${label} ${by[label].f1.toFixed(1)}`);
  return `F1 ${f1.toFixed(1)} (${types.join(", ")})`;
}
