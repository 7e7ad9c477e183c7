import { join } from "node:path";
import { createEntityFinder } from "../src/text/entities/finder.ts";
import { readShippedModel } from "../src/text/entities/shipped.ts";
import { loadTagger } from "../src/text/entities/tagger.ts";

// Entities in posts of 1.2 KB on one core: ours, beside the prototype that the project began with
// (whose weights are random here: they cost the same). Rounds alternate, so that a busy machine
// slows both.
//
//   bun tagger.ts [FOLDER with posts/news-links-100k.jsonl.zst] [FOLDER of the prototype]

const DATA = process.argv[2] ?? join(import.meta.dir, "../../shared/data");
const PROTOTYPE = process.argv[3] ?? join(import.meta.dir, "../../shared/prototypes/tagger");
const POSTS = 3_000;
const POST_BYTES = 1_200;
const ROUNDS = 5;

interface Prototype {
  Ner: new (
    head: { labels: string[]; tr: number[]; cap: number },
    table: Int8Array,
    featurizer: unknown,
  ) => { extract(text: string): { text: string }[] };
}

const posts = await readPosts();
const loadedAt = performance.now();
const tagger = loadTagger(await readShippedModel("en"));
console.log(`loaded in ${(performance.now() - loadedAt).toFixed(0)} ms`);
const find = createEntityFinder({ en: tagger, hi: tagger });

const { Ner } = (await import(join(PROTOTYPE, "ner.ts"))) as Prototype;
const { Featurizer } = (await import(join(PROTOTYPE, "features.ts"))) as {
  Featurizer: new () => unknown;
};
const labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"];
const head = { labels, tr: Array.from({ length: 56 }, () => 0), cap: 1 };
const weights = Int8Array.from({ length: 8 << 20 }, (_, at) => (at * 2_654_435_761) >> 24);
const prototype = new Ner(head, weights, new Featurizer());

const ours: number[] = [];
const theirs: number[] = [];
let entities = 0;
for (let round = 0; round < ROUNDS; round++) {
  theirs.push(rate(() => posts.forEach((post) => prototype.extract(post))));
  entities = 0;
  ours.push(rate(() => posts.forEach((post) => (entities += find(post, "en").length))));
}
console.log("| | posts/s, best of 5 | median |");
console.log("|---|--:|--:|");
for (const [name, rates] of [
  ["prototype (no lists, no clusters)", theirs],
  ["Earshot", ours],
] as const) {
  rates.sort((one, other) => other - one);
  console.log(`| ${name} | ${rates[0]!.toFixed(0)} | ${rates[2]!.toFixed(0)} |`);
}
console.log(
  `\n${(ours[0]! / theirs[0]!).toFixed(2)} times the prototype; ${entities} entities found`,
);

/** Posts of about POST_BYTES, each of titles one after the other. */
async function readPosts(): Promise<string[]> {
  const packed = await Bun.file(join(DATA, "posts/news-links-100k.jsonl.zst")).bytes();
  const lines = new TextDecoder().decode(Bun.zstdDecompressSync(packed)).trim().split("\n");
  const made: string[] = [];
  let post = "";
  for (const line of lines) {
    const { content } = JSON.parse(line) as { content: string };
    post += `${content.trim()}${/[.!?]$/.test(content) ? "" : "."} `;
    if (post.length < POST_BYTES) continue;
    made.push(post.slice(0, POST_BYTES));
    post = "";
    if (made.length >= POSTS) break;
  }
  return made;
}

function rate(work: () => void): number {
  const started = performance.now();
  work();
  return (posts.length * 1000) / (performance.now() - started);
}
