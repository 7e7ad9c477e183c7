import { sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";

/**
 * What is wrong with the rooms; empty when nothing is. Their beginnings may have been removed for their
 * age, but from there to the newest message no offset is missing.
 */
export function checkRooms(db: Database["db"]): string[] {
  const broken = db.all<{ room: number }>(sql`
    SELECT r.id AS room FROM rooms AS r JOIN
      (SELECT room_id, min("offset") AS first, max("offset") AS last, count(*) AS messages
        FROM messages GROUP BY room_id) AS m ON m.room_id = r.id
    WHERE m.last <> r.head OR m.last - m.first + 1 <> m.messages`);
  return broken.length === 0
    ? []
    : [`messages: ${broken.length} rooms have holes, or end elsewhere than they say`];
}
