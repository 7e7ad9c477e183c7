import { accessSync, constants, mkdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EngineMissing } from "./engine-missing.ts";
import { privateFolder } from "./private-folder.ts";

// A binary carries the recogniser's library and model as one compressed archive. Neither can be used
// from inside it: they are written out when a recogniser is first needed, and found there afterwards.

/** How the archive begins to be called; the bundler puts the hash of what is in it behind. */
export const PACKED_PREFIX = "recogniser.tar";
/** What the archive calls its parts. */
export const PACKED_LIBRARY = "library";
export const PACKED_MODEL = "model";
/** Names and sizes of everything in it: a file that a power cut has shortened is written anew. */
const PACKED_SIZES = "sizes.json";

const FOLDER_PREFIX = ".bundled-";
/** What nobody has begun to use for so long goes when another version unpacks its own. */
const UNUSED_MS = 3_600_000;

type Named = Blob & { name: string };

/** The archive in this binary; null when there is none, as from source. */
function findPacked(): Named | null {
  const files = Bun.embeddedFiles as readonly Named[];
  return files.find(({ name }) => name.startsWith(PACKED_PREFIX)) ?? null;
}

/**
 * Where the archive's parts are, or will be once `unpack` has run: in `folder`, or in this user's
 * temporary one where that cannot be written. Null when there is no archive.
 */
export function packedFolder(folder: string): string | null {
  const packed = findPacked();
  if (packed === null) return null;
  const [mark = "0"] = packed.name.slice(PACKED_PREFIX.length + 1).split(".");
  const name = `${FOLDER_PREFIX}${mark}`;
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return join(folder, name);
  } catch {
    return join(privateFolderOr(folder), name);
  }
}

function privateFolderOr(folder: string): string {
  try {
    return privateFolder("vosk");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new EngineMissing(
      `MODELS_DIR: ${folder} cannot be written, nor can the temporary folder: ${why}`,
    );
  }
}

/** Writes the archive's parts into a folder, unless they are there. Many may do so at once. */
export async function unpack(folder: string): Promise<void> {
  if (isWhole(folder)) {
    // It is in use, whatever another version thinks of it.
    await utimes(folder, new Date(), new Date()).catch(() => undefined);
    return;
  }
  const packed = findPacked();
  if (packed === null) throw new Error("this program carries no recogniser");
  const draft = await mkdtemp(join(dirname(folder), `${FOLDER_PREFIX}draft-`));
  try {
    const tar = await Bun.zstdDecompress(await packed.arrayBuffer());
    const archive = new Bun.Archive(tar);
    const sizes: Record<string, number> = {};
    for (const [name, file] of await archive.files()) sizes[name] = file.size;
    await archive.extract(draft);
    await writeFile(join(draft, PACKED_SIZES), JSON.stringify(sizes));
    if (isWhole(folder)) return;
    // What stands there is broken, or from nobody who is still at work on it.
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder).catch((error: unknown) => {
      // Another worker was quicker.
      if (!isWhole(folder)) throw error;
    });
    // What cannot be removed, as somebody else's cannot, is in nobody's way.
    await removeOthers(folder).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** What other versions have unpacked beside it; one that still runs unpacks its own again at need. */
async function removeOthers(folder: string): Promise<void> {
  const parent = dirname(folder);
  const oldest = Date.now() - UNUSED_MS;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(FOLDER_PREFIX) || name === basename(folder)) continue;
    const other = join(parent, name);
    // Another worker may have been quicker with it.
    const { mtimeMs } = await stat(other).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < oldest) await rm(other, { recursive: true, force: true });
  }
}

function isWhole(folder: string): boolean {
  try {
    const sizes = JSON.parse(readFileSync(join(folder, PACKED_SIZES), "utf8")) as object;
    return Object.entries(sizes).every(
      ([name, size]) => statSync(join(folder, name)).size === size,
    );
  } catch {
    return false;
  }
}
