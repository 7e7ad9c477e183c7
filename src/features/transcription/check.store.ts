import { sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";

/** What is wrong with the search index; empty when nothing is. */
export function checkSearch(db: Database["db"]): string[] {
  const [pending] = db.all(sql`SELECT 1 FROM search_progress WHERE segment_id IS NOT NULL`);
  const [extra] = db.all<{ rows: number }>(
    sql`SELECT count(*) AS rows FROM segment_search_docsize WHERE id NOT IN (SELECT id FROM segments)`,
  );
  const [missing] =
    pending === undefined
      ? db.all<{ rows: number }>(
          sql`SELECT count(*) AS rows FROM segments WHERE id NOT IN (SELECT id FROM segment_search_docsize)`,
        )
      : [];
  return [
    ...tell(extra?.rows, "entries of segments that are not there"),
    ...tell(missing?.rows, "segments have no entry"),
  ];
}

function tell(rows: number | undefined, what: string): string[] {
  return rows === undefined || rows === 0 ? [] : [`segment_search: ${rows} ${what}`];
}
