import { join } from "node:path";
import { joinMentions, parseDataset, splitDataset } from "../src/text/entities/dataset.ts";
import { createEntityFinder } from "../src/text/entities/finder.ts";
import { type EntityLabel, type Span, spansOfNames } from "../src/text/entities/labels.ts";
import { createScorer } from "../src/text/entities/score.ts";
import { readShippedModel } from "../src/text/entities/shipped.ts";
import { loadTagger } from "../src/text/entities/tagger.ts";
import type { LabelledSentence } from "../src/text/entities/training.ts";
import { createTexts } from "../src/text/texts.ts";
import { createTopicFinder } from "../src/text/topics.ts";
import { createLog } from "../src/platform/log.ts";
import { spawnTextWorker } from "../src/workers.ts";
import { type BenchPost, readPosts } from "./posts.ts";
import {
  type Server,
  cpuSeconds,
  end,
  listeningAt,
  rssMb,
  spawn,
  spawnEarshot,
  withFolder,
} from "./servers.ts";

// From posts to topics: how fast posts are taken in (beside a bare server that only keeps them), how
// fast their topics are found (beside other libraries, on one core, then with more threads), and how
// long a whole run takes.
//
//   bun topics.ts [FOLDER with posts/ and ner/] [POSTS of the whole run]

const FOLDER = process.argv[2] ?? join(import.meta.dir, "../../shared/data");
const RUN_POSTS = Number(process.argv[3] ?? 100_000);
const SINGLE_POSTS = 10_000;
const AT_ONCE = 64;
const BULK_POSTS = 1_000;
const PEER_POSTS = 300;
const OUR_POSTS = 6_000;
const SETS = ["wikigold", "wnut-train", "btc", "uner"];
const HINDI = "hi-train";

const addresses = new Map<Server, string>();
const posts = await readPosts(FOLDER, Math.max(RUN_POSTS, SINGLE_POSTS));
await finding();
await takingIn();
await wholeRun();

