import { EXPANSIONS, VARIANTS } from "./topic-variants.ts";
import type { EntityLabel } from "./entities/labels.ts";
import { formOf } from "./search-text.ts";

const OUTSIDE_ASCII = /[^\p{ASCII}]/u;
const APOSTROPHES = /['’‘ʼ‛`´′＇]/g;
const POSSESSIVE = /(?<=[\p{L}\p{M}\p{N}.])'s?[^\p{L}\p{M}\p{N}]*$/u;
/** What shapes a word on screen without ending it. */
const INVISIBLE = /[\u00AD\u200B-\u200D\u2060\uFEFF]/g;
/** A plus is part of a name (Disney+); everything else that is no letter or digit stands between words. */
const BETWEEN = /[^\p{L}\p{M}\p{N}+]+/u;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;
const LATIN_LETTER = /^[a-z]$/;

/** Latin letters whose stroke is no accent to Unicode, so that no normal form takes it off. */
const STROKES: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  þ: "th",
  ł: "l",
  ħ: "h",
  ı: "i",
};
const STROKED = new RegExp(`[${Object.keys(STROKES).join("")}]`, "g");

/** How Hindi writes the Latin letters of an abbreviation: बी.जे.पी., बी जे पी and बीजेपी. */
const HINDI_LETTERS = new Set(
  "ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू एक्स वाई जेड".split(" "),
);

/** What stands before a person's name and is plainly none of it, as one word or as two. */
const TITLES = new Set([
  ...(
    "mr mrs ms miss mx dr prof professor sir dame sen senator rep gov governor gen general col " +
    "lt sgt capt maj adm rev hon president pm congressman congresswoman " +
    "श्री श्रीमती सुश्री डॉ डॉक्टर प्रो प्रोफेसर पं पंडित"
  ).split(" "),
  "vice president",
  "prime minister",
  "rt hon",
]);

/** Before a single word these are as good as a name (Lady Gaga), before a full one a title. */
const TITLES_OF_FULL_NAMES = new Set(["lord", "lady"]);

/** What Hindi puts after a person's name out of respect. */
const RESPECT = "जी";

/** What says of which kind a company is. */
const COMPANY_KINDS = new Set(
  (
    "inc incorporated corp corporation ltd limited llc llp plc co gmbh ag kg sa nv bv ab oy pty " +
    "pvt लिमिटेड लि प्रा"
  ).split(" "),
);
/** The same after at least two words; "Bad Company" is a name. */
const COMPANY = "company";

/**
 * The folded form of a name: names that fold alike under one label are one topic.
 *
 * Without difference are case, accents, punctuation, apostrophes, a possessive at the end, "&" and
 * "and", hyphens and spaces, dots and spaces between initials (U.S., J. K. Rowling), "the" at the
 * beginning, and in Hindi what search ignores too. A label takes off what only its names carry:
 * titles of persons, kinds of companies; and knows a few names that are written in several ways
 * (US, United States). Without a label only what holds for each of them is done, so that whoever
 * looks for a name of unknown label has to fold it once for each.
 *
 * Empty when nothing is left. Depends on nothing but its arguments. Time is linear in the length.
 */
export function foldName(name: string, label?: EntityLabel): string {
  let words = wordsOf(name);
  if (words[0] === "the" && words.length > 1) words = words.slice(1);
  if (label === "PER") words = withoutTitles(words);
  if (label === "ORG") words = withoutCompanyKind(words);
  if (label === undefined) return words.join(" ");
  return variantOf(words.join(" "), label);
}

function wordsOf(name: string): string[] {
  const plain = OUTSIDE_ASCII.test(name)
    ? name.replace(APOSTROPHES, "'").normalize("NFKC").replace(INVISIBLE, "")
    : name.replaceAll("`", "'");
  const words = plain
    .toLowerCase()
    .replace(POSSESSIVE, "")
    .replaceAll("'", "")
    .replaceAll("&", " and ")
    .split(BETWEEN)
    .filter((word) => LETTER_OR_DIGIT.test(word))
    .map((word) =>
      OUTSIDE_ASCII.test(word)
        ? formOf(word).replace(STROKED, (letter) => STROKES[letter] ?? "")
        : word,
    )
    .filter((word) => word !== "");
  return joinRuns(
    joinRuns(words, (word) => LATIN_LETTER.test(word)),
    (word) => HINDI_LETTERS.has(word),
  );
}

/** Writes letters that follow each other as one word. */
function joinRuns(words: string[], isLetter: (word: string) => boolean): string[] {
  if (words.filter(isLetter).length < 2) return words;
  const joined: string[] = [];
  let isRun = false;
  for (const word of words) {
    const isOne = isLetter(word);
    if (isRun && isOne) joined.push(`${joined.pop() ?? ""}${word}`);
    else joined.push(word);
    isRun = isOne;
  }
  return joined;
}

function withoutTitles(words: string[]): string[] {
  let rest = words;
  for (;;) {
    const left = rest.slice(titleLength(rest));
    if (left.length === rest.length || !isName(left)) break;
    rest = left;
  }
  return rest.length > 1 && rest.at(-1) === RESPECT ? rest.slice(0, -1) : rest;
}

/** How many words at the beginning are a title. */
function titleLength([first = "", second = "", ...others]: readonly string[]): number {
  if (TITLES.has(`${first} ${second}`)) return 2;
  return TITLES.has(first) || (TITLES_OF_FULL_NAMES.has(first) && others.length > 0) ? 1 : 0;
}

function withoutCompanyKind(words: string[]): string[] {
  let rest = words;
  for (;;) {
    const last = rest.at(-1) ?? "";
    const isKind = COMPANY_KINDS.has(last) || (last === COMPANY && rest.length > 2);
    // "Tiffany & Co." leaves an "and" behind.
    const left = rest.slice(0, rest.at(-2) === "and" ? -2 : -1);
    if (!isKind || !isName(left)) return rest;
    rest = left;
  }
}

/** A lone letter says too little to be what a title or a kind was put to: Mr. T, X Corp. */
function isName(words: readonly string[]): boolean {
  const [first = ""] = words;
  return words.length > 1 || (first !== "" && !LATIN_LETTER.test(first));
}

function variantOf(key: string, label: EntityLabel): string {
  let folded = key;
  for (const [long, short] of EXPANSIONS[label]) {
    if (folded.startsWith(`${long} `)) folded = `${short}${folded.slice(long.length)}`;
  }
  return VARIANTS[label].get(folded) ?? VARIANTS[label].get(key) ?? folded;
}
