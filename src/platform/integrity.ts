import { Database as Sqlite } from "bun:sqlite";

/** Damages that are told; more say nothing new. */
const TOLD_MAX = 20;

/** What a database file says of itself. */
export interface FileState {
  /** What is wrong with the file, its indexes (those of the search too) and its references. */
  damages: string[];
  /** The migrations that were applied; empty when it is not one of ours. */
  migrations: string[];
}

/**
 * Reads every page of a database, without changing anything. Throws what SQLite throws when the file
 * cannot be opened; one that is no database is a damage.
 */
export function inspectFile(path: string): FileState {
  const sqlite = new Sqlite(path, { readonly: true, strict: true });
  try {
    sqlite.run("PRAGMA busy_timeout=5000");
    const found = sqlite
      .query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${TOLD_MAX})`)
      .all()
      .map((row) => row.integrity_check)
      .filter((line) => line !== "ok");
    const lost = sqlite
      .query<{ table: string; parent: string; rows: number }, []>(
        `SELECT "table", parent, count(*) AS rows FROM pragma_foreign_key_check GROUP BY 1, 2`,
      )
      .all()
      .map(({ table, parent, rows }) => `${table}: ${rows} rows of a ${parent} that is not there`);
    const isOurs =
      sqlite.query("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").get() !== null;
    const migrations = isOurs
      ? sqlite.query<{ name: string }, []>("SELECT name FROM migrations ORDER BY name").all()
      : [];
    return { damages: [...found, ...lost], migrations: migrations.map(({ name }) => name) };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { damages: [error.message], migrations: [] };
  } finally {
    sqlite.close();
  }
}

/** Whether SQLite found a file broken. */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error)) return false;
  const { code } = error;
  return (
    typeof code === "string" && (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT"))
  );
}
