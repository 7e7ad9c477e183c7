import { bareOf, foldDigits, hashFolded, isPlainLetter } from "./folding.ts";
import { extendHash, finish, hashPair, hashText } from "./hash.ts";
import { type Lexicon, NO_ENTRY, clusterOf, namesOf } from "./lexicon.ts";
import { NAME_KINDS, doesContinue, findName, kindsOf } from "./names.ts";

/** How a word is written; worth more than any other single thing when case can be trusted. */
export const CASE_NONE = 0;
export const CASE_LOWER = 1;
const CASE_TITLE = 2;
export const CASE_UPPER = 3;
const CASE_MIXED = 4;

/** What features are made of: the traits of one token, as hashes. */
export interface Word {
  /** The token in lower case without punctuation around it, digits as zeros. */
  lower: number;
  /** Its pattern of capitals, small letters, digits and marks, runs as one. */
  shape: number;
  /** One of the CASE numbers. */
  casing: number;
  /** The word's cluster, 0 for none; fine and coarse. */
  cluster: number;
  clusterCoarse: number;
  /** A bit for every list of names that the word is in. */
  names: number;
  /** How often unlabelled texts write it with a capital: 0 unknown, 1 never … 4 always. */
  prior: number;
  /** A bit for every kind of name that the word is by itself. */
  kinds: number;
  /** Whether names of several words begin with it. */
  opensName: boolean;
  /** Whether an entity may begin with it: it has a letter or a digit. */
  mayOpen: boolean;
  /** Features of the word as such, then as the first and second neighbour on the left and right. */
  ids: readonly Int32Array[];
}

/**
 * Where a word stands as seen from the tokens that its features count for: two to the right of the
 * first, and so on to two to the left of the last.
 */
export const PLACES = [2, 1, 0, -1, -2] as const;

/** The place of a word at itself. */
export const PLACE_OWN = 2;

/** Longer tokens are described by this many of their first UTF-16 code units. */
const WORD_CHARS_MAX = 48;
const AFFIX_CHARS_MAX = 5;
const SHAPE_CHARS_MAX = 10;

const ADDRESS = /^(?:https?:|www\.)|^[^@\s]+@[^@\s]+\.[a-z]+$|\.(?:com|org|net|co\.uk)\//iu;

// Kinds of features; each is a seed of its own.
const [
  WHOLE,
  LOWER,
  SHAPE,
  PATTERN,
  PREFIX,
  SUFFIX,
  CLUSTER,
  COARSE,
  NAME,
  MARKS,
  LENGTH,
  GRAM,
  PRIOR,
] = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];

/** What stands before the first and after the last token of a sentence. */
export function createEdge(isBefore: boolean): Word {
  const hash = hashText(isBefore ? "<before>" : "<after>", 1);
  const traits = { lower: hash, shape: hash, casing: CASE_NONE, cluster: 0, clusterCoarse: 0 };
  return finishWord(
    { ...traits, names: 0, prior: 0, kinds: 0, opensName: false, mayOpen: false },
    [],
    0,
    hash,
    false,
  );
}

/** Describes one token. */
export function describeWord(token: string, lexicon: Lexicon): Word {
  const whole = token.length > WORD_CHARS_MAX ? token.slice(0, WORD_CHARS_MAX) : token;
  const special = specialOf(whole);
  const bare = bareOf(whole);
  const small = bare.toLowerCase();
  const folded = special ?? foldDigits(small);
  const entry = special === null ? lexicon.find(small) : NO_ENTRY;
  const cluster = clusterOf(entry);
  const own: number[] = [];
  if (special === null) {
    addAffixes(folded, own);
    own.push(hashText(shapeOf(whole, false), PATTERN));
    own.push(hashPair(Math.min(folded.length, 12), LENGTH));
    own.push(hashText(foldDigits(whole), WHOLE));
  }
  const lower = hashFolded(folded);
  const name = special === null ? findName(lexicon.names, lower) : 0;
  const suffix = folded.length > 3 ? hashText(folded.slice(-3), GRAM) : 0;
  let marks = 0;
  if (bare.length < whole.length) {
    const lead = whole.startsWith(bare) ? "" : whole.charAt(0);
    const trail = whole.endsWith(bare) ? "" : whole.slice(-1);
    marks = hashText(`${lead} ${trail}`, MARKS);
  }
  return finishWord(
    {
      lower,
      shape: hashText(special ?? shapeOf(whole, true), SHAPE),
      casing: special === null ? casingOf(bare) : CASE_NONE,
      cluster,
      clusterCoarse: cluster >> 4,
      names: namesOf(entry) & 0xffff,
      prior: namesOf(entry) >>> 16,
      kinds: kindsOf(name),
      opensName: doesContinue(name),
      mayOpen: special === null && isWordy(bare),
    },
    own,
    suffix,
    marks,
    entry !== NO_ENTRY,
  );
}

