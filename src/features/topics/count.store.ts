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
  /** Whether it was said here, where who said it may take it back: its text goes once it is counted. */
  isSaid: boolean;
  topics: readonly TopicMention[];
}

/**
 * Adds posts to the counts; belongs inside the transaction that takes them out of the queue. What
 * posts have in common is added up first, and goes to the database as one JSON text a table, in the
 * order of its rows there, so that each page is written once. Every sum is the same in whatever
 * order the posts come.
 */
export function addCounts(db: Database["db"], counted: readonly CountedPost[]): void {
  const mentions = new Map<string, [key: string, label: EntityLabel, count: number]>();
  for (const { topics } of counted) {
    for (const { label, key } of topics) {
      const known = mentions.get(label + key);
      if (known === undefined) mentions.set(label + key, [key, label, 1]);
      else known[2]++;
    }
  }
  const byKey = [...mentions.values()].sort(([one], [other]) => (one < other ? -1 : 1));
  const ids = new Map(
    db
      .all<{ id: number; topic: string }>(
        sql`INSERT INTO ${topics} (key, label, count)
          SELECT value->>0, value->>1, value->>2 FROM ${rows(byKey)} WHERE true
          ON CONFLICT (key, label) DO UPDATE SET count = count + excluded.count
          RETURNING id, label || key AS topic`,
      )
      .map(({ id, topic }) => [topic, id]),
  );

  const spellings = createPairs<string>();
  const totals = createPairs<number>();
  const days = createPairs<string>();
  const sizes = new Map<string, [publicationId: number, day: number, posts: number]>();
  for (const { publicationId, day, topics } of counted) {
    const place = `${publicationId} ${day}`;
    const size = sizes.get(place);
    if (size === undefined) sizes.set(place, [publicationId, day, 1]);
    else size[2]++;
    for (const mention of topics) {
      const id = ids.get(mention.label + mention.key);
      if (id === undefined) throw new Error("a topic has no row");
      totals.add(id, publicationId);
      days.add(id, place);
      for (const spelling of mention.spellings) spellings.add(id, spelling);
    }
  }
  const byDay = days
    .all()
    .map(([id, place, count]) => [id, ...place.split(" ").map(Number), count]);

  db.run(sql`INSERT INTO ${topic_spellings} (topic_id, spelling, count)
    SELECT value->>0, value->>1, value->>2 FROM ${rows(spellings.all().sort(byTopic))} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${topic_counts} (topic_id, publication_id, count)
    SELECT value->>0, value->>1, value->>2 FROM ${rows(totals.all().sort(byTopic))} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${topic_days} (topic_id, publication_id, day, count)
    SELECT value->>0, value->>1, value->>2, value->>3 FROM ${rows(byDay.sort(byTopic))} WHERE true
    ON CONFLICT DO UPDATE SET count = count + excluded.count`);
  db.run(sql`INSERT INTO ${publication_days} (publication_id, day, posts)
    SELECT value->>0, value->>1, value->>2 FROM ${rows([...sizes.values()])} WHERE true
    ON CONFLICT DO UPDATE SET posts = posts + excluded.posts`);
}

/** Counts topics in each of some things, of which a topic mostly has one. */
function createPairs<Thing extends number | string>() {
  const counts = new Map<number, Map<Thing, number>>();
  return {
    add: (topicId: number, thing: Thing): void => {
      let things = counts.get(topicId);
      if (things === undefined) counts.set(topicId, (things = new Map()));
      things.set(thing, (things.get(thing) ?? 0) + 1);
    },
    all: (): [topicId: number, thing: Thing, count: number][] =>
      [...counts].flatMap(([id, things]) =>
        Array.from(things, ([thing, count]): [number, Thing, number] => [id, thing, count]),
      ),
  };
}

function byTopic([one]: readonly unknown[], [other]: readonly unknown[]): number {
  return Number(one) - Number(other);
}

function rows(all: readonly (readonly unknown[])[]): SQL {
  return sql`json_each(${JSON.stringify(all)})`;
}
