import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Readable, pipeline } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { BrokenArray, readRecords } from "../../features/topics/records.ts";
import { type ColumnWishes, chooseColumns, createPostReader } from "./columns.ts";
import { readCsv } from "./csv.ts";
import { type BadLine, type PostSource, type SourcePost, UnreadableSource } from "./source.ts";

const READ_BYTES = 256 * 1024;
const HEAD_BYTES = 8;
const GZIP = Buffer.from("1f8b", "hex");
const ZSTD = Buffer.from("28b52ffd", "hex");
const ZSTD_WINDOW_LOG_MIN = 10;
/** Archives of large sites look further back, up to 2 GiB, which then is what reading them takes. */
const ZSTD_WINDOW_LOG_USUAL = 27;
const ZSTD_WINDOW_LOG_MAX = 31;
const BEGINNING_BYTES = 1024;
const JSON_BEGINNING = /^\uFEFF?\s*[[{]/;

/** How a file is compressed. Only `zstd` finds out that the end is missing, and only it is quick. */
type Packing = "gzip" | "zstd" | "zstd-long" | null;

/** What a line of a file holds, or why it cannot be read. */
export type FileRecord = { line: number; fields: Record<string, unknown> } | BadLine;

/**
 * The posts of a CSV or JSON-lines file (or one JSON array), which may be compressed by zstd or
 * gzip; what it is is seen from its beginning. Read piece by piece in bounded memory. Throws
 * `UnreadableSource`, and errors of the disk.
 */
export async function openFileSource(path: string, wishes: ColumnWishes): Promise<PostSource> {
  const { size } = await stat(path);
  const packing = await packingOf(path);
  let readBytes: () => number = () => 0;
  return {
    read: () => {
      const file = createReadStream(path, { highWaterMark: READ_BYTES });
      readBytes = () => file.bytesRead;
      return postsOf(unpacked(file, packing), wishes);
    },
    total: (done) => {
      const share = size === 0 ? 1 : Math.min(1, readBytes() / size);
      return done === 0 || share === 0 ? null : Math.max(done, Math.round(done / share));
    },
    isEstimated: true,
  };
}

async function packingOf(path: string): Promise<Packing> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.subarray(0, GZIP.length).equals(GZIP)) return "gzip";
    if (!head.subarray(0, ZSTD.length).equals(ZSTD)) return null;
    // The frame header of RFC 8878: a bit says that no window is told, else its size is next.
    const isWindowTold = ((head[4] ?? 0) & 0x20) === 0;
    const windowLog = isWindowTold ? ZSTD_WINDOW_LOG_MIN + ((head[5] ?? 0) >> 3) : 0;
    return windowLog > ZSTD_WINDOW_LOG_USUAL ? "zstd-long" : "zstd";
  } finally {
    await file.close();
  }
}

/** The unpacked bytes of a file. Throws `UnreadableSource` when it is damaged. */
async function* unpacked(
  file: Readable,
  packing: Packing,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* unpacking(file, packing);
  } catch (error) {
    if (packing === null || !(error instanceof Error) || "syscall" in error) throw error;
    throw new UnreadableSource(`the file is damaged: ${error.message}`);
  } finally {
    file.destroy();
  }
}

function unpacking(file: Readable, packing: Packing): AsyncIterable<Uint8Array> {
  if (packing === null) return file;
  if (packing === "zstd") {
    const pieces: ReadableStream<Uint8Array> = Readable.toWeb(file);
    // Its type wants buffers that no two threads share, which those of a file never are.
    const unpack = new DecompressionStream("zstd") as ReadableWritablePair<Uint8Array, Uint8Array>;
    return pieces.pipeThrough(unpack);
  }
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  const stream = packing === "gzip" ? createGunzip() : createZstdDecompress({ params });
  // Errors come out of whoever reads the other end.
  pipeline(file, stream, () => undefined);
  return stream;
}

async function* postsOf(
  bytes: AsyncIterable<Uint8Array>,
  wishes: ColumnWishes,
): AsyncGenerator<SourcePost | BadLine, void, undefined> {
  let read: ReturnType<typeof createPostReader> | null = null;
  for await (const record of recordsOf(bytes)) {
    if ("reason" in record) {
      yield record;
      continue;
    }
    // The first line that can be read says which columns there are.
    read ??= createPostReader(chooseColumns(record.fields, wishes));
    yield read(record.fields, record.line);
  }
}

async function* recordsOf(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<FileRecord, void, undefined> {
  const pieces = bytes[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true) return;
  const all = restOf(first.value, pieces);
  const beginning = new TextDecoder().decode(first.value.subarray(0, BEGINNING_BYTES));
  if (!JSON_BEGINNING.test(beginning)) {
    yield* readCsv(all);
    return;
  }
  try {
    for await (const { line, json } of readRecords(all)) yield jsonRecord(line, json);
  } catch (error) {
    throw error instanceof BrokenArray ? new UnreadableSource(error.message) : error;
  }
}

async function* restOf(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield first;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

function jsonRecord(line: number, json: string | null): FileRecord {
  if (json === null) return { line, reason: "too long" };
  try {
    const fields: unknown = JSON.parse(json);
    if (typeof fields === "object" && fields !== null && !Array.isArray(fields)) {
      return { line, fields: fields as Record<string, unknown> };
    }
    return { line, reason: "no JSON object" };
  } catch {
    return { line, reason: "no JSON" };
  }
}
