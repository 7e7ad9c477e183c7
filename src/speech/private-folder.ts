import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

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
