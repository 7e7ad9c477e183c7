import { createEntityFinder } from "../../text/entities/finder.ts";
import { readShippedModel } from "../../text/entities/shipped.ts";
import { loadTagger } from "../../text/entities/tagger.ts";
import { type TopicMention, createTopicFinder } from "../../text/topics.ts";
import { type Progress, createProgress } from "../progress.ts";
import { compareCounts, drainQueue } from "./check.ts";
import type { Service } from "./service.ts";
import type { SourcePost } from "./source.ts";
import { type Truth, createTruth } from "./truth.ts";

// The steps of a check as somebody at a terminal sees them.

/** Lines about differences; more are counted only. */
const DIFFERENCES_MAX = 20;
/** Lines about publications that had posts before. */
const INCOMPARABLE_MAX = 10;
const QUEUE_PAUSE_MS = 200;

/** Waits until every post has been worked. Throws `ServiceFailure` when the queue stands still. */
export async function waitForQueue(service: Service, patienceMs: number): Promise<void> {
  let progress: Progress | null = null;
  let total = 0;
  try {
    const { dead } = await drainQueue({
      service,
      patienceMs,
      pauseMs: QUEUE_PAUSE_MS,
      now,
      onProgress: (left) => {
        // Others may send as well.
        total = Math.max(total, left);
        progress ??= startProgress("waiting for the queue", total);
        progress.update(total - left, total);
      },
    });
    if (dead > 0) console.error(`${dead} posts could not be worked: see GET /v1/queue/dead`);
  } finally {
    (progress as Progress | null)?.end(null);
  }
}

/** The same topics that the server has to find, counted in this process; `total` is for the bar. */
export async function countTopics(posts: AsyncIterable<SourcePost>, total: number): Promise<Truth> {
  const truth = createTruth(await loadTopicFinder());
  const progress = startProgress("counting topics here", total);
  try {
    for await (const post of posts) {
      truth.add(post);
      progress.update(truth.posts());
    }
  } finally {
    progress.end(null);
  }
  return truth;
}

async function loadTopicFinder(): Promise<(text: string) => TopicMention[]> {
  return createTopicFinder(
    createEntityFinder({
      en: loadTagger(await readShippedModel("en")),
      hi: loadTagger(await readShippedModel("hi")),
    }),
  );
}

/** Compares the server's counts with the truth, says what differs, and whether all is right. */
export async function checkCounts(
  service: Service,
  truth: Truth,
  before: ReadonlyMap<string, number>,
): Promise<boolean> {
  const publications = truth.publications().size;
  const progress = startProgress("comparing publications", publications);
  const lines: string[] = [];
  const { topics, differences, incomparable } = await compareCounts({
    service,
    truth,
    before,
    onProgress: (done) => progress.update(done),
    onDifference: (line) => {
      if (lines.length < DIFFERENCES_MAX) lines.push(line);
    },
  }).finally(() => progress.end(null));
  for (const line of lines) console.error(line);
  for (const publication of incomparable.slice(0, INCOMPARABLE_MAX)) {
    console.error(`${publication} had other posts from before: its counts cannot be compared`);
  }
  const untold = incomparable.length - INCOMPARABLE_MAX;
  if (untold > 0) console.error(`so had ${untold} other publications`);
  console.log(
    `checked: ${truth.posts()} posts, ${publications} publications, ${topics} topics, ` +
      `${differences} differences`,
  );
  return differences === 0 && incomparable.length === 0;
}

function startProgress(label: string, total: number): Progress {
  return createProgress({ label, total, unit: "items", stream: process.stderr, now });
}

function now(): number {
  return performance.now();
}
