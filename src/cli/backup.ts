import { existsSync, statSync } from "node:fs";
import { copyDatabase, nameFile, removeDatabase, unfinishedName } from "../platform/backup.ts";
import { readDatabaseFile } from "./database-file.ts";
import { failureLine } from "./failure.ts";
import { createProgress, formatBytes } from "./progress.ts";

const USAGE = "usage: earshot backup FILE [--force]";

/**
 * Copies the database of `DATABASE_URL`, also while servers write to it, into one file: everything that
 * was committed when it began. A file that is there is kept unless `--force` is given.
 */
export async function backup(args: string[]): Promise<number> {
  const read = readDatabaseFile(args, USAGE);
  if (read === null) return 2;
  const { file, isForced, path: databasePath } = read;
  if (!existsSync(databasePath)) {
    console.error(`there is no database at ${databasePath}`);
    return 1;
  }
  if (existsSync(file) && (!isForced || isSame(file, databasePath))) {
    console.error(
      isSame(file, databasePath)
        ? `${file} is the database itself`
        : `${file} is there already; --force replaces it`,
    );
    return 1;
  }
  return write(databasePath, file, isForced);
}

async function write(databasePath: string, file: string, isReplacing: boolean): Promise<number> {
  const unfinished = unfinishedName(file);
  const progress = createProgress({
    label: "copying",
    total: null,
    unit: "bytes",
    stream: process.stderr,
    now: () => performance.now(),
  });
  // What an interrupted run leaves would only lie there.
  const onBreak = (): void => {
    removeDatabase(unfinished);
    process.exit(1);
  };
  process.on("SIGINT", onBreak);
  process.on("SIGTERM", onBreak);
  try {
    await copyDatabase({ from: databasePath, to: unfinished, onProgress: progress.update });
    const bytes = statSync(unfinished).size;
    if (!nameFile(unfinished, file, isReplacing)) {
      progress.end(`${file} is there already; --force replaces it`);
      return 1;
    }
    progress.end(`backed up ${databasePath} to ${file}, ${formatBytes(bytes)}`);
    return 0;
  } catch (error) {
    removeDatabase(unfinished);
    progress.end(`cannot back up ${databasePath} to ${file}: ${failureLine(error)}`);
    return 1;
  } finally {
    process.off("SIGINT", onBreak);
    process.off("SIGTERM", onBreak);
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}
