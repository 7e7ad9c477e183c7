import { type Dirent, lstatSync, readdirSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { randomName, workFolder } from "./folders.ts";
import { takeLock } from "./lock.ts";
import { type ModelManifest, readManifest } from "./manifest.ts";
import { ModelFailure } from "./refusal.ts";

export interface InstalledModel {
  /** Of its folder, whatever the manifest says. */
  name: string;
  folder: string;
  /** Null for a folder that a person put there, and for a broken manifest. */
  manifest: ModelManifest | null;
  /** Why a manifest that is there does not count. */
  reason: string | null;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const NAME_CHARACTERS_MAX = 128;
/** One of these files is in every model's folder. */
const MODEL_FILES = [/\.onnx$/, /\.ort$/, /tokens\.txt$/, /^final\.mdl$/];

/** Whether a model, and so its folder, can have this name. */
export function isModelName(name: string): boolean {
  return NAME.test(name) && name.length <= NAME_CHARACTERS_MAX;
}

/**
 * Every folder below `modelsDir`, by name; none where it does not exist. Folders whose names begin
 * with a dot are no models: pulls work in one. Throws errors of the disk.
 */
export function listInstalled(modelsDir: string): InstalledModel[] {
  return entriesOf(modelsDir)
    .filter(({ name }) => isModelName(name) && isFolder(join(modelsDir, name)))
    .map(({ name }) => {
      const folder = join(modelsDir, name);
      return { name, folder, ...readManifest(folder) };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Whether a folder holds what a recogniser loads. */
export function looksLikeModel(folder: string): boolean {
  const names = entriesOf(folder).map(({ name }) => name);
  const hasFile = names.some((name) => MODEL_FILES.some((pattern) => pattern.test(name)));
  // Vosk's newer layout has its acoustic model a level down.
  return hasFile || (names.includes("am") && entriesOf(join(folder, "am")).some(isFinal));
}

/**
 * Removes the folder of a model, from one moment to the next. Throws `ModelFailure` when there is
 * none, when it is no model, or while it is pulled; and errors of the disk.
 */
export async function removeModel(modelsDir: string, name: string): Promise<void> {
  if (!isModelName(name)) throw new ModelFailure(`${JSON.stringify(name)} is no model's name`);
  const folder = join(modelsDir, name);
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) throw new ModelFailure(`there is no model ${name} in ${modelsDir}`);
  if (found.isSymbolicLink()) {
    throw new ModelFailure(`${folder} is a link: remove it by hand`);
  }
  const isModel =
    found.isDirectory() && (readManifest(folder).manifest !== null || looksLikeModel(folder));
  if (!isModel) throw new ModelFailure(`${folder} holds no model: it stays as it is`);
  const lock = await takeLock(modelsDir, name);
  try {
    const aside = join(workFolder(modelsDir), randomName(name, "removed"));
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
  } finally {
    await lock.release();
  }
}

function isFinal({ name }: Dirent): boolean {
  return name === "final.mdl";
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      "code" in error &&
      (error.code === "ENOENT" || error.code === "ENOTDIR");
    if (isMissing) return [];
    throw error;
  }
}
