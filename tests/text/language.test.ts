import { describe, expect, test } from "bun:test";
import { detectLanguage } from "../../src/text/language.ts";
import { createTextProcessor } from "../../src/text/pipeline.ts";

const processText = createTextProcessor(() => []);

const cases: [text: string, language: string | null][] = [
  ["The meeting has been moved to Thursday afternoon.", "en"],
  ["and then we went to the store to buy some milk", "en"],
  ["I WILL CALL YOU BACK WHEN I GET HOME", "en"],
  ["lol that was so funny i cant even", "en"],
  ["can u send me the pdf asap pls", "en"],
  ["deploy failed on staging server again", "en"],
  ["hello", "en"],
  ["ok", "en"],
  ["John Smith London", "en"],
  ["मेरा नाम राहुल है", "hi"],
  ["नमस्ते", "hi"],
  ["हाँ", "hi"],
  ["मैं office जा रहा हूँ", "hi"],
  ["the word नमस्ते means hello in Hindi", "en"],
  ["mera naam rahul hai", "hi"],
  ["kya haal hai bhai", "hi"],
  ["aap kaise hain, main theek hoon", "hi"],
  ["theek hai", "hi"],
  ["ho ho ho", "en"],
  ["hum along", "en"],
  ["Bonjour tout le monde, comment allez-vous ?", "fr"],
  ["Hola, cómo te llamas?", "es"],
  ["Wir treffen uns morgen um zehn Uhr im Büro", "de"],
  ["Привет, как дела? Давно не виделись", "ru"],
  ["আমি বাংলায় গান গাই", "bn"],
  ["see https://example.de/uebersicht and mail @franz for the details", "en"],
  ["", null],
  ["123 45.6 ... !!", null],
  ["👍👍", null],
];

describe("detectLanguage", () => {
  test.each(cases)("reads %p as %p", async (text, language) => {
    expect(await detectLanguage(text)).toBe(language);
  });

  test("reads only the start of a very long text", async () => {
    expect(await detectLanguage("we all went home ".repeat(60_000))).toBe("en");
    expect(await detectLanguage("a".repeat(1_000_000))).toBe("en");
  });
});

describe("processText", () => {
  test("keeps the language it is given", async () => {
    expect((await processText({ text: "um hello hello there", language: "hi" })).language).toBe(
      "hi",
    );
  });

  test("cleans, counts the cleaned words and detects the language", async () => {
    expect(await processText({ text: "um I I think it's 3.14", language: null })).toEqual({
      text: "I think it's 3.14",
      wordCount: 4,
      entities: [],
      language: "en",
    });
    expect(await processText({ text: "अं मैं मैं घर जा रहा हूँ ।", language: null })).toEqual({
      text: "मैं घर जा रहा हूँ।",
      wordCount: 5,
      entities: [],
      language: "hi",
    });
  });

  test("finds entities in the cleaned text, in languages that they are found in", async () => {
    const label = "PER" as const;
    const find = createTextProcessor((text) => [{ text, label, start: 0, end: text.length }]);
    const text = "Ada Lovelace";
    const found = [{ text, label, start: 0, end: 12 }];
    expect((await find({ text: `um ${text}`, language: "en-GB" })).entities).toEqual(found);
    expect((await find({ text, language: "de" })).entities).toEqual([]);
  });

  test("answers for a text without words", async () => {
    expect((await processText({ text: "[noise] 👍", language: null })).wordCount).toBe(0);
    expect(await processText({ text: "", language: null })).toEqual({
      text: "",
      wordCount: 0,
      entities: [],
      language: null,
    });
  });
});
