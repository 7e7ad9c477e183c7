import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { post_queue, post_totals, posts, publications, topic_sources } from "../../schema.ts";
import type { AcceptedPost, NewPost } from "./model.ts";

/** What rooms said and what was transcribed come in as posts as well, in the order of their rows. */
export type SourceName = "rooms" | "transcriptions";

export interface PostStore {
  /**
   * Takes posts in and queues them, all or none of them; resolves when that is durable. Null, and
   * nothing taken, when as many wait as the queue may hold.
   */
  add(incoming: readonly NewPost[]): Promise<AcceptedPost[] | null>;
  /** The row of a source that was read last; 0 at first. */
  reached(source: SourceName): Promise<number>;
  /**
   * Takes in what a source said after the row `from`, up to `to`. False, and nothing taken, when
   * another process has done so.
   */
  addFromSource(
    source: SourceName,
    rows: { from: number; to: number },
    incoming: readonly NewPost[],
  ): Promise<boolean>;
}

export interface PostStoreDependencies {
  database: Database;
  queuedMax: number;
  now(): number;
}

/** Past it the names that were looked up are forgotten, and looked up again. */
const KNOWN_NAMES_MAX = 10_000;

export function createPostStore({ database, queuedMax, now }: PostStoreDependencies): PostStore {
  const { db, commit } = database;
  const known = new Map<string, number>();

  const findPublication = db
    .select({ id: publications.id })
    .from(publications)
    .where(eq(publications.name, sql.placeholder("name")))
    .prepare();
  const addPublication = db
    .insert(publications)
    .values({ name: sql.placeholder("name") })
    .returning({ id: publications.id })
    .prepare();
  const addPost = db
    .insert(posts)
    .values({
      publication_id: sql.placeholder("publicationId"),
      external_id: sql.placeholder("externalId"),
      content: sql.placeholder("content"),
      published_at: sql.placeholder("publishedAt"),
      created_at: sql.placeholder("at"),
    })
    .onConflictDoNothing()
    .returning({ id: posts.id })
    .prepare();
  const findPost = db
    .select({ id: posts.id })
    .from(posts)
    .where(
      and(
        eq(posts.publication_id, sql.placeholder("publicationId")),
        eq(posts.external_id, sql.placeholder("externalId")),
      ),
    )
    .prepare();
  const enqueue = db
    .insert(post_queue)
    .values({ post_id: sql.placeholder("id"), ready_at: sql.placeholder("at") })
    .prepare();
  const countAccepted = db
    .update(post_totals)
    .set({ accepted: sql`${post_totals.accepted} + ${sql.placeholder("count")}` })
    .prepare();
  const totals = db.select().from(post_totals).prepare();

  /** `fresh` gathers names that are known for good only once the commit is through. */
  const publicationId = (name: string, fresh: Map<string, number>): number => {
    const id =
      known.get(name) ??
      fresh.get(name) ??
      findPublication.get({ name })?.id ??
      addPublication.get({ name }).id;
    fresh.set(name, id);
    return id;
  };

  const insert = (incoming: readonly NewPost[], fresh: Map<string, number>): AcceptedPost[] => {
    const at = now();
    const accepted = incoming.map(({ content, publication, externalId, publishedAt }) => {
      const place = { publicationId: publicationId(publication, fresh), externalId };
      const added = addPost.get({ ...place, content, publishedAt: publishedAt ?? at, at }) as
        | { id: number }
        | undefined;
      if (added !== undefined) {
        enqueue.run({ id: added.id, at });
        return { id: added.id, isNew: true };
      }
      const first = findPost.get(place);
      if (first === undefined) throw new Error("a post was refused that is not there");
      return { id: first.id, isNew: false };
    });
    const count = accepted.filter(({ isNew }) => isNew).length;
    if (count > 0) countAccepted.run({ count });
    return accepted;
  };

  const remember = (fresh: ReadonlyMap<string, number>): void => {
    if (known.size + fresh.size > KNOWN_NAMES_MAX) known.clear();
    for (const [name, id] of fresh) known.set(name, id);
  };

  const isFull = (): boolean => {
    const { accepted = 0, done = 0, dead = 0 } = totals.get() ?? {};
    return accepted - done - dead >= queuedMax;
  };

  return {
    add: async (incoming) => {
      const fresh = new Map<string, number>();
      const accepted = await commit(() => {
        // A write that is run again begins anew.
        fresh.clear();
        return isFull() ? null : insert(incoming, fresh);
      });
      if (accepted !== null) remember(fresh);
      return accepted;
    },
    reached: async (source) =>
      db
        .select({ id: topic_sources.reached_id })
        .from(topic_sources)
        .where(eq(topic_sources.source, source))
        .get()?.id ?? 0,
    addFromSource: async (source, { from, to }, incoming) => {
      const fresh = new Map<string, number>();
      const isAdded = await commit(() => {
        fresh.clear();
        db.insert(topic_sources).values({ source, reached_id: 0 }).onConflictDoNothing().run();
        const moved = db
          .update(topic_sources)
          .set({ reached_id: to })
          .where(and(eq(topic_sources.source, source), eq(topic_sources.reached_id, from)))
          .returning({ source: topic_sources.source })
          .get();
        if (moved === undefined) return false;
        insert(incoming, fresh);
        return true;
      });
      if (isAdded) remember(fresh);
      return isAdded;
    },
  };
}
