import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parseDataset } from "../text/entities/dataset.ts";
import { evaluateTagger } from "../text/entities/evaluation.ts";
import {
  FOUND_LANGUAGES,
  type FoundLanguage,
  createEntityFinder,
} from "../text/entities/finder.ts";
import { BadModel } from "../text/entities/model.ts";
import { guessByScript } from "../text/entities/script.ts";
import { readShippedModel } from "../text/entities/shipped.ts";
import { type Tagger, loadTagger } from "../text/entities/tagger.ts";

const USAGE =
  `usage: earshot tag [--language ${FOUND_LANGUAGES.join("|")}] [--lower] [--model MODEL] [FILE…]\n` +
  `       earshot tag --test FILE [--language ${FOUND_LANGUAGES.join("|")}] [--lower] [--model MODEL]`;

interface Request {
  files: string[];
  language: FoundLanguage | null;
  isLower: boolean;
  test: string | null;
  model: string | null;
}

type Taggers = Record<FoundLanguage, Tagger>;

/** Writes the entities of texts, or how well labelled sentences are tagged. */
export async function tag(args: string[]): Promise<number> {
  const request = parseRequest(args);
  if (request === null) {
    console.error(USAGE);
    return 2;
  }
  try {
    const taggers = await loadTaggers(request);
    if (request.test !== null) return await test(request, request.test, taggers);
    return await find(request, taggers);
  } catch (error) {
    const isExpected = error instanceof BadModel || (error instanceof Error && "code" in error);
    if (!isExpected) throw error;
    console.error(error.message);
    return 1;
  }
}

function parseRequest(args: string[]): Request | null {
  try {
    const { positionals: files, values } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        language: { type: "string" },
        lower: { type: "boolean", default: false },
        test: { type: "string" },
        model: { type: "string" },
      },
    });
    const language = FOUND_LANGUAGES.find((known) => known === values.language) ?? null;
    if (values.language !== undefined && language === null) return null;
    if (values.test !== undefined && files.length > 0) return null;
    const { lower: isLower, test = null, model = null } = values;
    return { files, language, isLower, test, model };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return null;
  }
}

/** A model of the user's own stands for every language. */
async function loadTaggers({ model, language }: Request): Promise<Taggers> {
  if (model !== null) {
    const own = loadTagger(await readFile(model));
    return { en: own, hi: own };
  }
  const load = async (one: FoundLanguage): Promise<Tagger> =>
    loadTagger(await readShippedModel(one));
  if (language !== null) {
    const only = await load(language);
    return { en: only, hi: only };
  }
  return { en: await load("en"), hi: await load("hi") };
}

/** One JSON line: how well the sentences of a file are tagged, in per cent. */
async function test(request: Request, file: string, taggers: Taggers): Promise<number> {
  const { sentences, bad } = parseDataset(await readFile(file, "utf8"));
  for (const { line, reason } of bad.slice(0, 1)) console.error(`${file}:${line}: ${reason}`);
  if (bad.length > 0) return 1;
  const score = evaluateTagger(
    (tokens) => taggers[request.language ?? guessByScript(tokens.join(" "))],
    sentences,
    { lower: request.isLower },
  );
  console.log(JSON.stringify(score));
  return 0;
}

/** A JSON line for every entity; where there are several files it says in which. */
async function find(request: Request, taggers: Taggers): Promise<number> {
  const findEntities = createEntityFinder(taggers);
  const { files, language } = request;
  const write = (text: string, file: string | null): void => {
    const cased = request.isLower ? lowerCase(text) : text;
    const entities = findEntities(cased, language ?? guessByScript(cased));
    const lines = entities.map((entity) =>
      JSON.stringify(file === null ? entity : { file, ...entity }),
    );
    if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  };
  if (files.length === 0) write(await Bun.stdin.text(), null);
  for (const file of files) write(await readFile(file, "utf8"), files.length > 1 ? file : null);
  return 0;
}

/** Small letters in the same places: the few that would become two stay as they are. */
function lowerCase(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return Array.from(text, (character) => {
    const small = character.toLowerCase();
    return small.length === character.length ? small : character;
  }).join("");
}
