import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import {
  publication_days,
  publications,
  topic_counts,
  topic_days,
  topic_spellings,
  topics,
} from "../../schema.ts";
import type { EntityLabel } from "../../text/entities/labels.ts";
import type { Topic } from "./model.ts";

export interface TopicsQuery {
  /** Null for all of them together. */
  publication: string | null;
  label: EntityLabel | null;
  /** Folded beginnings of a word of the name, any of which will do; null for every name. */
  prefixes: readonly { label: EntityLabel; prefix: string }[] | null;
  days: Days;
  sort: "count" | "lift";
  after: TopicPlace | null;
  limit: number;
  /** Folded names, without their spaces, that are left out. */
  hidden: readonly string[];
}

/** From one day to another, both included; null for all of them. */
export type Days = { first: number; last: number } | null;

/** Where a page ends: by count or lift, then by key, then by label. */
export interface TopicPlace {
  value: number;
  key: string;
  label: EntityLabel;
}

export interface RankedTopic extends Topic {
  place: TopicPlace;
}

export interface PublicationsQuery {
  /** A name; those after it. */
  after: string;
  limit: number;
}

export interface PublicationSize {
  publication: string;
  posts: number;
  topics: number;
}

export interface TimelineQuery {
  /** What it may be; the one that most posts mention is taken. */
  names: readonly { label: EntityLabel; key: string }[];
  publication: string | null;
  days: Days;
}

export interface DayCount {
  day: number;
  count: number;
}

/** What was asked about, which need not be there. */
export type TopicAnswer<Found> = { found: Found } | { missing: "publication" | "topic" };

/** Fewer posts say nothing about how much likelier they are. */
const LIFT_POSTS_MIN = 5;

type Db = Database["db"];

export function findTopics(db: Db, query: TopicsQuery): TopicAnswer<RankedTopic[]> {
  const publicationId = query.publication === null ? null : idOf(db, query.publication);
  if (publicationId === undefined) return { missing: "publication" };
  const rows = db.all<TopicRow>(
    publicationId === null ? allTopicsSql(query) : publicationTopicsSql(query, publicationId),
  );
  return {
    found: rows.map(({ topic, label, key, count, lift, publications: many }) => ({
      topic,
      label,
      count,
      ...(lift === null ? {} : { lift }),
      ...(many === null ? {} : { publications: many }),
      place: { value: query.sort === "lift" ? (lift ?? 0) : count, key, label },
    })),
  };
}

interface TopicRow {
  topic: string;
  label: EntityLabel;
  key: string;
  count: number;
  lift: number | null;
  publications: number | null;
}

const SPELLING = sql`(SELECT spelling FROM ${topic_spellings} AS s WHERE s.topic_id = t.id
  ORDER BY s.count DESC, s.spelling LIMIT 1)`;

function publicationTopicsSql(query: TopicsQuery, publicationId: number): SQL {
  const { days } = query;
  const counts =
    days === null
      ? sql`SELECT topic_id, count FROM ${topic_counts} WHERE publication_id = ${publicationId}`
      : sql`SELECT d.topic_id, sum(d.count) AS count
          FROM ${topic_counts} AS own CROSS JOIN ${topic_days} AS d
            ON d.topic_id = own.topic_id AND d.publication_id = own.publication_id
          WHERE own.publication_id = ${publicationId} AND ${isWithin(days)} GROUP BY d.topic_id`;
  // How many posts mention it anywhere; looked up only for the rows that need it.
  const everywhere =
    days === null
      ? sql`t.count`
      : sql`(SELECT sum(count) FROM ${topic_days}
          WHERE topic_id = t.id AND day BETWEEN ${days.first} AND ${days.last})`;
  const lift = sql`CASE WHEN c.count >= ${LIFT_POSTS_MIN} THEN
    (c.count * 1.0 / (SELECT own FROM sizes)) / (${everywhere} * 1.0 / (SELECT every FROM sizes)) END`;
  return sql`
    WITH sizes AS (
      SELECT sum(posts) FILTER (WHERE publication_id = ${publicationId}) AS own, sum(posts) AS every
      FROM ${publication_days} ${days === null ? sql`` : sql`WHERE ${isWithin(days)}`}
    )
    ${pageSql(
      query,
      sql`SELECT t.id, t.label, t.key, c.count, ${lift} AS lift, NULL AS publications
      FROM (${counts}) AS c CROSS JOIN ${topics} AS t ON t.id = c.topic_id`,
    )}`;
}

