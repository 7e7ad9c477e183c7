import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";

/** The highest id that was ever given, by table. */
export type Sequences = ReadonlyMap<string, number>;

/** Ids that are passed over where nobody knows how many were given since the backup. */
const UNKNOWN_IDS = 1_000_000;

export const SEQUENCES = "SELECT name, seq FROM sqlite_sequence";

/**
 * Makes a restored database go on with ids that nobody has seen: the replaced one has given some since
 * the backup, and a token, a link or a cache that names one must not find something else there. `given`
 * is null when the replaced database is not there or cannot be read.
 */
export function raiseSequences({ db, commit }: Database, given: Sequences | null): Promise<void> {
  return commit(() => {
    const tables = db
      .all<{ name: string }>(
        sql`SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'`,
      )
      .map(({ name }) => name);
    const own = new Map(
      db.all<{ name: string; seq: number }>(sql.raw(SEQUENCES)).map(({ name, seq }) => [name, seq]),
    );
    for (const name of tables) {
      const reached = own.get(name) ?? 0;
      const seq = given === null ? reached + UNKNOWN_IDS : Math.max(reached, given.get(name) ?? 0);
      if (own.has(name)) db.run(sql`UPDATE sqlite_sequence SET seq = ${seq} WHERE name = ${name}`);
      else db.run(sql`INSERT INTO sqlite_sequence (name, seq) VALUES (${name}, ${seq})`);
    }
  });
}
