import { Database as Sqlite } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import type { Database } from "./database.ts";

/** How long a read waits where even readers are locked out, such as while a log is recovered. */
const LOCKED_MS_MAX = 5_000;

/**
 * Opens a database file that is open elsewhere, to read only: for worker threads whose reads take
 * longer than the event loop may stand still. They see every commit.
 */
export function openReader(path: string): Database["db"] {
  const sqlite = new Sqlite(path, { readonly: true, strict: true });
  sqlite.run(`PRAGMA busy_timeout=${LOCKED_MS_MAX}`);
  return drizzle({ client: sqlite });
}

/** Reads a database file as it is at one moment, whatever others write meanwhile. */
export function readSnapshot<T>(path: string, read: (db: Database["db"]) => T): T {
  const sqlite = new Sqlite(path, { readonly: true, strict: true });
  try {
    sqlite.run(`PRAGMA busy_timeout=${LOCKED_MS_MAX}`);
    sqlite.run("BEGIN");
    return read(drizzle({ client: sqlite }));
  } finally {
    sqlite.close();
  }
}
