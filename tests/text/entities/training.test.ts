import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { joinMentions, parseDataset, splitDataset } from "../../../src/text/entities/dataset.ts";
import { evaluateTagger } from "../../../src/text/entities/evaluation.ts";
import { createLexicon } from "../../../src/text/entities/lexicon.ts";
import {
  BadModel,
  quantiseWeights,
  readModel,
  writeModel,
} from "../../../src/text/entities/model.ts";
import { readShippedModel } from "../../../src/text/entities/shipped.ts";
import { createTagger, loadTagger, shareTagger } from "../../../src/text/entities/tagger.ts";
import { teachWeights } from "../../../src/text/entities/teaching.ts";
import { trainingOptionsFor } from "../../../src/text/entities/training-options.ts";
import { type LabelledSentence, trainWeights } from "../../../src/text/entities/training.ts";

const SETS = join(import.meta.dir, "../../../../shared/data/ner");
const hasSets = existsSync(SETS);
const lexicon = createLexicon(new Map());
const options = { ...trainingOptionsFor("en"), epochs: 4, tableBits: 16 };

/** Sentences made of patterns, so that there is something to learn. */
function made(count: number, from: number): LabelledSentence[] {
  const people = ["Anna Berg", "Ravi Sen", "Tom Hill", "Mia Stone", "Lea Wolf"];
  const places = ["Paris", "Delhi", "Oslo", "Lima", "Quito", "Bern"];
  return Array.from({ length: count }, (_, index) => {
    const at = index + from;
    const [first = "", last = ""] = (people[at % people.length] ?? "").split(" ");
    const place = places[at % places.length] ?? "";
    return at % 2 === 0
      ? {
          tokens: [first, last, "lives", "in", place, "."],
          tags: "B-PER I-PER O O B-LOC O".split(" "),
        }
      : { tokens: ["The", "road", "to", place, "is", "long"], tags: "O O O B-LOC O O".split(" ") };
  });
}

test("training repeats bit by bit and learns", () => {
  const once = writeModel(quantiseWeights(trainWeights(made(60, 0), lexicon, options), lexicon));
  const again = writeModel(quantiseWeights(trainWeights(made(60, 0), lexicon, options), lexicon));
  expect(Buffer.from(once).equals(Buffer.from(again))).toBe(true);
  const tagger = loadTagger(once);
  for (const lower of [false, true]) {
    expect(evaluateTagger(() => tagger, made(20, 3), { lower }).f1).toBeGreaterThan(90);
  }
});

test("texts without labels teach too, and repeat bit by bit", () => {
  const texts = made(40, 7).map(({ tokens }) => tokens.join(" "));
  const teach = (some: string[]): Buffer =>
    Buffer.from(
      writeModel(quantiseWeights(teachWeights(made(60, 0), some, lexicon, options), lexicon)),
    );
  const once = teach(texts);
  expect(once.equals(teach(texts))).toBe(true);
  expect(once.equals(teach([]))).toBe(false);
  const tagger = loadTagger(once);
  expect(evaluateTagger(() => tagger, made(20, 3), { lower: true }).f1).toBeGreaterThan(90);
});

test("what stands after an @ is a mention and no entity, unless it is a place", () => {
  expect(
    joinMentions({
      tokens: ["@", "bob", ":", "@", "Rome", "@"],
      tags: ["B-PER", "B-PER", "O", "O", "B-LOC", "O"],
    }),
  ).toEqual({ tokens: ["@bob", ":", "@", "Rome", "@"], tags: ["O", "O", "O", "B-LOC", "O"] });
});

test("what is no model is refused", async () => {
  const file = await readShippedModel("hi");
  expect(() => readModel(new Uint8Array([1, 2, 3]))).toThrow(BadModel);
  expect(() => readModel(file.slice(0, 1000))).toThrow(BadModel);
  expect(() => readModel(Bun.zstdCompressSync(Buffer.from("something else")))).toThrow(BadModel);
});

test("a tagger over shared memory finds the same in another thread", async () => {
  const tagger = loadTagger(await readShippedModel("en"));
  const tokens = "Angela Merkel flew from Berlin to London .".split(" ");
  const worker = new Worker(join(import.meta.dir, "../../support/tagger-worker.ts"));
  try {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ shared: shareTagger(tagger), tokens });
    expect(await promise).toEqual(tagger.tag(tokens));
    expect(tagger.tag(tokens)).toEqual([
      { start: 0, end: 2, label: "PER" },
      { start: 4, end: 5, label: "LOC" },
      { start: 6, end: 7, label: "LOC" },
    ]);
  } finally {
    worker.terminate();
  }
});

test("a sentence of 100,000 tokens is tagged to its end", async () => {
  const tagger = loadTagger(await readShippedModel("en"));
  const spans = tagger.tag(
    Array.from({ length: 100_000 }, (_, at) => (at % 5 === 4 ? "London" : "in")),
  );
  expect(spans.at(-1)?.end).toBe(100_000);
});

test("an @ is never an entity", async () => {
  const tagger = loadTagger(await readShippedModel("en"));
  expect(tagger.tag(["@", "@nasa", "@"])).toEqual([]);
});

describe.skipIf(!hasSets)(`on sentences kept back${hasSets ? "" : " (needs ../shared)"}`, () => {
  const dev = (name: string): LabelledSentence[] =>
    splitDataset(
      parseDataset(readFileSync(join(SETS, `${name}.jsonl`), "utf8")).sentences.map(joinMentions),
    ).dev;

  test.each([
    ["wikigold", "en", 62, 55],
    ["wnut-train", "en", 58, 55],
    ["btc", "en", 60, 58],
    ["uner", "en", 70, 65],
    ["hi-train", "hi", 87, 87],
  ] as const)("%s is tagged as well as it was", async (name, language, cased, lowered) => {
    const tagger = loadTagger(await readShippedModel(language));
    expect(evaluateTagger(() => tagger, dev(name), { lower: false }).f1).toBeGreaterThan(cased);
    expect(evaluateTagger(() => tagger, dev(name), { lower: true }).f1).toBeGreaterThan(lowered);
  });

  test("rounding weights to 255 levels costs less than half a point", () => {
    const slice = parseDataset(readFileSync(join(SETS, "uner.jsonl"), "utf8")).sentences.slice(
      0,
      1500,
    );
    const { train, dev } = splitDataset(slice);
    const weights = trainWeights(train, lexicon, { ...options, epochs: 2, tableBits: 17 });
    const rounded = quantiseWeights(weights, lexicon);
    const [fine, coarse] = [fineModel(weights, rounded), rounded].map((model) => {
      const tagger = createTagger(model);
      return evaluateTagger(() => tagger, dev, { lower: false }).f1;
    });
    expect(fine).toBeGreaterThan(30);
    expect(Math.abs((fine ?? 0) - (coarse ?? 100))).toBeLessThan(0.5);
  });
});

/** A model whose table holds the weights in 32,767 even steps. */
function fineModel(
  { rows }: ReturnType<typeof trainWeights>,
  like: ReturnType<typeof quantiseWeights>,
): ReturnType<typeof quantiseWeights> {
  const largest = rows.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const table = new Int16Array(like.table.length);
  for (let at = 0; at < rows.length; at++) {
    table[Math.floor(at / 7) * 8 + (at % 7)] = Math.round(((rows[at] ?? 0) / largest) * 32_767);
  }
  return { ...like, table, scale: largest / 32_767 };
}
