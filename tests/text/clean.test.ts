import { describe, expect, test } from "bun:test";
import { cleanText } from "../../src/text/clean.ts";
import { createRandom } from "../support/random.ts";

type Case = [before: string, after: string];

const english: Record<string, Case[]> = {
  "removes noise tags": [
    ["[noise] hello (laughs) there <unk>", "hello there"],
    ["[BLANK_AUDIO]", ""],
    ["so *coughs* yes", "so yes"],
    ["hello [background noise], world", "hello, world"],
    ["♪ la la la ♪ welcome back ♪♪", "welcome back"],
    ["[[noise] noise] ok", "ok"],
    ["[um noise] fine", "fine"],
  ],
  "keeps what people put in brackets": [
    ["see you (at noon)", "see you (at noon)"],
    ["he laughs (loudly and a lot)", "he laughs (loudly and a lot)"],
    ["[URGENT] call me", "[URGENT] call me"],
    ["2 < 3 and 5 > 4", "2 < 3 and 5 > 4"],
    ["this is *really* good", "this is *really* good"],
    ["a[0] = b[1]", "a[0] = b[1]"],
    ["5 * 3 * 2", "5 * 3 * 2"],
    ["*a* laughs *b*", "*a* laughs *b*"],
  ],
  "removes fillers": [
    ["um I think uh we should go", "I think we should go"],
    ["I, um, think", "I, think"],
    ["I think, erm... so", "I think, so"],
    ["I agree, um.", "I agree."],
    ["well , , yes", "well, yes"],
    ["hmm", ""],
    ["fine, um", "fine"],
    ['I said "um yes" to him', 'I said "yes" to him'],
    ["mm-hmm I see, uh-huh", "I see"],
  ],
  "keeps an answer that is the whole line": [
    ["Uh-huh.", "Uh-huh."],
    ["um mm-hmm", "mm-hmm"],
  ],
  "keeps real words that resemble fillers": [
    ["I like it, you know, actually", "I like it, you know, actually"],
    ["take him to the ER", "take him to the ER"],
    ["5 mm of rain", "5 mm of rain"],
    ["umbrella hum human", "umbrella hum human"],
    ["#um @uh", "#um @uh"],
  ],
  "carries the capital of a removed filler": [
    ["Um, so we left", "So we left"],
    ["Done. Uh, next one", "Done. Next one"],
    ["Um, iPhone sales", "iPhone sales"],
    ["um so we left", "so we left"],
  ],
  "says stuttered words once": [
    ["the the cat", "the cat"],
    ["I I I want want it", "I want it"],
    ["The the cat", "The cat"],
    ["THE THE CAT", "THE CAT"],
    ["I, I think", "I think"],
    ["we- we left", "we left"],
    ["I um I think", "I think"],
    ["I am I am going", "I am going"],
    ["I am I am I am going", "I am going"],
    ["you want you want, right?", "you want, right?"],
  ],
  "keeps legitimate doubles": [
    ["two two five five", "two two five five"],
    ["5 5 1.5 1.5", "5 5 1.5 1.5"],
    ["he had had enough", "he had had enough"],
    ["I know that that is very very good", "I know that that is very very good"],
    ["no no no, bye bye", "no no no, bye bye"],
    ["Duran Duran in New York New York", "Duran Duran in New York New York"],
    ["on and on and on", "on and on and on"],
    ["Paris. Paris is big", "Paris. Paris is big"],
    ["go, never, never!", "go, never, never!"],
    ["one two one two", "one two one two"],
    ["👍 👍", "👍 👍"],
  ],
  "tidies spaces and punctuation": [
    ["  hello   world  ", "hello world"],
    ["hello , world . really ?", "hello, world. really?"],
    ["hello :) fine", "hello :) fine"],
    ["costs .5 in .NET", "costs .5 in .NET"],
    ["...", "..."],
    ["wait ...", "wait..."],
  ],
};

const hindi: Record<string, Case[]> = {
  "removes Hindi fillers": [
    ["अं मैं सोचता हूँ", "मैं सोचता हूँ"],
    ["उम्म ठीक है हम्म", "ठीक है"],
    ["अम्म, हम्म्म चलो", "चलो"],
    ["um मैं uh आता हूँ", "मैं आता हूँ"],
  ],
  "keeps real Hindi words": [
    ["हम अम्मा से मिले मतलब कल", "हम अम्मा से मिले मतलब कल"],
    ["हाँ हाँ नहीं नहीं नहीं", "हाँ हाँ नहीं नहीं नहीं"],
  ],
  "keeps reduplication": [
    ["धीरे धीरे चलो", "धीरे धीरे चलो"],
    ["बार बार कभी कभी", "बार बार कभी कभी"],
    ["दो दो एक एक ५ ५ ५", "दो दो एक एक ५ ५ ५"],
    ["dheere dheere chalo", "dheere dheere chalo"],
  ],
  "cuts longer repeats to two, and little words to one": [
    ["धीरे धीरे धीरे धीरे चलो", "धीरे धीरे चलो"],
    ["मैं मैं मैं घर में में हूँ", "मैं घर में हूँ"],
    ["मैं घर मैं घर जाऊँगा", "मैं घर जाऊँगा"],
    ["the the मीटिंग", "the मीटिंग"],
  ],
  "tidies the danda": [
    ["ठीक है । चलो ।", "ठीक है। चलो।"],
    ["मैं आया उम्म।", "मैं आया।"],
  ],
  "removes Hindi noise tags": [["[शोर] नमस्ते (हँसी)", "नमस्ते"]],
};

