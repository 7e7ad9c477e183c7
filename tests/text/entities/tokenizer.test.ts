import { describe, expect, test } from "bun:test";
import { SENTENCE_TOKENS_MAX, createTokenizer } from "../../../src/text/entities/tokenizer.ts";

const tokenize = createTokenizer();

/** The sentences of a text, tokens with a stroke between. */
function sentencesOf(text: string): string[] {
  const found: string[] = [];
  tokenize(text, ({ tokens, starts }) => {
    found.push(tokens.join("|"));
    for (const [at, token] of tokens.entries()) {
      if (!text.startsWith(token, starts[at])) throw new Error(`${token} stands elsewhere`);
    }
  });
  return found;
}

describe("English", () => {
  test.each([
    ["Obama's dogs' toys, don't!", ["Obama|'s|dogs|'|toys|,|do|n't|!"]],
    ["Dr. Smith met O'Neill at AT&T.", ["Dr.|Smith|met|O'Neill|at|AT&T|."]],
    ["He left the U.S. Senate. It was No. 10.", ["He|left|the|U.S.|Senate|.", "It|was|No.|10|."]],
    ["He said no. She did.", ["He|said|no|.", "She|did|."]],
    ["It cost $1,000.50 at 10:30.", ["It|cost|$|1,000.50|at|10:30|."]],
    ["no space.Next one", ["no|space|.", "Next|one"]],
    ["Really?! (Yes.) Fine", ["Really|?!", "(|Yes|.|)", "Fine"]],
    ["she left... then came", ["she|left|...|then|came"]],
    ["one line\nanother", ["one|line", "another"]],
    ["co-op — well", ["co-op|—|well"]],
  ])("%s", (text, sentences) => expect(sentencesOf(text)).toEqual(sentences));
});

describe("what people type", () => {
  test.each([
    ["see https://a.b/c?d=1). ok", ["see|https://a.b/c?d=1|)|.|ok"]],
    ["mail bob@x.org now", ["mail|bob@x.org|now"]],
    ["@nasa #Moon", ["@nasa|#|Moon"]],
    ["hi 👍🏽❤️ there", ["hi|👍🏽|❤️|there"]],
    ["@ home", ["@|home"]],
  ])("%s", (text, sentences) => expect(sentencesOf(text)).toEqual(sentences));
});

describe("Hindi", () => {
  test.each([
    ["राम दिल्ली गया।वह आया॥", ["राम|दिल्ली|गया|।", "वह|आया|॥"]],
    ["डॉ. सिंह ने १,००० रुपये दिए.", ["डॉ.|सिंह|ने|१,०००|रुपये|दिए|."]],
  ])("%s", (text, sentences) => expect(sentencesOf(text)).toEqual(sentences));
});

test("a sentence longer than the limit is cut, never dropped", () => {
  const found = sentencesOf("word ".repeat(100_000));
  expect(found.length).toBe(Math.ceil(100_000 / SENTENCE_TOKENS_MAX));
  expect(found.join("|").split("|").length).toBe(100_000);
});

test.each(["x", ".", "a.", "😀", "@", '"', "!)", "'", "a@", "http://", "\ud800", "\0", "।"])(
  "a million of %j are worked in linear time and nothing is lost",
  (piece) => {
    const text = piece.repeat(1_000_000 / piece.length);
    let length = 0;
    tokenize(text, ({ tokens }) => {
      for (const token of tokens) length += token.length;
    });
    expect(length).toBe(piece === "\0" ? 0 : text.length);
  },
);
