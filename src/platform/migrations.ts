import type { Database } from "bun:sqlite";
import first from "./migrations/0000_first.sql" with { type: "text" };
import kept from "./migrations/0001_kept.sql" with { type: "text" };
import entities from "./migrations/0002_entities.sql" with { type: "text" };
import topics from "./migrations/0003_topics.sql" with { type: "text" };
import accounts from "./migrations/0004_accounts.sql" with { type: "text" };

/** Every migration in order, embedded so that the program needs no files. Only ever add to the end. */
const MIGRATIONS: readonly { name: string; sql: string }[] = [
  { name: "0000_first", sql: first },
  { name: "0001_kept", sql: kept },
  { name: "0002_entities", sql: entities },
  { name: "0003_topics", sql: topics },
  { name: "0004_accounts", sql: accounts },
];

/** Whether a database that has had these migrations, by name, is as this version makes it. */
export function isCurrent(applied: readonly string[]): boolean {
  return (
    MIGRATIONS.every(({ name }, at) => applied[at] === name) && applied.length === MIGRATIONS.length
  );
}

/** A database that a newer version of the program has changed already. */
export class NewerDatabase extends Error {
  override name = "NewerDatabase";
}

/**
 * Brings an open database up to date. Several processes may race here: each waits for the exclusive
 * lock (as long as `busy_timeout` says) and then finds the work done.
 */
export function migrate(sqlite: Database): void {
  sqlite.run("BEGIN EXCLUSIVE");
  try {
    sqlite.run(
      "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)",
    );
    const applied = sqlite
      .query<{ name: string }, []>("SELECT name FROM migrations ORDER BY name")
      .all()
      .map((row) => row.name);
    const unknown = applied.find((name) => !MIGRATIONS.some((one) => one.name === name));
    if (unknown !== undefined) {
      throw new NewerDatabase(`the database was changed by a newer version (${unknown})`);
    }
    for (const { name, sql } of MIGRATIONS.filter((one) => !applied.includes(one.name))) {
      sqlite.run(sql);
      sqlite.run("INSERT INTO migrations VALUES (?, ?)", [name, Date.now()]);
    }
    sqlite.run("COMMIT");
  } catch (error) {
    // A full disk has ended it already.
    if (sqlite.inTransaction) sqlite.run("ROLLBACK");
    throw error;
  }
}
