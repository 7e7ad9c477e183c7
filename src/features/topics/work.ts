import { type Log, errorFields } from "../../platform/log.ts";
import { PoolClosed, PoolFull } from "../../platform/pool.ts";
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
}

/** Posts that are taken at once; others who use the threads wait for at most so many. */
const BATCH_POSTS = 100;
/** Two batches a thread, so that it has its next one at hand when it ends one. */
const BATCHES_A_THREAD = 2;
/** Posts that one transaction counts; it must not keep others waiting. */
const COUNTED_POSTS = 50;
/** How soon posts are found that another process took in, or whose pause or lease is over. */
const LOOK_EVERY_MS = 500;
const REASON_CHARACTERS_MAX = 200;

export function startPostWork({ store, findTopics, threads, log }: PostWorkDependencies): PostWork {
  const batches = new Set<Promise<void>>();
  let taking: Promise<void> | null = null;
  let isEnded = false;
  let isAwake = false;

  const workOne = async (post: TakenPost): Promise<CountedPost | null> => {
    const { id, publicationId, day, content } = post;
    try {
      return { id, publicationId, day, topics: await findTopics(content) };
    } catch (error) {
      if (error instanceof PoolFull || error instanceof PoolClosed) {
        await store.release([id]);
        return null;
      }
      const reason = error instanceof Error ? error.message : String(error);
      const outcome = await store.fail(id, reason.slice(0, REASON_CHARACTERS_MAX));
      log.warn({ post: id, outcome }, "a post could not be worked");
      return null;
    }
  };

  const workBatch = async (taken: readonly TakenPost[]): Promise<void> => {
    try {
      const worked = await Promise.all(taken.map(workOne));
      const done = worked.filter((post) => post !== null);
      for (let from = 0; from < done.length; from += COUNTED_POSTS) {
        await store.finish(done.slice(from, from + COUNTED_POSTS));
      }
    } catch (error) {
      // Their lease ends, and they are taken again.
      log.error(errorFields(error), "posts could not be counted");
    }
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
      const batch = workBatch(taken).finally(() => {
        batches.delete(batch);
        look();
      });
      batches.add(batch);
    }
  };

  const look = (): void => {
    isAwake = true;
    if (isEnded) return;
    taking ??= fill()
      .catch((error: unknown) => {
        log.error(errorFields(error), "posts could not be taken from the queue");
      })
      .finally(() => {
        taking = null;
      });
  };

  const renew = async (): Promise<void> => {
    try {
      if (batches.size > 0) await store.renew();
    } catch (error) {
      log.error(errorFields(error), "posts that are worked could not be held");
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
      await Promise.race([taking, Bun.sleep(withinMs)]);
      await Promise.race([Promise.all(batches), Bun.sleep(withinMs)]);
      clearInterval(renewing);
      try {
        await store.release("all");
      } catch (error) {
        log.error(errorFields(error), "posts could not be handed back; their lease will end");
      }
    },
  };
}