/** Topics of texts, ours beside others. */
async function finding(): Promise<void> {
  const english = loadTagger(await readShippedModel("en"));
  const hindi = loadTagger(await readShippedModel("hi"));
  const find = createEntityFinder({ en: english, hi: hindi });
  const findTopics = createTopicFinder(find);
  const nlp = await peer<(text: string) => Names>("compromise");
  const wink = await peer<(model: unknown) => { readDoc(text: string): WinkText }>("wink-nlp");
  const winkNlp = wink(await peer<unknown>("wink-eng-lite-web-model"));

  const compromise = (text: string): Found[] => {
    const doc = nlp(text);
    const found: Found[] = [];
    const kinds: [EntityLabel, { json(options: object): Phrase[] }][] = [
      ["PER", doc.people()],
      ["LOC", doc.places()],
      ["ORG", doc.organizations()],
    ];
    for (const [label, view] of kinds) {
      for (const { offset, text } of view.json({ offset: true })) {
        found.push({ label, start: offset.start, end: offset.start + trimmed(text).length });
      }
    }
    return found;
  };
  const pipelines: Record<string, { find(text: string): Found[]; posts: number }> = {
    "Earshot, entities and topics": { find: (text) => (findTopics(text), []), posts: OUR_POSTS },
    "Earshot, entities": { find: (text) => find(text, "en"), posts: OUR_POSTS },
    compromise: { find: compromise, posts: PEER_POSTS },
    "wink-nlp (knows no names)": {
      find: (text) => (winkNlp.readDoc(text).entities().out(), []),
      posts: PEER_POSTS,
    },
  };
  console.log("| finding entities, one thread | posts/s |\n|---|--:|");
  for (const [name, pipeline] of Object.entries(pipelines)) {
    const some = posts.slice(0, pipeline.posts);
    for (const { content } of some.slice(0, 200)) pipeline.find(content);
    const rates = Array.from({ length: 3 }, () => {
      const at = performance.now();
      for (const { content } of some) pipeline.find(content);
      return (some.length * 1_000) / (performance.now() - at);
    });
    console.log(`| ${name} | ${Math.max(...rates).toFixed(0)} |`);
  }

  console.log("\n| F1 on kept-back sentences, as written / lower case | Earshot | compromise |");
  console.log("|---|--:|--:|");
  for (const set of [...SETS, HINDI]) {
    const { dev } = splitDataset(
      // As in the training: an "@" and the name after it are one token.
      parseDataset(await Bun.file(join(FOLDER, `ner/${set}.jsonl`)).text()).sentences.map(
        joinMentions,
      ),
    );
    const tagger = set === HINDI ? hindi : english;
    const ours = [false, true].map((lower) => score(dev, lower, (tokens) => tagger.tag(tokens)));
    const theirs = [false, true].map((lower) =>
      score(dev, lower, (tokens) => spansAt(tokens, compromise(tokens.join(" ")))),
    );
    console.log(`| ${set} (${dev.length}) | ${ours.join(" / ")} | ${theirs.join(" / ")} |`);
  }

  console.log("\n| topics through the pool | posts/s | CPU ms a post |\n|---|--:|--:|");
  for (const threads of [1, 2]) {
    const log = createLog("silent", () => undefined);
    const texts = await createTexts({ spawn: spawnTextWorker, threads, log });
    await Promise.all(posts.slice(0, 500).map(({ content }) => texts.findTopics(content)));
    const before = process.cpuUsage();
    const at = performance.now();
    await Promise.all(posts.slice(0, OUR_POSTS).map(({ content }) => texts.findTopics(content)));
    const ms = performance.now() - at;
    const { user, system } = process.cpuUsage(before);
    console.log(
      `| ${threads} thread${threads > 1 ? "s" : ""} | ${((OUR_POSTS * 1_000) / ms).toFixed(0)} | ${((user + system) / 1_000 / OUR_POSTS).toFixed(3)} |`,
    );
    await texts.close(1_000);
  }
}

/** What a package of the bench's own exports; it is not there while the rest is checked. */
async function peer<Exported>(name: string): Promise<Exported> {
  return ((await import(name)) as { default: Exported }).default;
}

type Names = Record<
  "people" | "places" | "organizations",
  () => { json(options: object): Phrase[] }
>;

interface WinkText {
  entities(): { out(): string[] };
}

interface Phrase {
  text: string;
  offset: { start: number };
}

interface Found {
  label: EntityLabel;
  start: number;
  end: number;
}

