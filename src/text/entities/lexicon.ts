import { hashText } from "./hash.ts";
import { createReader, createWriter } from "./model-bytes.ts";
import { type NameTable, createNameTable, readNames, writeNames } from "./names.ts";

/** What is known of words beyond the labelled sentences: their cluster and the lists they are in. */
export interface Lexicon {
  /** The entry of a word in lower case; NO_ENTRY when it has none. */
  find(word: string): number;
  /** The sorted hashes of words and their entries, as they are stored. */
  keys: Uint32Array;
  entries: Uint32Array;
  names: NameTable;
}

export const NO_ENTRY = -1;
const CLUSTER_BITS = 12;

const KEY_SEED = 7;

export function clusterOf(entry: number): number {
  return entry === NO_ENTRY ? 0 : entry & ((1 << CLUSTER_BITS) - 1);
}

export function namesOf(entry: number): number {
  return entry === NO_ENTRY ? 0 : entry >>> CLUSTER_BITS;
}

/** What is known of a word. @public Those who build a lexicon need it, and what follows. */
export function entryOf(cluster: number, names: number): number {
  return (names << CLUSTER_BITS) | cluster;
}

/** The hash that stands for a word. */
function keyOf(word: string): number {
  return hashText(word, KEY_SEED) >>> 0;
}

/** Opens a lexicon over sorted keys and their entries, which are not copied. */
export function openLexicon(keys: Uint32Array, entries: Uint32Array, names: NameTable): Lexicon {
  return {
    keys,
    entries,
    names,
    find(word) {
      const key = keyOf(word);
      let [low, high] = [0, keys.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((keys[middle] as number) < key) low = middle + 1;
        else high = middle;
      }
      return keys[low] === key ? (entries[low] as number) : NO_ENTRY;
    },
  };
}

/** Makes a lexicon of words in lower case and names, words of a name with a space between. */
export function createLexicon(
  words: ReadonlyMap<string, number>,
  names: ReadonlyMap<string, number> = new Map(),
): Lexicon {
  const sorted = [...words].map(([word, entry]) => [keyOf(word), entry] as const);
  sorted.sort(([one], [other]) => one - other);
  const unique = sorted.filter(([key], at) => at === 0 || key !== sorted[at - 1]?.[0]);
  return openLexicon(
    Uint32Array.from(unique, ([key]) => key),
    Uint32Array.from(unique, ([, entry]) => entry),
    createNameTable(names),
  );
}

const COMPRESSION_LEVEL = 19;

/** Writes a lexicon's file. @public */
export function writeLexicon({ keys, entries, names }: Lexicon): Uint8Array {
  const writer = createWriter();
  writer.ascending(keys);
  writer.planes(entries);
  writeNames(writer, names);
  return Bun.zstdCompressSync(writer.done(), { level: COMPRESSION_LEVEL });
}

/** Reads a lexicon's file; throws when it is none. */
export function readLexicon(file: Uint8Array): Lexicon {
  const reader = createReader(Bun.zstdDecompressSync(file));
  const keys = reader.ascending(2 ** 32);
  const entries = reader.planes(keys.length);
  return openLexicon(keys, entries, readNames(reader));
}
