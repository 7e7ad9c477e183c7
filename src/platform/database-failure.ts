import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { isDiskFull } from "./disk.ts";
import { codeOf } from "./error-code.ts";
import { NewerDatabase } from "./migrations.ts";

/** A database file that cannot be used. The message says why, in one line without the file's name. */
export class DatabaseUnusable extends Error {
  override name = "DatabaseUnusable";

  constructor(
    reason: string,
    readonly path: string,
    /** Such as `SQLITE_BUSY`. */
    readonly code: string,
  ) {
    super(reason);
  }
}

/** An error of opening `path` in words for whoever runs the program; itself where there are none. */
export function explainOpening(error: unknown, path: string): unknown {
  if (error instanceof DatabaseUnusable) return error;
  const code = codeOf(error);
  const reason = reasonOf(error, code, path);
  return reason === null ? error : new DatabaseUnusable(reason, path, code);
}

/** Throws `DatabaseUnusable` when a file that is there cannot be written: SQLite would tell of it late. */
export function checkWritable(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const reason = stats.isDirectory() ? "it is a folder" : refusedAccess(path, "it");
  if (reason !== null) throw new DatabaseUnusable(reason, path, "EACCES");
}

function reasonOf(error: unknown, code: string, path: string): string | null {
  if (error instanceof NewerDatabase) return `${error.message}; that one opens it`;
  if (isDiskFull(error)) return "there is no room on its disk";
  if (code.startsWith("SQLITE_BUSY")) return "another process has had it locked for too long";
  if (code.startsWith("SQLITE_NOTADB")) return "it is no SQLite database";
  if (code.startsWith("SQLITE_CORRUPT")) {
    return "it is damaged; `earshot check` says where, `earshot restore FILE` puts a backup in its place";
  }
  if (/^SQLITE_(?:CANTOPEN|READONLY|PERM|IOERR)/.test(code)) {
    const folder = dirname(path);
    return refusedAccess(folder, `its folder ${JSON.stringify(folder)}`);
  }
  if (error instanceof Error && error.message.endsWith(" already exists")) {
    return "it holds the tables of another program";
  }
  const isFolders = error instanceof Error && "syscall" in error;
  return isFolders
    ? `its folder ${JSON.stringify(dirname(path))} cannot be made or used (${code})`
    : null;
}

function refusedAccess(path: string, what: string): string | null {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    const code = codeOf(error);
    const why = code === "EROFS" ? "the file system is read-only" : "this user may not";
    return `${what} cannot be written: ${why} (${code})`;
  }
}