describe("cleanText in English", () => {
  for (const [behaviour, cases] of Object.entries(english)) {
    test.each(cases)(`${behaviour}: %p`, (before, after) => {
      expect(cleanText(before, "en")).toBe(after);
    });
  }
});

describe("cleanText in Hindi", () => {
  for (const [behaviour, cases] of Object.entries(hindi)) {
    test.each(cases)(`${behaviour}: %p`, (before, after) => {
      expect(cleanText(before, "hi-IN")).toBe(after);
    });
  }
});

describe("cleanText in any language", () => {
  test("leaves other languages' words alone", () => {
    expect(cleanText("nous nous sommes vus um zehn [noise]", "fr")).toBe(
      "nous nous sommes vus um zehn",
    );
  });

  test("composes letters, with a nukta written one way", () => {
    expect(cleanText("cafe\u0301", "en")).toBe("caf\u00e9");
    expect(cleanText("\u095b", "hi")).toBe("\u091c\u093c");
  });

  test("keeps joiners inside Devanagari words and emoji", () => {
    expect(cleanText("क्‍ष 👨‍👩‍👧", "hi")).toBe("क्‍ष 👨‍👩‍👧");
  });

  test("removes control characters and half surrogates", () => {
    expect(cleanText("a\u0000b\u0007\u202Ec\uFEFF\ud800 d\te", "en")).toBe("abc d e");
  });

  test("keeps lines, one blank line between, and drops emptied ones", () => {
    expect(cleanText("one\r\n\r\n\r\ntwo\n[noise]\nthree\n\n", "en")).toBe("one\n\ntwo\nthree");
    expect(cleanText("the\nthe end", "en")).toBe("the\nthe end");
  });
});

const PIECES = [
  ..."[ ] ( ) < > * ♪ ♫ , . ; : ! ? … । \" ' “ ” - — # @ $ _".split(" "),
  ..."um Um uh Uh-huh mm-hmm ER hmm noise laughs [noise] (laughs) BLANK_AUDIO unk".split(" "),
  ..."I am the the The had two 5 3.14 and on New York is go a b it's".split(" "),
  ..."अं उम्म हम्म हम मैं धीरे बार दो है नहीं घर क्‍ष 👍 ❤️ é".split(" "),
  ..." |  |   |\n|\r\n|\t|\u0000|\u200B|\u0301|\u0316|\u093C|\uFEFF|\ud800|\udc00|\u0344".split(
    "|",
  ),
];

describe("cleaning twice", () => {
  for (const language of ["en", "hi", "fr"]) {
    test(`changes nothing more (${language})`, () => {
      const random = createRandom(20_260_101);
      for (let round = 0; round < 6_000; round++) {
        let text = "";
        for (let left = Math.floor(random() * 24); left >= 0; left--) {
          text += PIECES[Math.floor(random() * PIECES.length)] ?? "";
          if (random() < 0.6) text += " ";
        }
        const once = cleanText(text, language);
        expect([text, cleanText(once, language)]).toEqual([text, once]);
        expect(once).toBe(once.normalize("NFC"));
      }
    });
  }
});

/** Enough to see what grows with the square of it. */
const HOSTILE_CHARACTERS = 300_000;

describe("much hostile text", () => {
  const hostile = [
    "[",
    "[noise",
    "(a",
    "*a",
    "♪",
    "a\u0301\u0316",
    "\u0301\u0316",
    ", ",
    "um ",
    "the ",
  ];
  const more = [
    ". ",
    " !",
    "I am ",
    "a b a ",
    "uh,",
    "\n",
    " \n",
    "<<>",
    "[[noise] ",
    "...",
    "\u200D",
    "[um ",
    "हम्म ",
  ];
  test.each([...hostile, ...more])("of %p ends and stays clean", (piece) => {
    const text = piece.repeat(Math.ceil(HOSTILE_CHARACTERS / piece.length));
    const once = cleanText(text, "en");
    expect(once.length).toBeLessThanOrEqual(text.length);
    expect(cleanText(once, "en") === once).toBe(true);
  });

  test.each([
    ["a" + ",".repeat(500_000) + '" ' + "um. ".repeat(100_000)],
    ["b".repeat(500_000) + " a".repeat(200_000)],
    ["a" + ".".repeat(500_000) + ' um"'.repeat(100_000)],
    ["[".repeat(300_000) + "noise]" + "]".repeat(300_000)],
    ["b".repeat(300_000) + " a b".repeat(100_000) + " x.".repeat(100_000)],
    ["*".repeat(500_000) + " ! ".repeat(160_000)],
  ])("of one long part and many short ones ends and stays clean", (text) => {
    const once = cleanText(text, "en");
    expect(cleanText(once, "en") === once).toBe(true);
  });
});
