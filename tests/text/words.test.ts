import { describe, expect, test } from "bun:test";
import { countWords } from "../../src/text/words.ts";

const cases: [name: string, text: string, count: number][] = [
  ["nothing in an empty text", "", 0],
  ["nothing in spaces and punctuation", " \n … — ।, !", 0],
  ["plain English", "The quick brown fox jumps.", 5],
  ["a contraction once", "don't can’t y'all'd've", 3],
  ["quoted words without their quotes", "'tis the dogs' 'day'", 4],
  ["a hyphenated word as its parts", "a well-known fact", 4],
  ["a decimal once", "3.14 is pi", 3],
  ["thousands once, western and Indian", "1,000 and 1,00,000", 3],
  ["Devanagari digits with a point once", "३.१४ और १,०००", 3],
  ["sentences without a space after the stop as two words", "Done.Next", 2],
  ["numbers at a sentence's end", "I have 3. You have 4, right", 7],
  ["a time of day as its parts", "at 10:30", 3],
  ["plain Hindi", "मेरा नाम राहुल है।", 4],
  ["Hindi conjuncts and vowel signs inside their words", "विद्यार्थी हिन्दी में क्षत्रिय", 4],
  ["a zero-width joiner inside a word once", "क्‍ष र्‍य", 2],
  ["a zero-width non-joiner inside a word once", "क्‌ष है", 2],
  ["a nukta written apart", "ज़रूर पढ़ो", 2],
  ["words on both sides of a danda without space", "आओ।बैठो॥चलो", 3],
  ["both languages mixed", "मैं office जा रहा हूँ, okay?", 6],
  ["no emoji", "👍 👨‍👩‍👧 ❤️ 🇮🇳 👋🏽", 0],
  ["no keycap emoji", "1️⃣ 2️⃣ go", 1],
  ["words beside emoji", "nice👍work", 2],
  ["decomposed letters", "cafe\u0301 re\u0301sume\u0301", 2],
  ["a soft hyphen inside a word once", "trans\u00ADcription", 1],
];

describe("countWords", () => {
  test.each(cases)("counts %s", (_name, text, count) => {
    expect(countWords(text)).toBe(count);
  });

  test("survives a megabyte of anything", () => {
    expect(countWords("a".repeat(1_000_000))).toBe(1);
    expect(countWords("a'".repeat(500_000))).toBe(1);
    expect(countWords("1,".repeat(500_000))).toBe(1);
    expect(countWords("'".repeat(1_000_000))).toBe(0);
    expect(countWords("\u200D".repeat(1_000_000))).toBe(0);
    expect(countWords("a\u0301".repeat(500_000))).toBe(1);
    expect(countWords("है ".repeat(300_000))).toBe(300_000);
  });
});
