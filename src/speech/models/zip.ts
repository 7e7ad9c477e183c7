import { crc32 } from "node:zlib";
import { type Entry, type ZipFile, openPromise } from "yauzl";
import type { ArchiveEntry } from "./archive-entry.ts";
import { BrokenArchive } from "./refusal.ts";

const KIND_BITS = 0o170000;
const KINDS: Readonly<Record<number, "file" | "folder">> = { 0o100000: "file", 0o040000: "folder" };
const LINK = 0o120000;

/**
 * The entries of a zip file (PKWARE's APPNOTE), in the order of its directory. Links, devices and
 * encrypted files are refused, since no model has them; checksums are checked. `onEntry` hears how
 * many bytes of the file each entry took. Throws `BrokenArchive`.
 */
export async function* readZip(
  path: string,
  onEntry: (archiveBytes: number) => void,
): AsyncGenerator<ArchiveEntry> {
  const zip = await reading(
    openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: true }),
  );
  try {
    const entries = zip.eachEntry();
    for (;;) {
      const { value: entry, done } = await reading(entries.next());
      if (done === true) break;
      const kind = kindOf(entry);
      if (kind === "file" && entry.isEncrypted()) {
        throw new BrokenArchive(
          `the archive holds an encrypted file (${JSON.stringify(entry.fileName)})`,
        );
      }
      yield {
        name: entry.fileName,
        kind,
        bytes: entry.uncompressedSize,
        body: bodyOf(zip, entry),
      };
      onEntry(entry.compressedSize);
    }
  } finally {
    zip.close();
  }
}

function kindOf(entry: Entry): "file" | "folder" {
  const bits = (entry.externalFileAttributes >>> 16) & KIND_BITS;
  const name = JSON.stringify(entry.fileName);
  if (bits === LINK) throw new BrokenArchive(`the archive holds a link (${name})`);
  if (bits !== 0 && KINDS[bits] === undefined) {
    throw new BrokenArchive(`the archive holds a device (${name})`);
  }
  return entry.fileName.endsWith("/") ? "folder" : "file";
}

async function* bodyOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  let sum = 0;
  try {
    const stream: AsyncIterable<Buffer> = await zip.openReadStreamPromise(entry);
    for await (const piece of stream) {
      sum = crc32(piece, sum);
      yield piece;
    }
  } catch (error) {
    throw asBroken(error);
  }
  if (sum !== entry.crc32) throw new BrokenArchive("a checksum in the zip file does not fit");
}

async function reading<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw asBroken(error);
  }
}

/** The reader's own errors have no code; those of the disk do and stay what they are. */
function asBroken(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof BrokenArchive) return error;
  const isDisk = "syscall" in error;
  return isDisk ? error : new BrokenArchive(`the zip file is broken: ${error.message}`);
}
