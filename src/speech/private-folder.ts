import { lstatSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { codeOf } from "../platform/error-code.ts";

/** A new folder of a name that begins so. Throws an error that names the setting where none can be made. */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    throw new Error(`TMPDIR: nothing can be written to ${tmpdir()} (${codeOf(error)})`, {
      cause: error,
    });
  }
}

/**
 * A folder in the common temporary one that only this user can write to. Others could have made the
 * expected one first; what they put there is not run, and it throws.
 */
export function privateFolder(name: string): string {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `earshot-${uid}-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  const isOurs = found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
  if (!isOurs) throw new Error(`${folder} belongs to somebody else; remove it`);
  return folder;
}
