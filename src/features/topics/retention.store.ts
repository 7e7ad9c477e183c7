import { and, asc, gt, inArray, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import type { Removal } from "../../platform/retention.ts";
import { dead_posts, post_queue, posts } from "../../schema.ts";

/** Posts and bytes of text that one transaction removes. */
const POSTS_AT_ONCE = 100;
const BYTES_AT_ONCE = 128 * 1024;

/**
 * Removes posts that came in too long ago, once they are counted; what waits or is dead stays. The
 * counts stay as they are: they say what was counted, not what is still here. One of the same
 * `external_id` that comes in again is a new post then.
 */
export function createPostRemoval({ db, commit }: Pick<Database, "db" | "commit">): Removal {
  /** The post that was looked at last. */
  let reached = 0;

  return {
    what: "posts",
    removeSome: async (before) => {
      const oldest = db
        .select({
          id: posts.id,
          at: posts.created_at,
          bytes: sql<number>`octet_length(${posts.content})`,
        })
        .from(posts)
        .where(gt(posts.id, reached))
        .orderBy(asc(posts.id))
        .limit(POSTS_AT_ONCE)
        .all();
      let bytes = 0;
      const past = oldest.findIndex((post, at) => (bytes += post.bytes) > BYTES_AT_ONCE && at > 0);
      const some = past < 0 ? oldest : oldest.slice(0, past);
      const old = some.filter(({ at }) => at < before).map(({ id }) => id);
      // Posts come in the order of time, but for a clock that was put right.
      const isDone = old.length === 0 || (past < 0 && oldest.length < POSTS_AT_ONCE);
      const count = old.length === 0 ? 0 : await commit(() => remove(old));
      reached = isDone ? 0 : (some.at(-1)?.id ?? 0);
      return { count, isDone };
    },
  };

  function remove(ids: readonly number[]): number {
    return db
      .delete(posts)
      .where(
        and(
          inArray(posts.id, [...ids]),
          sql`NOT EXISTS (SELECT 1 FROM ${post_queue} WHERE ${post_queue.post_id} = ${posts.id})`,
          sql`NOT EXISTS (SELECT 1 FROM ${dead_posts} WHERE ${dead_posts.post_id} = ${posts.id})`,
        ),
      )
      .returning({ id: posts.id })
      .all().length;
  }
}
