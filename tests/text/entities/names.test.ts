import { expect, test } from "bun:test";
import { foldWord } from "../../../src/text/entities/folding.ts";
import {
  createLexicon,
  entryOf,
  readLexicon,
  writeLexicon,
} from "../../../src/text/entities/lexicon.ts";
import {
  MATCH_FIRST,
  MATCH_INNER,
  MATCH_LAST,
  doesContinue,
  findName,
  kindsOf,
  matchNames,
} from "../../../src/text/entities/names.ts";

const lexicon = createLexicon(
  new Map([["york", entryOf(3, 4)]]),
  new Map([
    ["new york", 1],
    ["new york times", 2],
    ["york", 4],
    ["hotel 99", 8],
    ["bank of upper silesia", 16],
  ]),
);

function match(text: string): number[] {
  const words = ["", "", ...text.split(" "), "", ""].map((token) => {
    const lower = foldWord(token);
    return { lower, opensName: doesContinue(findName(lexicon.names, lower)) };
  });
  const matches = new Uint16Array(words.length);
  matchNames(words, 2, words.length - 4, lexicon.names, matches);
  return [...matches].slice(2, -2);
}

test("of names of several words the longest is found", () => {
  expect(match("in New York today")).toEqual([0, MATCH_FIRST | 1, MATCH_LAST | 1, 0]);
  expect(match("New York Times")).toEqual([MATCH_FIRST | 2, MATCH_INNER | 2, MATCH_LAST | 2]);
  expect(match("Bank of Upper New York")).toEqual([0, 0, 0, MATCH_FIRST | 1, MATCH_LAST | 1]);
  expect(match("New")).toEqual([0]);
});

test("capitals, marks and digits do not matter", () => {
  expect(match("(new YORK)")).toEqual([MATCH_FIRST | 1, MATCH_LAST | 1]);
  expect(match("Hotel 42")).toEqual([MATCH_FIRST | 8, MATCH_LAST | 8]);
});

test("a name of one word is known by its kinds", () => {
  const york = findName(lexicon.names, foldWord("York"));
  expect([kindsOf(york), doesContinue(york)]).toEqual([4, false]);
  expect(kindsOf(findName(lexicon.names, foldWord("nothing")))).toBe(0);
});

test("a lexicon is read as it was written", () => {
  const read = readLexicon(writeLexicon(lexicon));
  expect(read.names).toEqual(lexicon.names);
  expect(read.find("york")).toBe(entryOf(3, 4));
});
