import { sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";

/** Sums that must be equal, and in how many rows they are not. */
const CHECKS: readonly { what: string; query: ReturnType<typeof sql> }[] = [
  {
    what: "post_totals: posts are neither queued nor done nor dead",
    query: sql`SELECT abs(accepted - done - dead - (SELECT count(*) FROM post_queue)) AS rows
      FROM post_totals`,
  },
  {
    what: "dead_posts: there are not as many as post_totals says",
    query: sql`SELECT abs(dead - (SELECT count(*) FROM dead_posts)) AS rows FROM post_totals`,
  },
  {
    what: "publication_days: there are not as many counted posts as post_totals says",
    query: sql`SELECT abs(done - (SELECT coalesce(sum(posts), 0) FROM publication_days)) AS rows
      FROM post_totals`,
  },
  {
    what: "topics: counts that are not the sum of those of their publications",
    query: sql`SELECT count(*) AS rows FROM topics AS t LEFT JOIN
      (SELECT topic_id, sum(count) AS count FROM topic_counts GROUP BY topic_id) AS c
      ON c.topic_id = t.id WHERE t.count <> coalesce(c.count, 0)`,
  },
  {
    what: "topic_counts: counts that are not the sum of those of their days",
    query: sql`SELECT count(*) AS rows FROM topic_counts AS c LEFT JOIN
      (SELECT topic_id, publication_id, sum(count) AS count FROM topic_days GROUP BY 1, 2) AS d
      USING (topic_id, publication_id) WHERE c.count <> coalesce(d.count, 0)`,
  },
  {
    what: "topic_days: more posts of a day mention a topic than were counted on it",
    query: sql`SELECT count(*) AS rows FROM topic_days AS t LEFT JOIN publication_days AS p
      USING (publication_id, day) WHERE t.count > coalesce(p.posts, 0)`,
  },
];

/** What is wrong with the posts and their counts; empty when nothing is. */
export function checkTopics(db: Database["db"]): string[] {
  return CHECKS.flatMap(({ what, query }) => {
    const [found] = db.all<{ rows: number }>(query);
    const rows = found?.rows ?? 0;
    return rows === 0 ? [] : [`${what} (${rows})`];
  });
}
