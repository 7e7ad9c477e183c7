import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const WORK_FOLDER = ".pulling";
type Purpose = "unpacked" | "replaced" | "removed";

/** Where half-finished things live: beside the models, so that a rename brings them in at once. */
export function workFolder(modelsDir: string): string {
  return join(modelsDir, WORK_FOLDER);
}

/** The same, made if it is missing. */
export async function makeWorkFolder(modelsDir: string): Promise<string> {
  const folder = workFolder(modelsDir);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** A name for a folder in the work folder that nobody else has. */
export function randomName(name: string, purpose: Purpose): string {
  return `${name}.${purpose}-${randomBytes(6).toString("hex")}`;
}

/**
 * Puts a finished folder in the place of model `name`. What was there before goes only then; should
 * the process die between the two renames, `tidy` brings it back. Throws errors of the disk.
 */
export async function putInPlace(modelsDir: string, name: string, finished: string): Promise<void> {
  const place = join(modelsDir, name);
  const aside = join(workFolder(modelsDir), randomName(name, "replaced"));
  const hasOld = existsSync(place);
  if (hasOld) await rename(place, aside);
  try {
    await rename(finished, place);
  } catch (error) {
    if (hasOld) await rename(aside, place);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** Clears what processes that died left behind for model `name`; its lock has to be held. */
export async function tidy(modelsDir: string, name: string): Promise<void> {
  const folder = workFolder(modelsDir);
  for (const left of await readdir(folder)) {
    const isOurs = left.startsWith(`${name}.`);
    const [, purpose] = /^\.(unpacked|replaced|removed)-[0-9a-f]{12}$/.exec(
      left.slice(name.length),
    ) ?? [null, null];
    if (!isOurs || purpose === null) continue;
    const path = join(folder, left);
    const isOnlyCopy = purpose === "replaced" && !existsSync(join(modelsDir, name));
    await (isOnlyCopy
      ? rename(path, join(modelsDir, name))
      : rm(path, { recursive: true, force: true }));
  }
}
