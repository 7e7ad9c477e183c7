import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import {
  publication_days,
  topic_counts,
  topic_days,
  topic_spellings,
  topics,
} from "../../schema.ts";
import type { EntityLabel } from "../../text/entities/labels.ts";
import type { TopicMention } from "../../text/topics.ts";

/** A post that was worked. */
export interface CountedPost {
  id: number;
  publicationId: number;
  /** Whole days since 1970, UTC. */
  day: number;
  topics: readonly TopicMention[];
}

/**
 * Adds posts to the counts; belongs inside the transaction that takes them out of the queue. What
 * posts have in common is added up first, and goes to the database as one JSON text a table, in the
 * order of its rows there, so that each page is written once. Every sum is the same in whatever
 * order the posts come.
 */
export function addCounts(db: Database["db"], counted: readonly CountedPost[]): void {
  const mentions = createSums<[label: EntityLabel, key: string]>();
  for (const { topics } of counted) {
    for (const { label, key } of topics) mentions.add(label + key, [label, key]);
  }
  const ids = new Map(
    db
      .all<{ id: number; topic: string }>(
        sql`INSERT INTO ${topics} (label, key, count)
          SELECT value->>0, value->>1, value->>2 FROM ${rows(mentions)} WHERE true
          ON CONFLICT (key, label) DO UPDATE SET count = count + excluded.count
          RETURNING id, label || key AS topic`,
      )
      .map(({ id, topic }) => [topic, id]),
  );

  const spellings = createSums<[topicId: number, spelling: string]>();
  const totals = createSums<[topicId: number, publicationId: number]>();
  const days = createSums<[topicId: number, publicationId: number, day: number]>();
  const sizes = createSums<[publicationId: number, day: number]>();
  for (const { publicationId, day, topics } of counted) {
    sizes.add(`${publicationId} ${day}`, [publicationId, day]);
    for (const mention of topics) {
      const id = ids.get(mention.label + mention.key);
      if (id === undefined) throw new Error("a topic has no row");
      for (const spelling of mention.spellings) spellings.add(`${id} ${spelling}`, [id, spelling]);
      totals.add(`${id} ${publicationId}`, [id, publicationId]);
      days.add(`${id} ${publicationId} ${day}`, [id, publicationId, day]);
    }
  }
  db.run(sql`INSERT INTO ${topic_spellings} (topic_id, spelling, count)
    SELECT value->>0, value->>1, value->>2 FROM ${rows(spellings)} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${topic_counts} (topic_id, publication_id, count)
    SELECT value->>0, value->>1, value->>2 FROM ${rows(totals)} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${topic_days} (topic_id, publication_id, day, count)
    SELECT value->>0, value->>1, value->>2, value->>3 FROM ${rows(days)} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${publication_days} (publication_id, day, posts)
    SELECT value->>0, value->>1, value->>2 FROM ${rows(sizes)} WHERE true
    ON CONFLICT DO UPDATE SET posts = posts + excluded.posts`);
}

interface Sums {
  /** Each thing that was added with how often it was, in the order of its numbers. */
  rows(): unknown[][];
}

function createSums<Thing extends (number | string)[]>(): Sums & {
  add(identity: string, thing: Thing): void;
} {
  const sums = new Map<string, { thing: Thing; count: number }>();
  return {
    add: (identity, thing) => {
      const sum = sums.get(identity);
      if (sum === undefined) sums.set(identity, { thing, count: 1 });
      else sum.count++;
    },
    rows: () => {
      const all = Array.from(sums.values(), ({ thing, count }) => [...thing, count]);
      return all.sort(([one], [other]) => Number(one) - Number(other));
    },
  };
}

function rows(sums: Sums): SQL {
  return sql`json_each(${JSON.stringify(sums.rows())})`;
}