/** Mentions and addresses are all alike; null for every other token. */
function specialOf(token: string): string | null {
  if (token.charCodeAt(0) === 64) return token.length > 1 ? "<mention>" : null;
  if (token.length < 6 || !/[./]/.test(token)) return null;
  return ADDRESS.test(token) ? "<address>" : null;
}

function isWordy(bare: string): boolean {
  return isPlainLetter(bare.charCodeAt(0)) || /[\p{L}\p{N}]/u.test(bare);
}

/** Adds hashes of what the word begins and ends with. */
function addAffixes(word: string, out: number[]): void {
  const limit = Math.min(AFFIX_CHARS_MAX, word.length);
  let prefix = PREFIX;
  let suffix = SUFFIX;
  for (let length = 1; length <= limit; length++) {
    prefix = extendHash(prefix, word.charCodeAt(length - 1));
    suffix = extendHash(suffix, word.charCodeAt(word.length - length));
    out.push(finish(prefix), finish(suffix));
  }
}

function finishWord(
  traits: Omit<Word, "ids">,
  own: number[],
  suffix: number,
  marks: number,
  isKnown: boolean,
): Word {
  const ids = PLACES.map((_, place) => {
    const found = place === PLACE_OWN ? own : [];
    const add = (hash: number, kind: number): void => {
      found.push(hashPair(hash, kind * 8 + place));
    };
    if (place === PLACE_OWN) add(1, 1);
    add(traits.lower, LOWER);
    add(traits.shape, SHAPE);
    if (traits.cluster !== 0) {
      add(traits.cluster, CLUSTER);
      add(traits.clusterCoarse, COARSE);
      if (place === PLACE_OWN) add(hashPair(traits.cluster, traits.casing), CLUSTER + 30);
    } else if (isKnown) add(0, CLUSTER);
    if (traits.prior !== 0)
      add(hashPair(traits.prior, place === PLACE_OWN ? traits.casing : 9), PRIOR);
    if (suffix !== 0 && Math.abs(PLACES[place] ?? 0) === 1) add(suffix, SUFFIX);
    if (marks !== 0 && Math.abs(PLACES[place] ?? 0) < 2) add(marks, MARKS);
    for (let bit = 0; bit < 16; bit++) {
      if (((traits.names >> bit) & 1) === 1) add(hashPair(bit, traits.casing), NAME);
    }
    if (traits.names !== 0) add(hashPair(traits.names, traits.casing), NAME + 30);
    for (let bit = 0; bit < NAME_KINDS; bit++) {
      if (((traits.kinds >> bit) & 1) === 1) add(hashPair(bit, traits.casing), NAME + 31);
    }
    if (traits.kinds !== 0) add(hashPair(traits.kinds, traits.casing), NAME + 32);
    return Int32Array.from(found);
  });
  return { ...traits, ids };
}

function casingOf(bare: string): number {
  const lower = bare.toLowerCase();
  if (bare === lower) return bare === bare.toUpperCase() ? CASE_NONE : CASE_LOWER;
  if (bare.length > 1 && bare === bare.toUpperCase()) return CASE_UPPER;
  return bare.slice(1) === lower.slice(1) ? CASE_TITLE : CASE_MIXED;
}

function shapeOf(word: string, isShort: boolean): string {
  let shape = "";
  let last = "";
  for (let at = 0; at < word.length && shape.length < SHAPE_CHARS_MAX; at++) {
    const kind = kindOf(word.charAt(at));
    if (!isShort || kind !== last) shape += kind;
    last = kind;
  }
  return shape;
}

function kindOf(character: string): string {
  if (character >= "a" && character <= "z") return "x";
  if (character >= "A" && character <= "Z") return "X";
  if (character >= "0" && character <= "9") return "d";
  if (character < "\u0080") return character;
  if (character.toLowerCase() !== character) return "X";
  return /[\p{L}\p{M}\p{Cs}]/u.test(character) ? "x" : /\p{Nd}/u.test(character) ? "d" : character;
}
