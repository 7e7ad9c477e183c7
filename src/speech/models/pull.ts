import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CatalogueEntry } from "./catalogue.ts";
import { type Downloaded, download } from "./download.ts";
import { makeWorkFolder, putInPlace, randomName, tidy } from "./folders.ts";
import { looksLikeModel } from "./installed.ts";
import { takeLock } from "./lock.ts";
import { type ModelManifest, readManifest, writeManifest } from "./manifest.ts";
import { removePart } from "./part.ts";
import { BrokenArchive, ModelFailure } from "./refusal.ts";
import { type UnpackLimits, unpackArchive } from "./unpack.ts";

/** Hears how a pull goes on. */
export interface PullWatcher {
  /** `totalBytes` null: the server does not say. */
  onDownload(doneBytes: number, totalBytes: number | null): void;
  onRetry(reason: string): void;
  /** In bytes of the archive. */
  onUnpack(doneBytes: number, totalBytes: number): void;
}

export interface PullDependencies {
  entry: CatalogueEntry;
  modelsDir: string;
  /** Where the archive's file is fetched from instead of its own address; null for that. */
  mirror: string | null;
  limits: UnpackLimits;
  /** The first pause before a retry, and the longest silence of a connection. */
  retryMs: number;
  idleMs: number;
  now(): number;
  signal: AbortSignal;
  watcher: PullWatcher;
}

export interface Pulled {
  manifest: ModelManifest;
  folder: string;
  /** `published`: the archive is the very one; `recorded`: nothing to compare with, until now. */
  checksum: "published" | "same" | "recorded";
  /** False when the very archive had been installed before. */
  isNew: boolean;
}

/**
 * Installs a model: its folder appears at once and complete, and a model that was there before stays
 * until then. Throws `ModelFailure`, what `signal` says when aborted, and errors of the disk; what
 * was downloaded stays for the next pull, unless it turned out to be wrong.
 */
export async function pullModel(dependencies: PullDependencies): Promise<Pulled> {
  const { entry, modelsDir } = dependencies;
  const folder = join(modelsDir, entry.name);
  const lock = await takeLock(modelsDir, entry.name);
  try {
    await tidy(modelsDir, entry.name);
    const before = readManifest(folder).manifest;
    if (before !== null && before.sha256 === entry.sha256) {
      return { manifest: before, folder, checksum: "published", isNew: false };
    }
    const part = join(await makeWorkFolder(modelsDir), `${entry.name}.part`);
    const recorded = before?.address === entry.address ? before.sha256 : null;
    try {
      const got = await fetchArchive(dependencies, part);
      checkArchive(entry, recorded, got);
      const manifest = manifestOf(entry, got, dependencies.now());
      await installArchive(dependencies, part, manifest);
      await removePart(part);
      const unpublished = recorded === null ? "recorded" : "same";
      return {
        manifest,
        folder,
        checksum: entry.sha256 === null ? unpublished : "published",
        isNew: true,
      };
    } catch (error) {
      // What is wrong as a whole does not get better by going on from it.
      if (error instanceof BrokenArchive) await removePart(part);
      throw error;
    }
  } finally {
    await lock.release();
  }
}

function fetchArchive(dependencies: PullDependencies, part: string): Promise<Downloaded> {
  const { entry, mirror, retryMs, idleMs, signal, watcher } = dependencies;
  return download({
    address: mirror === null ? entry.address : mirrored(entry.address, mirror),
    part,
    isChecked: entry.sha256 !== null,
    retryMs,
    idleMs,
    signal,
    onProgress: watcher.onDownload,
    onRetry: watcher.onRetry,
  });
}

/** The address of the same file in a mirror, a web address with or without a slash at its end. */
function mirrored(address: string, mirror: string): string {
  const url = new URL(mirror);
  const file = new URL(address).pathname.split("/").at(-1) ?? "";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${file}`;
  return url.href;
}

function checkArchive(entry: CatalogueEntry, recorded: string | null, got: Downloaded): void {
  const wanted = entry.sha256 ?? recorded;
  if (wanted === null || wanted === got.sha256) return;
  const advice =
    entry.sha256 === null
      ? `it was ${wanted} at the first pull; if the change is meant, remove the model first (earshot models rm ${entry.name})`
      : `the published checksum is ${wanted}`;
  throw new BrokenArchive(
    `the archive of ${entry.name} is not the one it should be: sha256 ${got.sha256}, ${advice}`,
  );
}

function manifestOf(entry: CatalogueEntry, got: Downloaded, now: number): ModelManifest {
  const { name, engine, languages, streaming, licence, address } = entry;
  return {
    name,
    engine,
    languages: [...languages],
    streaming,
    licence,
    address,
    sha256: got.sha256,
    bytes: got.bytes,
    installed_at: now,
  };
}

async function installArchive(
  { entry, modelsDir, limits, signal, watcher }: PullDependencies,
  archive: string,
  manifest: ModelManifest,
): Promise<void> {
  const room = join(await makeWorkFolder(modelsDir), randomName(entry.name, "unpacked"));
  const folder = join(room, "model");
  // Nobody else may look in, or put something in, while it is unpacked.
  await mkdir(room, { mode: 0o700 });
  try {
    await mkdir(folder);
    const top = await unpackArchive({
      archive,
      folder,
      limits,
      signal,
      onProgress: watcher.onUnpack,
    });
    if (!looksLikeModel(top)) throw new BrokenArchive("the archive holds no speech model");
    await writeManifest(top, manifest);
    signal.throwIfAborted();
    await putInPlace(modelsDir, entry.name, top);
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

/** The entry of this name. Throws `ModelFailure` naming what there is. */
export function entryNamed(catalogue: readonly CatalogueEntry[], name: string): CatalogueEntry {
  const found = catalogue.find((entry) => entry.name === name);
  if (found === undefined) {
    throw new ModelFailure(
      `there is no model ${JSON.stringify(name)} in the catalogue (earshot models list)`,
    );
  }
  return found;
}
