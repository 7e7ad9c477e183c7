import { AsyncLocalStorage } from "node:async_hooks";
import { type Log, errorFields } from "../../platform/log.ts";
import { codeOf } from "../../platform/error-code.ts";
import { WritesFull } from "../../platform/commit.ts";
import { PoolClosed, PoolFull } from "../../platform/pool.ts";
import { NO_TRACES, type Span, type Traces, errorType } from "../../platform/traces.ts";
import { createTrouble } from "../../platform/trouble.ts";
import type { TopicMention } from "../../text/topics.ts";
import type { CountedPost } from "./count.store.ts";
import { LEASE_MS, type QueueStore, type TakenPost } from "./queue.store.ts";

/** Works the queue until it is ended. */
export interface PostWork {
  /** There is something in the queue. */
  wake(): void;
  /** Takes no more posts, waits for those that are being worked, hands back the rest. Never rejects. */
  end(withinMs: number): Promise<void>;
}

export interface PostWorkDependencies {
  store: QueueStore;
  /** Rejects with PoolFull or PoolClosed when it could not try, else when the text cannot be worked. */
  findTopics(text: string): Promise<TopicMention[]>;
  /** Threads that find topics. */
  threads: number;
  log: Log;
  traces?: Traces;
}

/** Posts that are taken at once; others who use the threads wait for at most so many. */
const BATCH_POSTS = 100;
/** Two batches a thread, so that it has its next one at hand when it ends one. */
const BATCHES_A_THREAD = 2;
/** Posts, and topics of theirs, that one transaction counts; it must not keep others waiting. */
const COUNTED_POSTS = 50;
const COUNTED_TOPICS = 1_000;
/** How soon posts are found that another process took in, or whose pause or lease is over. */
const LOOK_EVERY_MS = 500;
/** Threads that have too much to do already are left alone for so long. */
const FULL_PAUSE_MS = 500;
const REASON_CHARACTERS_MAX = 200;

export function startPostWork(dependencies: PostWorkDependencies): PostWork {
  const { store, findTopics, threads, log, traces = NO_TRACES } = dependencies;
  const batches = new Set<Promise<void>>();
  /** Posts that are being worked. */
  const held = new Set<number>();
  /** A disk that is full, or a lock, is met at every look. */
  const troubles = {
    taking: createTrouble({ log, level: "error" }),
    holding: createTrouble({ log, level: "error" }),
    counting: createTrouble({ log, level: "error" }),
  };
  let taking: Promise<void> | null = null;
  let isEnded = false;
  let isAwake = false;

  /** Null when it could not be worked; the queue knows by then. */
  const workOne = async (post: TakenPost): Promise<CountedPost | null> => {
    const { content, ...place } = post;
    try {
      return { ...place, topics: await findTopics(content) };
    } catch (error) {
      await putBack(post.id, error);
      return null;
    }
  };

  const putBack = async (id: number, error: unknown): Promise<void> => {
    if (error instanceof PoolClosed) return store.release([id], 0);
    if (error instanceof PoolFull) return store.release([id], FULL_PAUSE_MS);
    const reason = error instanceof Error ? error.message : String(error);
    const outcome = await store.fail(id, reason.slice(0, REASON_CHARACTERS_MAX));
    log.warn({ post: id, outcome }, "a post could not be worked");
  };

  /** Counts posts together; when that fails for what they hold, each alone. */
  const count = async (some: readonly CountedPost[]): Promise<void> => {
    try {
      await store.finish(some);
    } catch (error) {
      const [first] = some;
      if (first === undefined || !isPostsFault(error)) throw error;
      if (some.length === 1) return putBack(first.id, error);
      for (const post of some) await count([post]);
    }
  };

  const workBatch = async (taken: readonly TakenPost[], span: Span): Promise<void> => {
    for (const { id } of taken) held.add(id);
    // One that cannot even be put back must not keep the others from being counted.
    const worked = await traces.span({ name: "find topics" }, () =>
      Promise.allSettled(taken.map(workOne)),
    );
    const failed = worked.find((outcome) => outcome.status === "rejected");
    const done = worked.flatMap((outcome) =>
      outcome.status === "fulfilled" && outcome.value !== null ? [outcome.value] : [],
    );
    try {
      span.set({ "earshot.posts.found": done.length });
      await traces.span({ name: "count topics" }, async () => {
        for (const some of slices(done)) await count(some);
      });
      if (failed !== undefined) throw failed.reason;
      troubles.counting.end("posts are counted again");
    } catch (error) {
      // They are held no longer: their lease ends, and they are taken again.
      span.fail(errorType(error));
      troubles.counting.begin(errorFields(error), "posts could not be counted");
    }
    for (const { id } of taken) held.delete(id);
  };

  /** Takes posts as long as there are any and the threads have room. */
  const fill = async (): Promise<void> => {
    while (!isEnded && batches.size < threads * BATCHES_A_THREAD) {
      isAwake = false;
      const taken = await store.take(BATCH_POSTS);
      if (taken.length === 0) {
        if (isAwake) continue;
        return;
      }
      const wanted = {
        name: "posts",
        isRoot: true,
        attributes: { "earshot.posts.taken": taken.length },
      };
      const working = traces.span(wanted, (span) => workBatch(taken, span));
      const batch = working.finally(() => {
        batches.delete(batch);
        look();
      });
      batches.add(batch);
    }
  };

  // Bound to here: whoever wakes it begins what is worked for all, and not for one request.
  const look = AsyncLocalStorage.bind((): void => {
    isAwake = true;
    if (isEnded) return;
    taking ??= fill()
      .then(
        () => troubles.taking.end("posts are taken from the queue again"),
        (error: unknown) =>
          troubles.taking.begin(errorFields(error), "posts could not be taken from the queue"),
      )
      .finally(() => {
        taking = null;
      });
  });

  const renew = async (): Promise<void> => {
    try {
      if (held.size > 0) await store.renew([...held]);
      troubles.holding.end("posts that are worked are held again");
    } catch (error) {
      troubles.holding.begin(errorFields(error), "posts that are worked could not be held");
    }
  };

  const looking = setInterval(look, LOOK_EVERY_MS);
  const renewing = setInterval(() => void renew(), LEASE_MS / 4);
  look();

  return {
    wake: look,
    end: async (withinMs) => {
      isEnded = true;
      clearInterval(looking);
      const late = Bun.sleep(withinMs);
      await Promise.race([taking, late]);
      await Promise.race([Promise.all(batches), late]);
      clearInterval(renewing);
      try {
        await store.release("all", 0);
      } catch (error) {
        log.error(errorFields(error), "posts could not be handed back; their lease will end");
      }
    },
  };
}

/** Cuts what is to be counted into transactions; a post is never cut. */
function slices(done: readonly CountedPost[]): CountedPost[][] {
  const cut: CountedPost[][] = [];
  let topics = Number.POSITIVE_INFINITY;
  for (const post of done) {
    const last = cut.at(-1);
    topics += post.topics.length;
    if (last !== undefined && last.length < COUNTED_POSTS && topics <= COUNTED_TOPICS) {
      last.push(post);
    } else {
      cut.push([post]);
      topics = post.topics.length;
    }
  }
  return cut;
}

/** Whether a write failed for what was to be written. A full disk or a lock is no fault of a post. */
function isPostsFault(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof WritesFull) return false;
  const code = codeOf(error);
  return !code.startsWith("SQLITE_") || /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/.test(code);
}
