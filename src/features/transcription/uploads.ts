import { Busboy, type BusboyFileStream } from "@fastify/busboy";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { limitedBody } from "../../http/limits.ts";
import { Problem } from "../../http/problem.ts";

/** A form with a file, taken in. */
export interface Upload {
  /** The values of each field, in the order they came. */
  fields: ReadonlyMap<string, readonly string[]>;
  /** The file's bytes, read a little at a time. */
  sound(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Gives the room on the disk back. */
  close(): Promise<void>;
}

export interface Uploads {
  /**
   * Takes in `multipart/form-data` with one file in the field `file`. Throws `invalid`, `too_large`,
   * or `queue_full` when the disk is full.
   */
  receive(request: Request): Promise<Upload>;
  /** Removes what this process has made. */
  close(): void;
}

/** Larger files are refused while they come. */
const UPLOAD_BYTES_MAX = 2 * 1024 * 1024 * 1024;
/** More fields, or longer ones, are refused. */
const FIELDS_MAX = 16;
const FIELD_BYTES_MAX = 64 * 1024;
/** Files in fields that nobody knows are read past; more of them are refused. */
const FILES_MAX = 4;
const PART_HEADER_BYTES_MAX = 8 * 1024;
const PART_HEADERS_MAX = 16;
/** The whole form: the file, the fields and what stands between them. A larger one is refused. */
export const UPLOAD_BODY_BYTES_MAX =
  UPLOAD_BYTES_MAX + (FIELDS_MAX + FILES_MAX) * (FIELD_BYTES_MAX + PART_HEADER_BYTES_MAX);

const FILE_FIELD = "file";
const READ_BYTES = 64 * 1024;
const FILE_MODE = 0o600;
const DISK_RETRY_MS = 60_000;

/**
 * Keeps what is uploaded in a folder beside the database, or in the system's temporary one for a
 * database that is nowhere. A file loses its name as soon as it is open, so that its room on the disk
 * comes back whatever becomes of this process.
 */
export function createUploads(databasePath: string, newId: () => string): Uploads {
  const isBeside = databasePath !== ":memory:";
  const folder = isBeside
    ? join(dirname(databasePath), `${basename(databasePath)}-uploads`)
    : mkdtempSync(join(tmpdir(), "earshot-uploads-"));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Only the name of a file whose process died within a blink is ever left.
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true });

  const openUnnamed = async (): Promise<FileHandle> => {
    const path = join(folder, newId());
    const file = await open(path, "wx+", FILE_MODE);
    rmSync(path, { force: true });
    return file;
  };

  return {
    receive: async (request) => {
      const file = await openUnnamed();
      try {
        const { fields, bytes } = await readForm(request, file);
        if (bytes === null)
          throw wrongField(FILE_FIELD, "The form has no file in the field `file`");
        if (bytes === 0) throw wrongField(FILE_FIELD, "The file is empty");
        return { fields, sound: () => bytesOf(file), close: () => file.close() };
      } catch (error) {
        await file.close();
        throw toldError(error);
      }
    },
    close: () => {
      if (!isBeside) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The problem with one field of a form. */
export function wrongField(name: string, message: string): Problem {
  return new Problem("invalid", message, { errors: [{ path: `/${name}`, message }] });
}

interface Form {
  fields: Map<string, string[]>;
  /** The length of the file; null when there was none. */
  bytes: number | null;
}

/** Parses the form while it comes; the file goes to `file`, as quickly as the disk takes it. */
async function readForm(request: Request, file: FileHandle): Promise<Form> {
  const form: Form = { fields: new Map(), bytes: null };
  const parser = openParser(request.headers.get("content-type") ?? "");
  const stop = new AbortController();
  const parts: BusboyFileStream[] = [];
  let writing: Promise<void> = Promise.resolve();
  let failure: unknown = null;

  const fail = (error: unknown): void => {
    failure ??= error;
    stop.abort();
  };
  const refuse = (message: string): void => fail(new Problem("invalid", message));

  parser.on("file", (name, part) => {
    parts.push(part);
    // It is told by the parser as well; without a listener it would end the process.
    part.on("error", fail);
    if (name !== FILE_FIELD) return void part.resume();
    if (form.bytes !== null) return fail(wrongField(FILE_FIELD, "One file at a time"));
    form.bytes = 0;
    part.on("limit", () => fail(tooLarge()));
    writing = writeAll(part, file, (bytes) => (form.bytes = bytes)).catch(fail);
  });
  parser.on("field", (name, value, _isNameCut, isCut) => {
    if (isCut) return refuse(`A field may have ${FIELD_BYTES_MAX} bytes`);
    if (name === FILE_FIELD)
      return fail(wrongField(FILE_FIELD, "`file` must be a file with a name"));
    const values = form.fields.get(name);
    if (values === undefined) form.fields.set(name, [value]);
    else values.push(value);
  });
  parser.on("fieldsLimit", () => refuse(`A form may have ${FIELDS_MAX} fields`));
  parser.on("filesLimit", () => refuse(`A form may have ${FILES_MAX} files`));

  try {
    const { signal } = stop;
    await pipeline(limitedBody(request, UPLOAD_BODY_BYTES_MAX), parser, { signal });
  } catch (error) {
    failure ??= error;
  }
  if (failure !== null) for (const part of parts) part.destroy();
  await writing;
  if (failure !== null) throw failure;
  return form;
}

function openParser(contentType: string): InstanceType<typeof Busboy> {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new Problem("invalid", "The body must be multipart/form-data with a boundary");
  }
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      limits: {
        fields: FIELDS_MAX,
        fieldSize: FIELD_BYTES_MAX,
        files: FILES_MAX,
        fileSize: UPLOAD_BYTES_MAX,
        headerPairs: PART_HEADERS_MAX,
        headerSize: PART_HEADER_BYTES_MAX,
      },
    });
  } catch {
    throw new Problem("invalid", "The multipart/form-data has no boundary that can be used");
  }
}

async function writeAll(
  part: BusboyFileStream,
  file: FileHandle,
  tell: (bytes: number) => void,
): Promise<void> {
  let at = 0;
  for await (const piece of part as AsyncIterable<Buffer>) {
    for (let from = 0; from < piece.length;) {
      const { bytesWritten } = await file.write(piece, from, piece.length - from, at);
      from += bytesWritten;
      at += bytesWritten;
    }
    tell(at);
  }
}

async function* bytesOf(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; ;) {
    // A new one each time: what was given away is still on its way to the recogniser.
    const piece = new Uint8Array(READ_BYTES);
    const { bytesRead } = await file.read(piece, 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

/** What breaks while a form is read is the sender's doing, but for the disk's. */
function toldError(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new Problem("queue_full", "There is no room on the disk for the file now", {
      retryAfterMs: DISK_RETRY_MS,
    });
  }
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return error;
  return new Problem("invalid", "The multipart/form-data is broken or ends too soon");
}

function tooLarge(): Problem {
  return new Problem("too_large", `A file may have ${UPLOAD_BYTES_MAX} bytes`);
}
