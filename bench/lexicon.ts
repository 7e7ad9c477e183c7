import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLexicon, entryOf, writeLexicon } from "../src/text/entities/lexicon.ts";
import { type WordClusters, clusterWords } from "./lexicon/clusters.ts";
import { collectEnglish } from "./lexicon/english.ts";
import { collectHindi } from "./lexicon/hindi.ts";
import type { NameLists } from "./lexicon/names.ts";
import { readTitles, readTokens, tokensOf } from "./lexicon/texts.ts";

// Makes what the entity tagger knows of words before training: clusters of words that stand in
// like places, and names from this folder's packages. The same data give the same bytes.
//
//   bun lexicon.ts DATA OUT [en|hi]
//
// DATA holds ner/*.jsonl and posts/news-links-100k.jsonl.zst; OUT gets en.lexicon.zst and
// hi.lexicon.zst. Takes a minute.

const [DATA, OUT, ONLY] = process.argv.slice(2);
const PACKAGES = join(import.meta.dir, "node_modules");
const ENGLISH_SETS = ["wikigold", "wnut-train", "btc", "uner"];

/** The bits of a word's lists are followed by how often it has a capital. */
const CAPITALS_BIT = 16;

if (DATA === undefined || OUT === undefined) {
  console.error("usage: bun lexicon.ts DATA OUT [en|hi]");
  process.exit(2);
}
if (ONLY !== "hi") {
  const sentences = (await readTitles(DATA)).map(tokensOf);
  for (const set of ENGLISH_SETS) sentences.push(...(await readTokens(DATA, set)));
  const clusters = clusterWords(sentences, { countMin: 4, coarse: 64, fine: 16 });
  await write("en", clusters, await collectEnglish(PACKAGES));
}
if (ONLY !== "en") {
  const clusters = clusterWords(await readTokens(DATA, "hi-train"), {
    countMin: 4,
    coarse: 64,
    fine: 16,
  });
  await write("hi", { ...clusters, capitals: new Map() }, await collectHindi(PACKAGES));
}

async function write(
  language: string,
  { clusters, capitals }: WordClusters,
  lists: NameLists,
): Promise<void> {
  const words = new Map<string, number>();
  for (const word of new Set([...lists.words.keys(), ...clusters.keys()])) {
    const bits = (lists.words.get(word) ?? 0) | ((capitals.get(word) ?? 0) << CAPITALS_BIT);
    words.set(word, entryOf((clusters.get(word) ?? -1) + 1, bits));
  }
  const file = writeLexicon(createLexicon(words, lists.names));
  await writeFile(join(OUT ?? "", `${language}.lexicon.zst`), file);
  console.log(
    `${language}: ${words.size} words, ${clusters.size} with clusters; ` +
      `${lists.names.size} names; ${file.length} bytes`,
  );
}
