import { sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { rooms } from "../../schema.ts";

/**
 * Gives every room of a restored database a new epoch, so that clients begin anew: offsets after the
 * backup have been other messages. Answers how many rooms there are.
 */
export function renewEpochs({ db, commit }: Database): Promise<number> {
  return commit(
    () =>
      db
        .update(rooms)
        .set({ epoch: sql`lower(hex(randomblob(16)))` })
        .returning({ id: rooms.id })
        .all().length,
  );
}
