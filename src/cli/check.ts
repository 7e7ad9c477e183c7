import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { checkRooms } from "../features/chat/check.store.ts";
import { checkTopics } from "../features/topics/check.store.ts";
import { checkSearch } from "../features/transcription/check.store.ts";
import { inspectFile, isDamage } from "../platform/integrity.ts";
import { isCurrent } from "../platform/migrations.ts";
import { readSnapshot } from "../platform/reader.ts";
import { readCommand } from "./command.ts";
import { failureLine } from "./failure.ts";

const USAGE = "usage: earshot check [FILE]";

/**
 * Reads the whole database of `DATABASE_URL`, or a backup, and says what is wrong with it: the file, its
 * indexes and references, the search, the rooms and the counts. Servers may go on; nothing is changed.
 */
export async function check(args: string[]): Promise<number> {
  const read = readCommand(() => parseArgs({ args, allowPositionals: true }));
  if (read === null) return 2;
  const [file, ...others] = read.parsed.positionals;
  if (others.length > 0) {
    console.error(USAGE);
    return 2;
  }
  const path = file ?? read.config.databasePath;
  if (path === ":memory:") {
    console.error("DATABASE_URL names a database in memory, which no other process can see");
    return 2;
  }
  if (!existsSync(path)) {
    console.error(`there is no database at ${path}`);
    return 1;
  }
  let found;
  try {
    found = inspect(path);
  } catch (error) {
    console.error(`cannot check ${path}: ${failureLine(error)}`);
    return 1;
  }
  for (const one of found.wrong) console.log(one);
  for (const one of found.notes) console.error(one);
  console.log(found.wrong.length === 0 ? `${path} is whole` : `${path} is not whole`);
  return found.wrong.length === 0 ? 0 : 1;
}

function inspect(path: string): { wrong: string[]; notes: string[] } {
  const { damages, migrations } = inspectFile(path);
  // What is counted in a broken file says nothing.
  if (damages.length > 0) return { wrong: damages, notes: [] };
  if (migrations.length === 0) return { wrong: ["it is no database of Earshot"], notes: [] };
  if (!isCurrent(migrations)) {
    return { wrong: [], notes: ["made by another version: what it counts was not checked"] };
  }
  try {
    const wrong = readSnapshot(path, (db) => [
      ...checkRooms(db),
      ...checkSearch(db),
      ...checkTopics(db),
    ]);
    return { wrong, notes: [] };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { wrong: [error.message], notes: [] };
  }
}
