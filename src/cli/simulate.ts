import { homedir } from "node:os";
import { join } from "node:path";
import { type Progress, createProgress } from "./progress.ts";
import { SIMULATE_USAGE, type SimulateRequest, parseRequest } from "./simulate/arguments.ts";
import { readPublications } from "./simulate/check.ts";
import { checkCounts, countTopics, waitForQueue } from "./simulate/checking.ts";
import { keepDownloaded } from "./simulate/download.ts";
import { openFileSource } from "./simulate/file-source.ts";
import { createGenerator } from "./simulate/generate.ts";
import { type Sent, sendPosts } from "./simulate/send.ts";
import { type Service, ServiceFailure, createService } from "./simulate/service.ts";
import {
  type BadLine,
  type PostSource,
  type SourcePost,
  UnknownColumns,
  UnreadableSource,
  firstOf,
  generated,
  isBadLine,
} from "./simulate/source.ts";
import { distinctPosts } from "./simulate/truth.ts";

/** Lines about bad lines and rejected posts; more are counted only. */
const TOLD_MAX = 10;
/** A busy service that says no now and then is spoken of this often at most. */
const TROUBLE_MS = 2_000;
const RETRY_MS = 500;
const IDLE_MS = 30_000;

/** Sends posts to a server, and can check what it makes of them. */
export async function simulate(args: string[]): Promise<number> {
  let request;
  try {
    request = parseRequest(args, process.env["EARSHOT_KEY"] ?? null);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n${SIMULATE_USAGE}`);
    return 2;
  }
  try {
    return await run(request);
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(error.message);
    return error instanceof UnknownColumns ? 2 : 1;
  }
}

/** What went wrong outside: the service, the source, the disk. */
function isExpected(error: unknown): error is Error {
  const isOurs = error instanceof ServiceFailure || error instanceof UnreadableSource;
  return isOurs || (error instanceof Error && "syscall" in error);
}

async function run(request: SimulateRequest): Promise<number> {
  const { isChecked, count, patienceMs } = request;
  const source = await openSource(request);
  const told = createTeller();
  let troubleAt = Number.NEGATIVE_INFINITY;
  const service = createService({
    url: request.url,
    key: request.key,
    patienceMs,
    now,
    random: Math.random,
    onTrouble: (reason) => {
      if (now() - troubleAt < TROUBLE_MS) return;
      troubleAt = now();
      told.say(`${reason}: trying again for ${patienceMs / 1000} s`);
    },
  });
  let repeats = 0;
  const posts = (): AsyncIterable<SourcePost | BadLine> => {
    const items = firstOf(source.read(), count ?? Number.POSITIVE_INFINITY);
    repeats = 0;
    return isChecked ? distinctPosts(items, () => repeats++) : items;
  };
  // Also finds out that nobody is there before anything is read.
  const before = isChecked ? await readPublications(service) : new Map<string, number>();
  const rejected = new Set<string>();
  const startedAt = now();
  const sent = await send(request, { service, source, posts: posts(), rejected, told });
  if (!(sent.failure instanceof UnknownColumns)) console.log(summaryOf(sent, now() - startedAt));
  if (repeats > 0) console.error(`left out ${repeats} posts that come again under the same id`);
  if (sent.failure !== null) throw sent.failure;
  const isDelivered = sent.rejected === 0 && sent.sent + sent.known > 0;
  if (sent.sent + sent.known + sent.rejected === 0) console.error("there are no posts in it");
  if (!isChecked) return isDelivered ? 0 : 1;

  await waitForQueue(service, patienceMs);
  const seconds = (now() - startedAt) / 1000;
  const perSecond = Math.round((sent.sent + sent.known) / seconds);
  console.log(`queue empty after ${seconds.toFixed(1)} s, ${perSecond} posts/s`);
  const taken = withoutRejected(posts(), rejected);
  const truth = await countTopics(taken, sent.sent + sent.known);
  const isRight = await checkCounts(service, truth, before);
  return isDelivered && isRight ? 0 : 1;
}

/** The source, with files from the web on this machine. */
async function openSource({ source, seed, count, columns }: SimulateRequest): Promise<PostSource> {
  if (source === null) {
    const make = createGenerator(seed);
    return { read: () => generated(make), total: () => count, isEstimated: false };
  }
  if (!isAddress(source)) return openFileSource(source, columns);
  let progress: Progress | null = null;
  const begun = (): Progress =>
    (progress ??= createProgress({
      label: `downloading ${new URL(source).host}`,
      total: null,
      unit: "bytes",
      stream: process.stderr,
      now,
    }));
  const path = await keepDownloaded({
    address: source,
    folder: cacheFolder(),
    retryMs: RETRY_MS,
    idleMs: IDLE_MS,
    onProgress: (done, total) => begun().update(done, total),
    onRetry: (reason) => begun().note(`${reason}: trying again`),
  }).finally(() => progress?.end(null));
  return openFileSource(path, columns);
}

function isAddress(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** As the XDG base directory specification says. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME } = process.env;
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "earshot");
}

interface Sending {
  service: Service;
  source: PostSource;
  posts: AsyncIterable<SourcePost | BadLine>;
  /** Gets the names of posts that were not taken, for a check. */
  rejected: Set<string>;
  told: ReturnType<typeof createTeller>;
}

async function send(request: SimulateRequest, sending: Sending): Promise<Sent> {
  const { service, source, posts, rejected, told } = sending;
  const { count, concurrency, isBulk, isChecked, url } = request;
  const progress = createProgress({
    label: `sending posts to ${url}`,
    total: count,
    unit: "items",
    isEstimated: source.isEstimated && count === null,
    stream: process.stderr,
    now,
  });
  told.showIn(progress);
  let bad = 0;
  let refused = 0;
  try {
    return await sendPosts({
      service,
      posts,
      concurrency,
      isBulk,
      onProgress: (done) => progress.update(done, count ?? source.total(done)),
      onRejected: (post, reason) => {
        if (isChecked) rejected.add(nameOf(post));
        if (++refused <= TOLD_MAX) told.say(`rejected ${nameOf(post)}: ${reason}`);
      },
      onBadLine: ({ line, reason }) => {
        if (++bad <= TOLD_MAX) told.say(`line ${line}: ${reason}`);
      },
    });
  } finally {
    told.showIn(null);
    progress.end(null);
  }
}

async function* withoutRejected(
  items: AsyncIterable<SourcePost | BadLine>,
  rejected: ReadonlySet<string>,
): AsyncGenerator<SourcePost, void, undefined> {
  for await (const item of items) {
    if (!isBadLine(item) && !rejected.has(nameOf(item))) yield item;
  }
}

function nameOf({ publication, externalId }: SourcePost): string {
  return JSON.stringify([publication, externalId]);
}

/** Says lines above the bar while there is one. */
function createTeller() {
  let progress: Progress | null = null;
  return {
    showIn: (shown: Progress | null): void => {
      progress = shown;
    },
    say: (line: string): void => {
      if (progress === null) console.error(line);
      else progress.note(line);
    },
  };
}

function summaryOf({ sent, known, rejected, badLines }: Sent, ms: number): string {
  const perSecond = Math.round(((sent + known + rejected) * 1000) / Math.max(1, ms));
  return (
    `sent ${sent}, already there ${known}, rejected ${rejected}, bad lines ${badLines}, ` +
    `${(ms / 1000).toFixed(1)} s, ${perSecond} posts/s`
  );
}

function now(): number {
  return performance.now();
}
