import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A word with its own inner marks, or one mark. */
const TOKEN = /[@#]?[\p{L}\p{M}\p{N}_]+(?:[.&'’-][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{N}]/gu;
const POSSESSIVE = /^(.+)(['’]s)$/u;

/** Cuts a text into tokens, roughly as the tagger's own tokenizer does. */
export function tokensOf(text: string): string[] {
  return (text.match(TOKEN) ?? []).flatMap((word) => POSSESSIVE.exec(word)?.slice(1) ?? [word]);
}

/** The titles of linked news in a folder of data. */
export async function readTitles(data: string): Promise<string[]> {
  const packed = await readFile(join(data, "posts/news-links-100k.jsonl.zst"));
  const lines = new TextDecoder().decode(Bun.zstdDecompressSync(packed)).trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { content: string }).content);
}

/** The tokens of a labelled set's sentences; labels are not looked at. */
export async function readTokens(data: string, set: string): Promise<string[][]> {
  const lines = (await readFile(join(data, `ner/${set}.jsonl`), "utf8")).trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { tokens: string[] }).tokens);
}
