import { and, asc, count, eq, gt, inArray, isNotNull, min, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { dead_posts, post_queue, post_totals, posts, publications } from "../../schema.ts";
import { type CountedPost, addCounts } from "./count.store.ts";
import { type DeadPost, type QueueState, dayOf, isSaidHere } from "./model.ts";

/** A post that this process works. */
export interface TakenPost {
  id: number;
  publicationId: number;
  /** The day that it counts for. */
  day: number;
  /** Whether it was said here. */
  isSaid: boolean;
  content: string;
}

/**
 * The queue is a table. A post in it is ready from a time on: whoever takes it moves that time to
 * the end of its lease, so that one whose process died is ready again by itself. One that is done
 * leaves the queue in the same transaction that counts it.
 */
export interface QueueStore {
  /** Takes up to `limit` posts that are ready, the oldest first; fewer when they are long. */
  take(limit: number): Promise<TakenPost[]>;
  /** Moves the end of the posts' leases, as far as this process still holds them. */
  renew(ids: readonly number[]): Promise<void>;
  /**
   * Counts posts and takes them out of the queue. One that this process holds no longer is left
   * to who does.
   */
  finish(worked: readonly CountedPost[]): Promise<void>;
  /** Notes that a post could not be worked: it is tried again after a while, or is dead. */
  fail(id: number, reason: string): Promise<"again" | "dead" | "lost">;
  /** Hands back what this process has taken, the posts or all; they are ready again after a pause. */
  release(ids: readonly number[] | "all", pauseMs: number): Promise<void>;

  state(): Promise<Omit<QueueState, "ratePerS">>;
  dead(after: number, limit: number): Promise<DeadPost[]>;
  /** Sends a dead post back to the queue; false when there is no such dead post. */
  retry(id: number): Promise<boolean>;
}

export interface QueueStoreDependencies {
  database: Database;
  processId: string;
  now(): number;
}

/** A post whose process has not been heard of for so long is ready for others. */
export const LEASE_MS = 5_000;
/** No pause and no lease is as long: what has to wait for longer was given a time by a wrong clock. */
const WAIT_MS_MAX = 60_000;
/** One that has failed so often is dead. */
const FAILURES_MAX = 3;
/** The first pause after a failure; each one after it is so many times as long. */
const PAUSE_MS = 500;
const PAUSE_GROWTH = 4;
/** Posts past it wait for the next time: who else needs the threads waits for what was taken. */
const TAKEN_BYTES_MAX = 1024 * 1024;

export function createQueueStore(dependencies: QueueStoreDependencies): QueueStore {
  const { processId: holder, now } = dependencies;
  const { db, commit } = dependencies.database;

  const isOurs = (ids: readonly number[]) =>
    and(eq(post_queue.holder, holder), inArray(post_queue.post_id, [...ids]));

  /** Takes posts of ours out of the queue; those that were still there. */
  const removeOurs = (ids: readonly number[]): number[] =>
    db
      .delete(post_queue)
      .where(isOurs(ids))
      .returning({ id: post_queue.post_id })
      .all()
      .map(({ id }) => id);

  const contentOf = (ids: readonly number[]): TakenPost[] =>
    db
      .select({
        id: posts.id,
        publicationId: posts.publication_id,
        publication: publications.name,
        publishedAt: posts.published_at,
        content: posts.content,
      })
      .from(posts)
      .innerJoin(publications, eq(publications.id, posts.publication_id))
      .where(inArray(posts.id, [...ids]))
      .all()
      .map(({ publication, publishedAt, ...post }) => ({
        ...post,
        day: dayOf(publishedAt),
        isSaid: isSaidHere(publication),
      }));

  const anyReady = db
    .select({ id: post_queue.post_id })
    .from(post_queue)
    .where(sql`${post_queue.ready_at} <= ${sql.placeholder("at")}`)
    .limit(1)
    .prepare();

  /** Makes ready what a clock that was ahead has put off: else it would wait for as long as that was. */
  const bringForward = async (): Promise<void> => {
    const isFar = gt(post_queue.ready_at, now() + WAIT_MS_MAX);
    const far = db.select({ id: post_queue.post_id }).from(post_queue).where(isFar).limit(1);
    if (far.get() === undefined) return;
    await commit(() => void db.update(post_queue).set({ ready_at: now() }).where(isFar).run());
  };

  /** The oldest first, with their size, which is known without reading them. */
  const ready = db
    .select({ id: post_queue.post_id, bytes: sql<number>`octet_length(${posts.content})` })
    .from(post_queue)
    .innerJoin(posts, eq(posts.id, post_queue.post_id))
    .where(sql`${post_queue.ready_at} <= ${sql.placeholder("at")}`)
    .orderBy(asc(post_queue.ready_at), asc(post_queue.post_id))
    .limit(sql.placeholder("limit"))
    .prepare();

  return {
    take: async (limit) => {
      // Looking costs nothing; a transaction is begun only when there is something.
      if (anyReady.get({ at: now() }) === undefined) {
        await bringForward();
        return [];
      }
      return commit(() => {
        const at = now();
        const ids = firstWithin(ready.all({ at, limit }), TAKEN_BYTES_MAX);
        db.update(post_queue)
          .set({ holder, ready_at: at + LEASE_MS })
          .where(inArray(post_queue.post_id, ids))
          .run();
        return contentOf(ids);
      });
    },
    renew: (ids) =>
      commit(() => {
        const leased = { ready_at: now() + LEASE_MS };
        db.update(post_queue).set(leased).where(isOurs(ids)).run();
      }),
    finish: (worked) =>
      commit(() => {
        const ours = new Set(removeOurs(worked.map(({ id }) => id)));
        const counted = worked.filter(({ id }) => ours.has(id));
        if (counted.length === 0) return;
        addCounts(db, counted);
        const said = counted.flatMap(({ id, isSaid }) => (isSaid ? [id] : []));
        if (said.length > 0) {
          db.update(posts).set({ content: "" }).where(inArray(posts.id, said)).run();
        }
        const done = sql`${post_totals.done} + ${counted.length}`;
        db.update(post_totals).set({ done }).run();
      }),
    fail: (id, reason) =>
      commit(() => {
        const [row] = db
          .select({ failures: post_queue.failures })
          .from(post_queue)
          .where(isOurs([id]))
          .all();
        if (row === undefined) return "lost";
        const failures = row.failures + 1;
        if (failures < FAILURES_MAX) {
          const ready_at = now() + PAUSE_MS * PAUSE_GROWTH ** row.failures;
          db.update(post_queue)
            .set({ failures, holder: null, ready_at })
            .where(isOurs([id]))
            .run();
          return "again";
        }
        removeOurs([id]);
        db.insert(dead_posts).values({ post_id: id, reason, failures, died_at: now() }).run();
        db.update(post_totals)
          .set({ dead: sql`${post_totals.dead} + 1` })
          .run();
        return "dead";
      }),
    release: (ids, pauseMs) =>
      commit(() => {
        const which = ids === "all" ? eq(post_queue.holder, holder) : isOurs(ids);
        db.update(post_queue)
          .set({ holder: null, ready_at: now() + pauseMs })
          .where(which)
          .run();
      }),
    state: async () => {
      const { accepted = 0, done = 0, dead = 0 } = db.select().from(post_totals).get() ?? {};
      const leased =
        db
          .select({ posts: count() })
          .from(post_queue)
          .where(and(isNotNull(post_queue.holder), gt(post_queue.ready_at, now())))
          .get()?.posts ?? 0;
      const oldest = db
        .select({ at: posts.created_at })
        .from(posts)
        .where(eq(posts.id, db.select({ id: min(post_queue.post_id) }).from(post_queue)))
        .get();
      return {
        queued: Math.max(0, accepted - done - dead - leased),
        leased,
        done,
        dead,
        oldestAgeMs: oldest === undefined ? null : Math.max(0, now() - oldest.at),
      };
    },
    dead: async (after, limit) =>
      db
        .select({
          id: posts.id,
          publication: publications.name,
          externalId: posts.external_id,
          reason: dead_posts.reason,
          failures: dead_posts.failures,
          diedAt: dead_posts.died_at,
        })
        .from(dead_posts)
        .innerJoin(posts, eq(posts.id, dead_posts.post_id))
        .innerJoin(publications, eq(publications.id, posts.publication_id))
        .where(gt(dead_posts.post_id, after))
        .orderBy(asc(dead_posts.post_id))
        .limit(limit)
        .all(),
    retry: (id) =>
      commit(() => {
        const [dead] = db
          .delete(dead_posts)
          .where(eq(dead_posts.post_id, id))
          .returning({ id: dead_posts.post_id })
          .all();
        if (dead === undefined) return false;
        db.insert(post_queue).values({ post_id: id, ready_at: now() }).run();
        db.update(post_totals)
          .set({ dead: sql`${post_totals.dead} - 1` })
          .run();
        return true;
      }),
  };
}

/** The first rows that are no larger together; at least one. */
function firstWithin(rows: readonly { id: number; bytes: number }[], bytesMax: number): number[] {
  let bytes = 0;
  const past = rows.findIndex((row, at) => (bytes += row.bytes) > bytesMax && at > 0);
  return (past < 0 ? rows : rows.slice(0, past)).map(({ id }) => id);
}
