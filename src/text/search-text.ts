/**
 * The version of the normal form below. Whoever keeps words in it has to make them again when it
 * changes.
 */
export const WORD_FORM = 1;

/** A word of a text: its normal form, and where it stands, in code units. */
export interface PlacedWord {
  form: string;
  start: number;
  end: number;
}

/** One thing that is looked for: words that follow each other. */
export interface SearchTerm {
  words: string[];
  /** Whether the last word has to be whole; otherwise it may go on. */
  isExact: boolean;
}

/** Longer words are known by their beginning. */
const FORM_CHARACTERS_MAX = 64;
/** Normalising takes quadratic time on endless runs of marks, so only this much of a word is read. */
const READ_CHARACTERS_MAX = 4 * FORM_CHARACTERS_MAX;

/** Words of one text whose forms are remembered; making one costs more than finding it again. */
const REMEMBERED_MAX = 10_000;

/** A word goes on over marks, over characters that only shape it, and over apostrophes. */
const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}\p{Join_Control}'’\u00AD\u2060]*/gu;
const OUTSIDE_ASCII = /[^\p{ASCII}]/u;
const APOSTROPHES = /['’]/g;
const LAST_APOSTROPHES = /['’]{1,8}$/;

/** What is left out: Latin accents, the nukta, and everything that is no letter, vowel sign or digit. */
const LEFT_OUT = /[\u0300-\u036F\u093C\uFE00-\uFE0F]|[^\p{L}\p{N}\p{Mn}\p{Mc}]/gu;
const CHANDRABINDU = /\u0901/g;
const LAST_VIRAMA = /\u094D$/;
const DEVANAGARI_DIGITS = /[०-९]/g;

/** Each nasal and the consonants of its own place, before which it may be written as a dot (ं). */
const NASALS = new Map([
  ["ङ", "कखगघ"],
  ["ञ", "चछजझ"],
  ["ण", "टठडढ"],
  ["न", "तथदध"],
  ["म", "पफबभ"],
]);
const HOMORGANIC = new RegExp(
  [...NASALS].map(([nasal, consonants]) => `${nasal}\u094D(?=[${consonants}])`).join("|"),
  "gu",
);

/**
 * The words of a text, in the form under which they are found. Compatibility forms, case, Latin
 * accents, nuktas, joiners and apostrophes make no difference, nor whether a Hindi nasal is written
 * as a letter or as a dot (हिन्दी, हिंदी), nor a virama at the end. Scripts without spaces between
 * words count one for each unbroken run. Takes time with the text's length, as far as it is read.
 */
export function* placedWords(text: string): Generator<PlacedWord> {
  const known = new Map<string, string>();
  for (const { 0: found, index: start } of text.matchAll(WORD)) {
    const form = known.get(found) ?? formOf(found);
    if (known.size < REMEMBERED_MAX) known.set(found, form);
    if (form === "") continue;
    const quotes = LAST_APOSTROPHES.exec(found)?.[0].length ?? 0;
    yield { form, start, end: start + found.length - quotes };
  }
}

/** The same forms with a space between them. */
export function searchText(text: string): string {
  let joined = "";
  for (const { form } of placedWords(text)) joined += joined === "" ? form : ` ${form}`;
  return joined;
}

/**
 * Reads a query: words, and phrases in quotation marks. Nothing in it is an error and nothing is an
 * operator; a word that is several to us, such as "well-known", is a phrase whose end is open.
 */
export function readQuery(query: string): SearchTerm[] {
  const terms: SearchTerm[] = [];
  const add = (text: string, isExact: boolean): void => {
    const words = [...placedWords(text)].map(({ form }) => form);
    if (words.length > 0) terms.push({ words, isExact });
  };
  // Every second piece stands between two marks; a last mark without a partner is none.
  const pieces = query.split(/["“”„]/u);
  for (const [at, piece] of pieces.entries()) {
    if (at % 2 === 1 && at < pieces.length - 1) add(piece, true);
    else for (const word of piece.split(/\s+/u)) add(word, false);
  }
  return terms;
}

/**
 * Every beginning under which words that begin like `form` are kept. One character is a whole word
 * and nothing's beginning. What ends in a nasal may be on its way to हिन्दी, which is kept as हिंदी.
 */
export function beginningsOf(form: string): string[] {
  const consonants = NASALS.get(form.slice(-1)) ?? "";
  return [form, ...Array.from(consonants, (next) => `${form.slice(0, -1)}\u0902${next}`)];
}

/** Whether a word may be the beginning of others; one character is too little. */
export function isBeginning(form: string): boolean {
  return form.length > 1;
}

/** The form of one word, without what stands between words; empty when nothing of it is left. */
export function formOf(word: string): string {
  if (!OUTSIDE_ASCII.test(word)) return cut(word.replace(APOSTROPHES, "").toLowerCase());
  const form = word
    .slice(0, READ_CHARACTERS_MAX)
    .normalize("NFKD")
    .toLowerCase()
    .replace(LEFT_OUT, "")
    .replace(CHANDRABINDU, "\u0902")
    .replace(HOMORGANIC, "\u0902")
    .replace(DEVANAGARI_DIGITS, (digit) => String(digit.charCodeAt(0) - 0x0966))
    .replace(LAST_VIRAMA, "");
  return cut(form);
}

function cut(form: string): string {
  if (form.length <= FORM_CHARACTERS_MAX) return form;
  return Array.from(form.slice(0, 2 * FORM_CHARACTERS_MAX))
    .slice(0, FORM_CHARACTERS_MAX)
    .join("");
}
