import { foldWord } from "./folding.ts";
import { hashJoint } from "./hash.ts";
import type { Reader, Writer } from "./model-bytes.ts";

/** Whole names, of one word or several, and what they are names of. */
export interface NameTable {
  /** The sorted hashes of names, and of what names begin with. */
  keys: Uint32Array;
  /** A bit for every kind of name, and CONTINUES. */
  kinds: Uint8Array;
  /** Where the hashes that begin with certain bits stand: those of `n` from `starts[n]` on. */
  starts: Uint32Array;
}

/** How many bits of a hash are looked at first; about three names have them in common. */
const START_BITS = 16;

/** Makes a table over sorted hashes and their kinds, which are not copied. */
export function openNames(keys: Uint32Array, kinds: Uint8Array): NameTable {
  const starts = new Uint32Array((1 << START_BITS) + 1);
  let at = 0;
  for (let start = 0; start < starts.length; start++) {
    while (at < keys.length && (keys[at] as number) >>> (32 - START_BITS) < start) at++;
    starts[start] = at;
  }
  return { keys, kinds, starts };
}

/** The bit that says that longer names begin so. */
const CONTINUES = 0x80;
/** Kinds of names are the bits below. */
export const NAME_KINDS = 7;
const KINDS_MASK = CONTINUES - 1;

/** Longer names are not looked for. */
const NAME_WORDS_MAX = 6;

/** Where a token stands in a name of several words that was found; the kinds stand below. */
export const MATCH_FIRST = 1 << NAME_KINDS;
export const MATCH_INNER = 2 << NAME_KINDS;
export const MATCH_LAST = 3 << NAME_KINDS;

/** The hash of a name so far and its next word. */
function extendName(name: number, word: number): number {
  return hashJoint(201, name, word, 0);
}

/** Makes a table of names, words in lower case with a space between. */
export function createNameTable(names: ReadonlyMap<string, number>): NameTable {
  const table = new Map<number, number>();
  for (const [name, kinds] of names) {
    const words = name.split(" ").map(foldWord);
    let hash = 0;
    for (const [at, word] of words.entries()) {
      hash = at === 0 ? word : extendName(hash, word);
      const bits = at === words.length - 1 ? kinds & KINDS_MASK : CONTINUES;
      table.set(hash >>> 0, (table.get(hash >>> 0) ?? 0) | bits);
    }
  }
  const sorted = [...table].sort(([one], [other]) => one - other);
  return openNames(
    Uint32Array.from(sorted, ([key]) => key),
    Uint8Array.from(sorted, ([, kinds]) => kinds),
  );
}

/** What is known of a name, by its hash; 0 for nothing. */
export function findName({ keys, kinds, starts }: NameTable, hash: number): number {
  const key = hash >>> 0;
  const start = key >>> (32 - START_BITS);
  const end = starts[start + 1] as number;
  for (let at = starts[start] as number; at < end; at++) {
    if (keys[at] === key) return kinds[at] as number;
  }
  return 0;
}

/** The kinds of a word that is a name by itself. */
export function kindsOf(found: number): number {
  return found & KINDS_MASK;
}

/** Whether names of several words begin so. */
export function doesContinue(found: number): boolean {
  return found >= CONTINUES;
}

/**
 * Finds names of several words among `count` words from `first` on, the longest first, and writes
 * what each word is of one into `matches`; 0 for no name.
 */
export function matchNames(
  words: readonly { lower: number; opensName: boolean }[],
  first: number,
  count: number,
  table: NameTable,
  matches: Uint16Array,
): void {
  const end = first + count;
  matches.fill(0, 0, end + 2);
  for (let at = first; at < end - 1; at++) {
    const word = words[at] as { lower: number; opensName: boolean };
    if (!word.opensName) continue;
    let hash = word.lower;
    let kinds = 0;
    let last = at;
    for (let next = at + 1; next < end && next < at + NAME_WORDS_MAX; next++) {
      hash = extendName(hash, (words[next] as { lower: number }).lower);
      const found = findName(table, hash);
      if (kindsOf(found) !== 0) {
        kinds = kindsOf(found);
        last = next;
      }
      if (!doesContinue(found)) break;
    }
    if (last === at) continue;
    matches[at] = MATCH_FIRST | kinds;
    matches.fill(MATCH_INNER | kinds, at + 1, last);
    matches[last] = MATCH_LAST | kinds;
    at = last;
  }
}

export function writeNames(writer: Writer, { keys, kinds }: NameTable): void {
  writer.ascending(keys);
  writer.bytes(kinds);
}

export function readNames(reader: Reader): NameTable {
  const keys = reader.ascending(2 ** 32);
  return openNames(keys, reader.bytes(keys.length));
}
