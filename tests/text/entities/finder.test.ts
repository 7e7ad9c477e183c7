import { expect, test } from "bun:test";
import { spreadNames } from "../../../src/text/entities/consistency.ts";
import { createEntityFinder } from "../../../src/text/entities/finder.ts";
import { guessByScript } from "../../../src/text/entities/script.ts";
import { readShippedModel } from "../../../src/text/entities/shipped.ts";
import { loadTagger } from "../../../src/text/entities/tagger.ts";

const [en, hi] = [
  loadTagger(await readShippedModel("en")),
  loadTagger(await readShippedModel("hi")),
];
const find = createEntityFinder({ en, hi });

test("entities say where they stand in the text", () => {
  const text = "😀 Barack Obama flew to London.\nObama's plane left the U.S. on Monday.";
  const found = find(text, "en");
  expect(found.map(({ text, label }) => `${label} ${text}`)).toEqual([
    "PER Barack Obama",
    "LOC London",
    "PER Obama",
    "LOC U.S.",
  ]);
  for (const entity of found) expect(text.slice(entity.start, entity.end)).toBe(entity.text);
});

test("small letters are enough", () => {
  const found = find("barack obama flew to london and then to iran", "en");
  expect(found.map(({ text }) => text)).toEqual(["barack obama", "london", "iran"]);
});

test("Hindi is tagged", () => {
  const found = find("नरेंद्र मोदी भारत के प्रधानमंत्री हैं।वह दिल्ली में रहते हैं।", "hi");
  expect(found.filter(({ label }) => label === "LOC").map(({ text }) => text)).toEqual([
    "भारत",
    "दिल्ली",
  ]);
});

test("the same text gives the same, whatever came before", () => {
  const text = "The mayor of Paris met Tim Cook of Apple.";
  const before = find(text, "en");
  for (let round = 0; round < 40; round++) {
    find(Array.from({ length: 1000 }, (_, at) => `word${round}x${at}`).join(" "), "en");
  }
  expect(find(text, "en")).toEqual(before);
});

test.each(["\ud800 \udfff London", "\0\0", "", "x".repeat(1_000_000), "👍".repeat(100_000)])(
  "hostile text %#",
  (text) => {
    expect(find(text, "en").every(({ start, end }) => start < end && end <= text.length)).toBe(
      true,
    );
    expect(find(text, "hi").length).toBeLessThan(10);
  },
);

test("a text names all that it names, however many", () => {
  expect(find("He lives in London. ".repeat(30_000), "en").length).toBe(30_000);
});

test("a surname is the person whose full name the text gives", () => {
  const sentences = [
    { tokens: ["Angela", "Merkel", "spoke"], spans: [{ start: 0, end: 2, label: "PER" as const }] },
    { tokens: ["Then", "Merkel", "left"], spans: [] },
    { tokens: ["Merkel", "won"], spans: [{ start: 0, end: 1, label: "ORG" as const }] },
    { tokens: ["the", "Merkel", "Street"], spans: [] },
    // A place may be called like a person: Michael Jordan visits Jordan.
    { tokens: ["in", "Merkel"], spans: [{ start: 1, end: 2, label: "LOC" as const }] },
  ];
  spreadNames(sentences);
  expect(
    sentences.map(({ spans }) => spans.map(({ start, label }) => `${start} ${label}`)),
  ).toEqual([["0 PER"], ["1 PER"], ["0 PER"], [], ["1 LOC"]]);
});

test("Hindi is told by its script", () => {
  expect(guessByScript("नमस्ते")).toBe("hi");
  expect(guessByScript("hello नमस्")).toBe("en");
  expect(guessByScript("123")).toBe("en");
});
