import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync, backup } from "node:sqlite";

export interface CopyOptions {
  from: string;
  /** Made with mode 0600. Throws when it is there already. */
  to: string;
  /** Whether the source must not be touched, as a backup on a medium that is read only. */
  isReadOnly?: boolean;
  /** What has been copied so far, in bytes. */
  onProgress?(done: number, total: number): void;
}

/** How long a copy waits where even readers are locked out, such as while a log is recovered. */
const LOCKED_MS_MAX = 5_000;
/** Pages that are copied, and then brought to the disk, at once: about 4 MB. */
const STEP_PAGES = 1_000;

/**
 * Copies a database that others may be writing: what was committed when it began, that in the log beside
 * the file too, and nothing of what came later. Nobody waits for it; the log grows meanwhile. The copy
 * is one file, and is on the disk when this resolves. Rejects with what SQLite or the file system says,
 * and leaves nothing then.
 */
export async function copyDatabase(options: CopyOptions): Promise<void> {
  const { from, to, isReadOnly = false, onProgress } = options;
  const target = openSync(to, "wx", 0o600);
  try {
    const source = new DatabaseSync(from, { readOnly: isReadOnly });
    try {
      source.exec(`PRAGMA busy_timeout=${LOCKED_MS_MAX}`);
      const { page_size: pageBytes } = source.prepare("PRAGMA page_size").get() as {
        page_size: number;
      };
      // A read that has begun holds what it sees: without it every commit of others would begin the
      // copy anew.
      source.exec("BEGIN");
      source.prepare("SELECT count(*) FROM sqlite_schema").get();
      let steppedAt = performance.now();
      await backup(source, to, {
        rate: STEP_PAGES,
        progress: ({ totalPages, remainingPages }) => {
          // Step by step, with a rest as long as the step: all of it at once, or at the end, would keep
          // the servers' own commits waiting behind it.
          fsyncSync(target);
          Bun.sleepSync(performance.now() - steppedAt);
          steppedAt = performance.now();
          onProgress?.((totalPages - remainingPages) * pageBytes, totalPages * pageBytes);
        },
      });
      source.exec("COMMIT");
    } finally {
      source.close();
    }
    becomeOneFile(to);
    flush(to);
  } catch (error) {
    removeDatabase(to);
    throw error;
  } finally {
    closeSync(target);
  }
}

/** A name for what is not finished, beside what it will be. */
export function unfinishedName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.unfinished`);
}

/**
 * Gives a finished file its name; the name has either what it had or the whole of this, whatever dies.
 * False, and the file is gone, when the name is taken and must not be given away.
 */
export function nameFile(unfinished: string, path: string, isReplacing: boolean): boolean {
  if (isReplacing) renameSync(unfinished, path);
  else if (!linkUnlessThere(unfinished, path)) {
    rmSync(unfinished);
    return false;
  }
  flushFolder(path);
  return true;
}

/** Removes a database file and what SQLite may have left beside it. */
export function removeDatabase(path: string): void {
  for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(path + end, { force: true });
}

export function flush(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A file's new name survives a power cut only with its folder. */
export function flushFolder(path: string): void {
  flush(dirname(path));
}

/** The copy says that it has a log beside it, as the source does; in a file that travels it would not. */
function becomeOneFile(path: string): void {
  const copy = new DatabaseSync(path);
  try {
    copy.exec("PRAGMA journal_mode=DELETE");
  } finally {
    copy.close();
  }
}

function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (error) {
    if (codeOf(error) === "EEXIST" || existsSync(to)) return false;
    // This file system has no links: between the look and the renaming lies next to nothing.
    renameSync(from, to);
    return true;
  }
  rmSync(from);
  return true;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}
