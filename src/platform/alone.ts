import { Database as Sqlite } from "bun:sqlite";
import { isLocked } from "./commit.ts";

/** A database file that nobody else has open, and nobody else can open, until `release`. */
export interface HeldDatabase {
  /** Rows of a statement, or none when it names tables that are not there. */
  rows<Row>(statement: string): Row[];
  release(): void;
}

/**
 * Takes a database file for oneself. Null while any other process or connection has it open: each holds
 * a lock of the system's on it, which is gone when its process is, however that died. What the log
 * beside it holds is in the file then. Throws what SQLite throws for a file that is no database.
 */
export function holdAlone(path: string): HeldDatabase | null {
  const sqlite = new Sqlite(path, { readwrite: true, strict: true });
  try {
    sqlite.run("PRAGMA locking_mode=EXCLUSIVE");
    sqlite.run("BEGIN EXCLUSIVE");
    sqlite.run("COMMIT");
    sqlite.run("PRAGMA journal_mode=DELETE");
    // Leaving the log has given the lock back; this is the one that lasts.
    sqlite.run("BEGIN EXCLUSIVE");
  } catch (error) {
    sqlite.close();
    if (isLocked(error)) return null;
    throw error;
  }
  return {
    rows: <Row>(statement: string) => {
      try {
        const prepared = sqlite.prepare<Row, []>(statement);
        const found = prepared.all();
        // One that waits to be collected would keep the file open.
        prepared.finalize();
        return found;
      } catch (error) {
        if (error instanceof Error && error.message.startsWith("no such ")) return [];
        throw error;
      }
    },
    release: () => {
      if (sqlite.inTransaction) sqlite.run("ROLLBACK");
      sqlite.close();
    },
  };
}
