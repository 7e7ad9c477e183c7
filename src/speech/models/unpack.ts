import { createReadStream } from "node:fs";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveEntry } from "./archive-entry.ts";
import { unfoldBzip2 } from "./bzip2.ts";
import { createNameCheck } from "./entry-names.ts";
import { BrokenArchive } from "./refusal.ts";
import { readTar } from "./tar.ts";
import { readZip } from "./zip.ts";

/** Past any of these an archive is refused, however much of it is unpacked already. */
export interface UnpackLimits {
  /** Files and folders. */
  entriesMax: number;
  /** All that comes out, padding and names too. */
  bytesMax: number;
  /** What comes out for each byte of the archive, once it is more than `ratioFromBytes`. */
  ratioMax: number;
  ratioFromBytes: number;
}

/** Speech models have some dozen files, up to 3 GB, and hardly shrink: these leave them much room. */
export const UNPACK_LIMITS: UnpackLimits = {
  entriesMax: 5_000,
  bytesMax: 16 * 1024 ** 3,
  ratioMax: 100,
  ratioFromBytes: 16 * 1024 ** 2,
};

export interface UnpackDependencies {
  /** Path of a `.tar.bz2` or `.zip`; its first bytes tell which. */
  archive: string;
  /** An empty folder; what is in it after an error is to be removed. */
  folder: string;
  limits: UnpackLimits;
  signal: AbortSignal;
  /** How much of the archive is done. */
  onProgress(doneBytes: number, totalBytes: number): void;
}

const READ_BYTES = 256 * 1024;

/**
 * Unpacks an archive and returns the folder in which its content is: `folder`, or where the archive
 * has just one folder at its top, that one. Nothing can land outside `folder`, no links are made,
 * and no rights are taken over (so neither setuid nor executable bits). Throws `BrokenArchive`, what
 * `signal` says when aborted, and errors of the disk.
 */
export async function unpackArchive(dependencies: UnpackDependencies): Promise<string> {
  const { archive, folder, limits, signal } = dependencies;
  const { size } = await stat(archive);
  const count = createCount(limits, size);
  const names = createNameCheck();
  for await (const entry of await entriesOf(dependencies, size, count.add)) {
    count.entry();
    signal.throwIfAborted();
    const parts = names.check(entry.name, entry.kind);
    if (parts === null) continue;
    const path = join(folder, ...parts);
    await mkdir(entry.kind === "folder" ? path : join(path, ".."), { recursive: true });
    if (entry.kind === "file") await writeBody(path, entry, signal);
  }
  return topOf(folder);
}

/** `onBytes` hears all that is unfolded, before it is used. */
async function entriesOf(
  { archive, onProgress }: UnpackDependencies,
  archiveBytes: number,
  onBytes: (bytes: number) => void,
): Promise<AsyncIterable<ArchiveEntry>> {
  let doneBytes = 0;
  const onRead = (bytes: number): void => {
    doneBytes += bytes;
    onProgress(Math.min(doneBytes, archiveBytes), archiveBytes);
  };
  const magic = await firstBytes(archive);
  if (magic.startsWith("BZh")) {
    const read = createReadStream(archive, { highWaterMark: READ_BYTES });
    return readTar(heard(unfoldBzip2(heard(read, onRead)), onBytes));
  }
  if (magic.startsWith("PK")) return withHeardBodies(readZip(archive, onRead), onBytes);
  throw new BrokenArchive("the file is neither a .tar.bz2 nor a .zip archive");
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* heard(
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    onBytes(piece.length);
    yield piece;
  }
}

async function* withHeardBodies(
  entries: AsyncIterable<ArchiveEntry>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<ArchiveEntry> {
  for await (const entry of entries) yield { ...entry, body: heard(entry.body, onBytes) };
}

function createCount(limits: UnpackLimits, archiveBytes: number) {
  let entries = 0;
  let bytes = 0;
  return {
    entry: (): void => {
      entries++;
      if (entries > limits.entriesMax) {
        throw new BrokenArchive(`the archive holds more than ${limits.entriesMax} entries`);
      }
    },
    add: (more: number): void => {
      bytes += more;
      const isBomb = bytes > limits.ratioFromBytes && bytes > archiveBytes * limits.ratioMax;
      if (bytes > limits.bytesMax || isBomb) {
        throw new BrokenArchive("the archive unfolds to far more than a model can be");
      }
    },
  };
}

async function writeBody(path: string, entry: ArchiveEntry, signal: AbortSignal): Promise<void> {
  // "x": whatever is there already, a link too, is not written through.
  const file = await open(path, "wx");
  let written = 0;
  try {
    for await (const piece of entry.body) {
      signal.throwIfAborted();
      await file.appendFile(piece);
      written += piece.length;
    }
  } finally {
    await file.close();
  }
  if (written !== entry.bytes) throw new BrokenArchive("the archive is cut short");
}

async function topOf(folder: string): Promise<string> {
  const [first, ...others] = await readdir(folder, { withFileTypes: true });
  return first?.isDirectory() === true && others.length === 0 ? join(folder, first.name) : folder;
}