function trimmed(text: string): string {
  return text.replace(/[\s.,;:!?'")\]]+$/, "");
}

function score(
  sentences: readonly LabelledSentence[],
  isLower: boolean,
  tag: (tokens: readonly string[]) => Span[],
): string {
  const scorer = createScorer();
  for (const { tokens, tags } of sentences) {
    const read = isLower ? tokens.map((token) => token.toLowerCase()) : tokens;
    scorer.add(tag(read), spansOfNames(tags));
  }
  return scorer.score().f1.toFixed(1);
}

/** The tokens that pieces of the joined sentence cover; pieces that cut a token are left out. */
function spansAt(tokens: readonly string[], found: readonly Found[]): Span[] {
  const starts = new Map<number, number>();
  const ends = new Map<number, number>();
  let at = 0;
  for (const [index, token] of tokens.entries()) {
    starts.set(at, index);
    ends.set(at + token.length, index + 1);
    at += token.length + 1;
  }
  return found.flatMap(({ label, start, end }) => {
    const first = starts.get(start);
    const last = ends.get(end);
    return first === undefined || last === undefined ? [] : [{ start: first, end: last, label }];
  });
}

/** Posts a second that are durable, and what one costs; what comes after that goes on beside. */
async function takingIn(): Promise<void> {
  console.log("\n| taking in | posts/s | CPU of the server, µs a post |\n|---|--:|--:|");
  await withFolder(async (folder) => {
    const bare = spawn([process.execPath, "servers/bare-posts.ts", join(folder, "bare.db")]);
    const earshot = spawnEarshot(folder);
    try {
      const rows: [string, Server, (url: string) => Promise<number>][] = [
        ["bare Bun, one insert each", bare, (url) => sendSingle(url)],
        ["Earshot, single", earshot, (url) => sendSingle(`${url}/v1/posts`)],
        ["Earshot, bulk", earshot, (url) => sendBulk(url, posts.slice(0, SINGLE_POSTS), "b")],
      ];
      for (const [name, server, send] of rows) {
        const url = await addressOf(server);
        const cpu = cpuSeconds([server]);
        const ms = await send(url);
        const used = ((cpuSeconds([server]) - cpu) * 1e6) / SINGLE_POSTS;
        console.log(
          `| ${name} | ${((SINGLE_POSTS * 1_000) / ms).toFixed(0)} | ${used.toFixed(0)} |`,
        );
        if (server === earshot) await emptied(url);
      }
    } finally {
      await end([bare, earshot]);
    }
  });
  console.log("(Earshot's CPU holds what its threads did for the posts meanwhile.)");
}

/** From the first post to the last one counted. */
async function wholeRun(): Promise<void> {
  console.log(
    `\n| ${RUN_POSTS} posts of 1.2 KB, in bulks, to their counts | s | posts/s | accepted/s | peak MB |`,
  );
  console.log("|---|--:|--:|--:|--:|");
  for (const threads of ["1", "2"]) {
    await withFolder(async (folder) => {
      const server = spawnEarshot(folder, { TEXT_WORKERS: threads });
      try {
        const url = await addressOf(server);
        let peak = 0;
        const watch = setInterval(() => (peak = Math.max(peak, rssMb(server))), 200);
        const at = performance.now();
        const sentMs = await sendBulk(url, posts.slice(0, RUN_POSTS), "r");
        await emptied(url);
        const seconds = (performance.now() - at) / 1_000;
        clearInterval(watch);
        console.log(
          `| ${threads} text worker${threads === "1" ? "" : "s"} | ${seconds.toFixed(1)} | ${(RUN_POSTS / seconds).toFixed(0)} | ${((RUN_POSTS * 1_000) / sentMs).toFixed(0)} | ${peak.toFixed(0)} |`,
        );
      } finally {
        await end([server]);
      }
    });
  }
}

async function addressOf(server: Server): Promise<string> {
  const known = addresses.get(server) ?? (await listeningAt(server)).replace("ws:", "http:");
  addresses.set(server, known);
  return known;
}

async function sendSingle(url: string): Promise<number> {
  const at = performance.now();
  let next = 0;
  const sender = async (): Promise<void> => {
    for (
      let post = posts[next++];
      post !== undefined && next <= SINGLE_POSTS;
      post = posts[next++]
    ) {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...post, external_id: `s${post.external_id}` }),
      });
      if (response.status !== 201) throw new Error(`${url}: ${response.status}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return performance.now() - at;
}

async function sendBulk(url: string, all: readonly BenchPost[], series: string): Promise<number> {
  const at = performance.now();
  for (let from = 0; from < all.length; from += BULK_POSTS) {
    const lines = all
      .slice(from, from + BULK_POSTS)
      .map((post) => JSON.stringify({ ...post, external_id: `${series}${post.external_id}` }));
    const response = await fetch(`${url}/v1/posts/bulk`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: lines.join("\n"),
    });
    if (response.status !== 201) throw new Error(`bulk: ${response.status}`);
    await response.arrayBuffer();
  }
  return performance.now() - at;
}

async function emptied(url: string): Promise<void> {
  for (;;) {
    const state = (await (await fetch(`${url}/v1/queue`)).json()) as {
      queued: number;
      leased: number;
    };
    if (state.queued + state.leased === 0) return;
    await Bun.sleep(100);
  }
}