function allTopicsSql(query: TopicsQuery): SQL {
  const { days, sort } = query;
  const lifted = sql`SELECT c.topic_id,
      max((c.count * 1.0 / z.posts) / (t.count * 1.0 / (SELECT sum(posts) FROM sizes))) AS lift
    FROM counts AS c JOIN sizes AS z USING (publication_id) JOIN everywhere AS t USING (topic_id)
    WHERE c.count >= ${LIFT_POSTS_MIN} GROUP BY c.topic_id`;
  const where = days === null ? sql`` : sql`WHERE ${isWithin(days)}`;
  const everywhere =
    days === null
      ? sql`SELECT id AS topic_id, count FROM ${topics}`
      : sql`SELECT topic_id, sum(count) AS count FROM ${topic_days} ${where} GROUP BY topic_id`;
  const counts =
    days === null
      ? sql`SELECT topic_id, publication_id, count FROM ${topic_counts}`
      : sql`SELECT topic_id, publication_id, sum(count) AS count FROM ${topic_days} ${where}
          GROUP BY topic_id, publication_id`;
  const publicationsOf =
    days === null
      ? sql`(SELECT count(*) FROM ${topic_counts} AS p WHERE p.topic_id = t.id)`
      : sql`(SELECT count(DISTINCT publication_id) FROM ${topic_days} AS p
          WHERE p.topic_id = t.id AND p.day BETWEEN ${days.first} AND ${days.last})`;
  return sql`
    WITH sizes AS (SELECT publication_id, sum(posts) AS posts FROM ${publication_days} ${where}
      GROUP BY publication_id),
    counts AS (${counts}), everywhere AS (${everywhere})
    ${pageSql(
      query,
      sort === "lift"
        ? sql`SELECT t.id, t.label, t.key, c.count, l.lift, ${publicationsOf} AS publications
            FROM (${lifted}) AS l JOIN everywhere AS c USING (topic_id)
            JOIN ${topics} AS t ON t.id = l.topic_id`
        : sql`SELECT t.id, t.label, t.key, c.count, NULL AS lift, ${publicationsOf} AS publications
            FROM everywhere AS c CROSS JOIN ${topics} AS t ON t.id = c.topic_id`,
    )}`;
}

/** One page of ranked topics `t` with their count `c.count`. */
function pageSql({ label, prefixes, sort, after, limit, hidden }: TopicsQuery, ranked: SQL): SQL {
  const value = sort === "lift" ? sql`lift` : sql`c.count`;
  const conditions = [
    ...(label === null ? [] : [sql`t.label = ${label}`]),
    ...(prefixes === null ? [] : [beginsSql(prefixes)]),
    ...(hidden.length === 0 ? [] : [sql`replace(t.key, ' ', '') NOT IN ${[...hidden]}`]),
    ...(sort === "lift" ? [sql`lift IS NOT NULL`] : []),
    ...(after === null
      ? []
      : [
          sql`(${value} < ${after.value} OR (${value} = ${after.value}
            AND (t.key, t.label) > (${after.key}, ${after.label})))`,
        ]),
  ];
  const where = conditions.length === 0 ? sql`` : sql`WHERE ${sql.join(conditions, sql` AND `)}`;
  return sql`SELECT label, key, count, lift, publications, ${SPELLING} AS topic FROM (
      ${ranked} ${where} ORDER BY ${value} DESC, t.key, t.label LIMIT ${limit}
    ) AS t`;
}

function beginsSql(prefixes: NonNullable<TopicsQuery["prefixes"]>): SQL {
  const begins = prefixes.map(
    // Words are parted by single spaces.
    ({ label, prefix }) => sql`(t.label = ${label} AND instr(' ' || t.key, ${` ${prefix}`}) > 0)`,
  );
  return begins.length === 0 ? sql`false` : sql`(${sql.join(begins, sql` OR `)})`;
}

function isWithin(days: NonNullable<Days>): SQL {
  return sql`day BETWEEN ${days.first} AND ${days.last}`;
}

function idOf(db: Db, publication: string): number | undefined {
  const [row] = db.all<{ id: number }>(
    sql`SELECT id FROM ${publications} WHERE name = ${publication}`,
  );
  return row?.id;
}

/** Publications by name, with how many of their posts are counted. */
export function listPublications(
  db: Db,
  { after, limit }: PublicationsQuery,
): TopicAnswer<PublicationSize[]> {
  return {
    found: db.all<PublicationSize>(sql`
      SELECT p.name AS publication,
        coalesce((SELECT sum(posts) FROM ${publication_days} WHERE publication_id = p.id), 0) AS posts,
        (SELECT count(*) FROM ${topic_counts} WHERE publication_id = p.id) AS topics
      FROM ${publications} AS p WHERE p.name > ${after} ORDER BY p.name LIMIT ${limit}`),
  };
}

/** The days on which posts mention a topic, in order. */
export function findTimeline(
  db: Db,
  { names, publication, days }: TimelineQuery,
): TopicAnswer<DayCount[]> {
  const publicationId = publication === null ? null : idOf(db, publication);
  if (publicationId === undefined) return { missing: "publication" };
  const identities = names.map(({ label, key }) => sql`(${label}, ${key})`);
  const [topic] = db.all<{ id: number }>(sql`SELECT id FROM ${topics}
    WHERE (label, key) IN (VALUES ${sql.join(identities, sql`, `)})
    ORDER BY count DESC, label LIMIT 1`);
  if (topic === undefined) return { missing: "topic" };
  return {
    found: db.all<DayCount>(sql`SELECT day, sum(count) AS count FROM ${topic_days}
      WHERE topic_id = ${topic.id} AND ${days === null ? sql`true` : isWithin(days)}
      AND ${publicationId === null ? sql`true` : sql`publication_id = ${publicationId}`}
      GROUP BY day ORDER BY day`),
  };
}
