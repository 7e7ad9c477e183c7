import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { type Static, Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

const Origin = t.Object({
  address: t.String(),
  /** A strong one, or null. */
  etag: t.Union([t.String(), t.Null()]),
  lastModified: t.Union([t.String(), t.Null()]),
  totalBytes: t.Union([t.Integer({ minimum: 0 }), t.Null()]),
});

/** Where a half-finished file comes from, and which version of it. */
export type Origin = Static<typeof Origin>;

/** A file that grows, and outlives the process that writes it. */
export interface Part {
  bytes(): number;
  /** Null for an empty one. */
  origin(): Origin | null;
  append(piece: Uint8Array): Promise<void>;
  /** Empties it for a file of this origin. */
  restart(origin: Origin): Promise<void>;
  /** Of all that is in it, in hexadecimal digits. Ends the part: nothing can follow. */
  sha256(): string;
  close(): Promise<void>;
}

const READ_BYTES = 1024 * 1024;

/** Opens what is there at `path` and reads it for its checksum. Throws errors of the disk. */
export async function openPart(path: string, signal: AbortSignal): Promise<Part> {
  const file = await open(path, "a+");
  try {
    let origin = await readOrigin(path);
    let hash = createHash("sha256");
    let bytes = (await file.stat()).size;
    if (origin === null && bytes > 0) {
      await file.truncate(0);
      bytes = 0;
    }
    if (bytes > 0) {
      const read = createReadStream(path, { highWaterMark: READ_BYTES, end: bytes - 1 });
      for await (const piece of read) {
        signal.throwIfAborted();
        hash.update(piece);
      }
    }
    return {
      bytes: () => bytes,
      origin: () => origin,
      append: async (piece) => {
        await file.appendFile(piece);
        hash.update(piece);
        bytes += piece.length;
      },
      restart: async (next) => {
        // In this order: bytes never stand beside the origin of others.
        if (bytes > 0) await file.truncate(0);
        await writeFile(originPath(path), JSON.stringify(next));
        hash = createHash("sha256");
        bytes = 0;
        origin = next;
      },
      sha256: () => hash.digest("hex"),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Removes a half-finished file and what is known of it. */
export async function removePart(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(originPath(path), { force: true });
}

function originPath(path: string): string {
  return `${path}.json`;
}

/** Null when nothing is known: then the bytes are worth nothing. */
async function readOrigin(path: string): Promise<Origin | null> {
  try {
    const found: unknown = JSON.parse(await readFile(originPath(path), "utf8"));
    return Value.Check(Origin, found) ? found : null;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing || error instanceof SyntaxError) return null;
    throw error;
  }
}
