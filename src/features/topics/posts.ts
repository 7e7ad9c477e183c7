import { asProblem } from "../../http/errors.ts";
import { Problem } from "../../http/problem.ts";
import { type Measure, byLabel, counter } from "../../platform/metrics.ts";
import type { AcceptedPost, NewPost } from "./model.ts";
import type { PostStore } from "./post.store.ts";
import { type Refusal, isRefusal, readPost, readRecord } from "./reading-posts.ts";
import { BrokenArray, readRecords } from "./records.ts";

export interface PostService {
  /**
   * Takes one post in; resolves when it is durable. Throws `invalid`, `too_large`, `queue_full` and,
   * while the server stops, `draining`.
   */
  add(sent: unknown): Promise<AcceptedPost>;
  /**
   * Takes in the records of a stream, some at a time; resolves when all of them are durable. Throws
   * as `add` does, except that a bad record is only noted. What was taken in before it threw stays, and is told in the
   * problem's members.
   */
  addAll(stream: AsyncIterable<Uint8Array>): Promise<BulkOutcome>;
  measure: Measure;
}

export interface BulkOutcome {
  accepted: number;
  duplicates: number;
  /** The first of them. */
  rejected: { line: number; code: Refusal["code"] }[];
  rejectedCount: number;
}

export interface PostServiceDependencies {
  store: PostStore;
  /** Whether posts are counted here at all. */
  isOpen: boolean;
  draining(): boolean;
  /** Is called when there is something to work. */
  onAdded(): void;
}

/** Posts and characters of one commit; a commit must not keep others waiting. */
const BATCH_POSTS_MAX = 100;
const BATCH_CHARACTERS_MAX = 128 * 1024;
/** So long records are read in a row; then others have their turn, since many fit in one piece. */
const READING_MS_MAX = 5;
/** Rejected records past this are only counted. */
const REJECTED_TOLD_MAX = 1_000;
const RETRY_MS = 2_000;
const TOO_MANY_REQUESTS = 429;

export function createPostService(dependencies: PostServiceDependencies): PostService {
  const { store, isOpen, draining, onAdded } = dependencies;
  const received = { accepted: 0, duplicate: 0, rejected: 0, full: 0 };

  const checkOpen = (): void => {
    if (!isOpen) throw new Problem("forbidden", "This server takes no posts (TOPICS_FROM)");
    if (draining()) {
      throw new Problem("draining", "The server is stopping; try again soon", {
        retryAfterMs: RETRY_MS,
      });
    }
  };

  const add = async (incoming: readonly NewPost[]): Promise<AcceptedPost[]> => {
    checkOpen();
    const accepted = await store.add(incoming);
    if (accepted === null) {
      received.full += incoming.length;
      throw new Problem("queue_full", "The queue is full; try again later", {
        status: TOO_MANY_REQUESTS,
        retryAfterMs: RETRY_MS,
      });
    }
    const fresh = accepted.filter(({ isNew }) => isNew).length;
    received.accepted += fresh;
    received.duplicate += accepted.length - fresh;
    onAdded();
    return accepted;
  };

  const addAll = async (stream: AsyncIterable<Uint8Array>, outcome: BulkOutcome): Promise<void> => {
    let batch: NewPost[] = [];
    let characters = 0;
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      const accepted = await add(batch);
      const fresh = accepted.filter(({ isNew }) => isNew).length;
      outcome.accepted += fresh;
      outcome.duplicates += accepted.length - fresh;
      batch = [];
      characters = 0;
    };
    let readSince = performance.now();
    for await (const { line, json } of readRecords(stream)) {
      if (performance.now() - readSince > READING_MS_MAX) {
        await nextTurn();
        readSince = performance.now();
      }
      const read = readRecord(json);
      if (isRefusal(read)) {
        received.rejected++;
        outcome.rejectedCount++;
        if (outcome.rejected.length < REJECTED_TOLD_MAX) {
          outcome.rejected.push({ line, code: read.code });
        }
        continue;
      }
      batch.push(read);
      characters += read.content.length;
      if (batch.length >= BATCH_POSTS_MAX || characters >= BATCH_CHARACTERS_MAX) await flush();
    }
    await flush();
  };

  return {
    measure: () => [
      counter(
        "earshot_posts_received_total",
        "Posts that came to this process: taken in, known already, not as described, or too many.",
        byLabel("outcome", Object.entries(received)),
      ),
    ],
    add: async (sent) => {
      const read = readPost(sent);
      if (isRefusal(read)) {
        received.rejected++;
        throw new Problem(read.code, read.detail);
      }
      const [accepted] = await add([read]);
      if (accepted === undefined) throw new Error("a post was taken in without an id");
      return accepted;
    },
    addAll: async (stream) => {
      const outcome: BulkOutcome = { accepted: 0, duplicates: 0, rejected: [], rejectedCount: 0 };
      checkOpen();
      try {
        await addAll(stream, outcome);
        return outcome;
      } catch (error) {
        const problem =
          error instanceof BrokenArray ? new Problem("invalid", error.message) : asProblem(error);
        if (problem === null) throw error;
        const members = bulkMembers(outcome);
        throw new Problem(problem.code, problem.message, { ...problem.extras, members });
      }
    },
  };
}

/** What became of a bulk, as it is told. */
export function bulkMembers({ accepted, duplicates, rejected, rejectedCount }: BulkOutcome) {
  return { accepted, duplicates, rejected, rejected_count: rejectedCount };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
