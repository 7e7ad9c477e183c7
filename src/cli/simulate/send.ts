import { Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { type Service, ServiceFailure, detailOf } from "./service.ts";
import { type BadLine, type SourcePost, isBadLine } from "./source.ts";

export interface SendDependencies {
  service: Service;
  posts: AsyncIterable<SourcePost | BadLine>;
  /** Requests under way at a time. */
  concurrency: number;
  isBulk: boolean;
  onProgress(donePosts: number): void;
  /** A post that the service does not take, and why. */
  onRejected(post: SourcePost, reason: string): void;
  onBadLine(bad: BadLine): void;
}

/** What became of the posts. */
export interface Sent {
  sent: number;
  /** That the service had from before. */
  known: number;
  rejected: number;
  badLines: number;
  /** What ended it before all had been sent. */
  failure: Error | null;
}

/** Posts of one bulk request, and their bytes: it is full with the first of the two. */
const BATCH_POSTS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

const BulkAnswer = t.Object({
  accepted: t.Integer({ minimum: 0 }),
  duplicates: t.Integer({ minimum: 0 }),
  rejected: t.Array(t.Object({ line: t.Integer({ minimum: 1 }), code: t.String() })),
});

/**
 * Sends all posts, one a request or many. What had to be sent again is the same post with the same
 * external id, so that the service counts it once; what it knew because of that counts as sent.
 * Holds no more posts than are under way. Never throws: what was sent until then is told.
 */
export async function sendPosts(dependencies: SendDependencies): Promise<Sent> {
  const { posts, concurrency, isBulk, onProgress, onBadLine } = dependencies;
  const total: Sent = { sent: 0, known: 0, rejected: 0, badLines: 0, failure: null };
  const deliver = isBulk ? deliverMany : deliverOne;
  const items = batchesOf(posts, isBulk ? BATCH_POSTS : 1, (bad) => {
    total.badLines++;
    onBadLine(bad);
  });
  const send = async (): Promise<void> => {
    try {
      while (total.failure === null) {
        const batch = await items.next();
        if (batch.done === true) return;
        const { sent, known, rejected } = await deliver(dependencies, batch.value);
        total.sent += sent;
        total.known += known;
        total.rejected += rejected;
        onProgress(total.sent + total.known + total.rejected);
      }
    } catch (error) {
      total.failure ??= error instanceof Error ? error : new Error(String(error));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, send));
  await items.return();
  return total;
}

async function* batchesOf(
  posts: AsyncIterable<SourcePost | BadLine>,
  postsMax: number,
  onBadLine: (bad: BadLine) => void,
): AsyncGenerator<SourcePost[], void, undefined> {
  let batch: SourcePost[] = [];
  let bytes = 0;
  for await (const item of posts) {
    if (isBadLine(item)) {
      onBadLine(item);
      continue;
    }
    batch.push(item);
    bytes += item.content.length;
    if (batch.length < postsMax && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

type Delivered = Pick<Sent, "sent" | "known" | "rejected">;

async function deliverOne(
  { service, onRejected }: SendDependencies,
  posts: readonly SourcePost[],
): Promise<Delivered> {
  const delivered: Delivered = { sent: 0, known: 0, rejected: 0 };
  for (const post of posts) {
    const { status, json, isRepeat } = await service.ask({
      method: "POST",
      path: "/v1/posts",
      body: { type: "application/json", text: bodyOf(post) },
    });
    if (status === 201 || (status === 200 && isRepeat)) delivered.sent++;
    else if (status === 200) delivered.known++;
    else if (status === 413 || status === 422 || status === 400) {
      delivered.rejected++;
      onRejected(post, `${status}${detailOf(json)}`);
    } else throw strange(status, json);
  }
  return delivered;
}

async function deliverMany(
  { service, onRejected }: SendDependencies,
  posts: readonly SourcePost[],
): Promise<Delivered> {
  const { status, json, isRepeat } = await service.ask({
    method: "POST",
    path: "/v1/posts/bulk",
    body: {
      type: "application/x-ndjson",
      text: posts.map((post) => `${bodyOf(post)}\n`).join(""),
    },
  });
  if (status !== 201 || !Value.Check(BulkAnswer, json)) throw strange(status, json);
  const { accepted, duplicates, rejected } = json;
  for (const { line, code } of rejected) {
    const post = posts[line - 1];
    if (post !== undefined) onRejected(post, code);
  }
  const answered = accepted + duplicates + rejected.length;
  if (answered !== posts.length) {
    throw new ServiceFailure(
      `of ${posts.length} posts the service says what became of ${answered}`,
    );
  }
  const known = isRepeat ? 0 : duplicates;
  return { sent: accepted + duplicates - known, known, rejected: rejected.length };
}

function bodyOf({ content, publication, externalId, publishedAt }: SourcePost): string {
  const time = publishedAt === null ? {} : { published_at: publishedAt };
  return JSON.stringify({ content, publication, external_id: externalId, ...time });
}

function strange(status: number, json: unknown): ServiceFailure {
  return new ServiceFailure(
    `the service answers ${status}${detailOf(json)}; is it an Earshot that takes posts?`,
  );
}
