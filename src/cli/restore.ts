import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { readTakenBack, settleAccounts } from "../features/accounts/restored.store.ts";
import { renewEpochs } from "../features/chat/restored.store.ts";
import { endSpeechSessions } from "../features/transcription/restored.store.ts";
import { type HeldDatabase, holdAlone } from "../platform/alone.ts";
import {
  copyDatabase,
  flush,
  flushFolder,
  nameFile,
  removeDatabase,
  unfinishedName,
} from "../platform/backup.ts";
import { openDatabase } from "../platform/database.ts";
import { inspectFile, isDamage } from "../platform/integrity.ts";
import { SEQUENCES, raiseSequences } from "../platform/sequences.ts";
import { readDatabaseFile } from "./database-file.ts";
import { failureLine } from "./failure.ts";
import { createProgress } from "./progress.ts";

const USAGE = "usage: earshot restore FILE [--force]";

/**
 * Puts a backup in the place of the database of `DATABASE_URL`, and keeps what it replaces beside it.
 * Refuses while anything has that database open; for one that is too broken to tell, `--force` says
 * that nothing has. The backup itself is not changed.
 */
export async function restore(args: string[]): Promise<number> {
  const read = readDatabaseFile(args, USAGE);
  if (read === null) return 2;
  const { file, isForced, path } = read;
  if (!existsSync(file) || (existsSync(path) && statSync(file).ino === statSync(path).ino)) {
    console.error(existsSync(file) ? `${file} is the database itself` : `there is no ${file}`);
    return 1;
  }
  try {
    return await replace(file, path, isForced);
  } catch (error) {
    console.error(`cannot restore ${file}: ${failureLine(error)}`);
    return 1;
  }
}

async function replace(file: string, path: string, isForced: boolean): Promise<number> {
  const { damages, migrations } = inspectFile(file);
  if (damages.length > 0 || migrations[0] !== "0000_first") {
    console.error(
      damages.length > 0
        ? `${file} is damaged; nothing was changed:\n  ${damages.join("\n  ")}`
        : `${file} is no backup of Earshot; nothing was changed`,
    );
    return 1;
  }
  mkdirSync(dirname(path), { recursive: true });
  const held = hold(path, isForced);
  if (typeof held === "string") {
    console.error(held);
    return 1;
  }
  try {
    const unfinished = unfinishedName(path);
    const told = await prepare(file, unfinished, held);
    const kept = existsSync(path) ? nameOfKept(path) : null;
    if (!swap(unfinished, path, kept)) {
      console.error(`another process has just made ${path}; nothing was changed`);
      return 1;
    }
    for (const line of told) console.log(line);
    console.log(kept === null ? `restored ${path}` : `restored ${path}; it was kept as ${kept}`);
    return 0;
  } finally {
    held?.release();
  }
}

/** The database that is replaced; null when there is none or it is broken; a text says why not to. */
function hold(path: string, isForced: boolean): HeldDatabase | null | string {
  if (!existsSync(path)) return null;
  try {
    return (
      holdAlone(path) ??
      `${path} is in use: stop the servers on it first (and what else has it open)`
    );
  } catch (error) {
    if (!isDamage(error)) throw error;
    return isForced
      ? null
      : `${path} is broken (${error.message}), so nobody can tell whether a server runs on it; --force says that none does`;
  }
}

/** Makes the new database under a name of its own; answers what there is to say about it. */
async function prepare(
  file: string,
  unfinished: string,
  held: HeldDatabase | null,
): Promise<string[]> {
  const progress = createProgress({
    label: "copying",
    total: null,
    unit: "bytes",
    stream: process.stderr,
    now: () => performance.now(),
  });
  removeDatabase(unfinished);
  try {
    await copyDatabase({
      from: file,
      to: unfinished,
      isReadOnly: true,
      onProgress: progress.update,
    });
  } finally {
    progress.end(null);
  }
  try {
    const told = await settle(unfinished, held);
    flush(unfinished);
    return told;
  } catch (error) {
    removeDatabase(unfinished);
    throw error;
  }
}

/** Brings a copy up to date, and makes what must not come back stay away. */
async function settle(unfinished: string, held: HeldDatabase | null): Promise<string[]> {
  const database = openDatabase(unfinished);
  try {
    const given = held?.rows<{ name: string; seq: number }>(SEQUENCES);
    await raiseSequences(
      database,
      given === undefined ? null : new Map(given.map(({ name, seq }) => [name, seq])),
    );
    const rooms = await renewEpochs(database);
    const speaking = await endSpeechSessions(database);
    const taken = readTakenBack((statement) => held?.rows(statement) ?? []);
    const { ended, revoked, closed } = await settleAccounts(database, taken, Date.now());
    return [
      `rooms with new epochs, whose clients begin anew: ${rooms}`,
      `sessions of accounts that are ended: ${ended}`,
      ...(speaking > 0 ? [`live transcriptions that are interrupted: ${speaking}`] : []),
      ...(revoked > 0 ? [`API keys that were revoked since, and stay so: ${revoked}`] : []),
      ...(closed > 0 ? [`accounts that were closed since, and are again: ${closed}`] : []),
      ...(held === null
        ? ["what was revoked since the backup is not known: see earshot keys list and users list"]
        : []),
    ];
  } finally {
    await database.close();
  }
}

/** Such as earshot.db.replaced-20260131T120000Z. */
function nameOfKept(path: string): string {
  const stem = `${path}.replaced-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
  let name = stem;
  for (let count = 2; existsSync(name); count++) name = `${stem}-${count}`;
  return name;
}

/** Whose the old database is, or the folder, must be able to open the new one, whoever restores it. */
function giveAway(unfinished: string, path: string): void {
  const old = statSync(path, { throwIfNoEntry: false });
  const { uid, gid } = old ?? statSync(dirname(path));
  if (process.getuid?.() === 0) chownSync(unfinished, uid, gid);
  if (old !== undefined) chmodSync(unfinished, old.mode & 0o777);
}

/**
 * Gives the new database its name. At every moment there is a whole one under it, the old or the new.
 * False, and nothing is done, when there was none and now there is.
 */
function swap(unfinished: string, path: string, kept: string | null): boolean {
  giveAway(unfinished, path);
  if (kept === null) {
    const isNamed = nameFile(unfinished, path, false);
    removeDatabase(unfinished);
    return isNamed;
  }
  try {
    linkSync(path, kept);
  } catch {
    // A file system without links: the name is nobody's for a moment.
    renameSync(path, kept);
  }
  // Sound that has no words yet belongs to the old one; so does a log that could not be read.
  for (const end of ["-spool", "-wal", "-shm"]) {
    if (existsSync(path + end)) renameSync(path + end, kept + end);
  }
  nameFile(unfinished, path, true);
  removeDatabase(unfinished);
  flushFolder(path);
  return true;
}
