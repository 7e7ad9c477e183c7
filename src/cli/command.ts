import { type Config, readConfig } from "../config.ts";
import { Problem } from "../http/problem.ts";
import { WritesFull, isLocked } from "../platform/commit.ts";
import { type Database, openDatabase } from "../platform/database.ts";

// What the commands that work on the server's database have in common.

/**
 * The settings, and what `parse` makes of the arguments. Null, after one line that says why, when
 * either cannot be used.
 */
export function readCommand<T>(parse: () => T): { config: Config; parsed: T } | null {
  let config;
  let parsed;
  try {
    config = readConfig(process.env);
    parsed = parse();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return null;
  }
  return { config, parsed };
}

/**
 * Runs a command on the database of the settings and answers its exit code; 1, after one line, when
 * the database cannot be used, and 2 when no other process can see it.
 */
export async function withDatabase(
  { databasePath }: Config,
  run: (database: Database) => Promise<number>,
): Promise<number> {
  if (databasePath === ":memory:") {
    console.error("DATABASE_URL names a database in memory, which no other process can see");
    return 2;
  }
  let database: Database;
  try {
    database = openDatabase(databasePath);
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(`cannot open ${databasePath}: ${error.message}`);
    return 1;
  }
  try {
    return await run(database);
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(
      isLocked(error) || error instanceof WritesFull
        ? "the database is busy; try again"
        : `cannot use ${databasePath}: ${error.message}`,
    );
    return 1;
  } finally {
    await database.close();
  }
}

/** Runs what may be refused: 2 for what is wrong with the arguments, 1 for anything else. */
export async function unlessRefused(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(error.message);
    return error.code === "invalid" ? 2 : 1;
  }
}

/** What went wrong outside: the disk, its rights, other processes. */
function isExpected(error: unknown): error is Error {
  return error instanceof WritesFull || (error instanceof Error && "code" in error);
}
