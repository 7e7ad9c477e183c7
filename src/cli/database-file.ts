import { parseArgs } from "node:util";
import { readCommand } from "./command.ts";

/** What `backup` and `restore` are given. */
export interface DatabaseFile {
  /** The backup. */
  file: string;
  isForced: boolean;
  /** The database of the settings. */
  path: string;
}

/** Reads `FILE [--force]`; null, and it was said why, when that or the settings are no good. */
export function readDatabaseFile(args: string[], usage: string): DatabaseFile | null {
  const read = readCommand(() =>
    parseArgs({
      args,
      allowPositionals: true,
      options: { force: { type: "boolean", default: false } },
    }),
  );
  if (read === null) return null;
  const { positionals, values } = read.parsed;
  const [file] = positionals;
  if (file === undefined || file === "" || positionals.length !== 1) {
    console.error(usage);
    return null;
  }
  const { databasePath: path } = read.config;
  if (path === ":memory:") {
    console.error("DATABASE_URL names a database in memory, which no other process can see");
    return null;
  }
  return { file, isForced: values.force, path };
}
