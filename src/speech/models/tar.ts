import type { ArchiveEntry } from "./archive-entry.ts";
import { BrokenArchive } from "./refusal.ts";

const RECORD_BYTES = 512;
/** A long name or a list of attributes past this length is refused: names are far shorter. */
const EXTENSION_BYTES_MAX = 64 * 1024;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;

interface Extension {
  name?: string;
  bytes?: number;
}

/**
 * The entries of a tar stream, in order: POSIX.1-1988 ("ustar"), POSIX.1-2001 ("pax") and GNU's long
 * names. A body that is not read is passed over. Links and devices are refused, since no model has
 * them. Throws `BrokenArchive`.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const input = createByteReader(source);
  try {
    yield* entriesOf(input);
  } finally {
    await input.close();
  }
}

async function* entriesOf(input: ByteReader): AsyncGenerator<ArchiveEntry> {
  let extension: Extension = {};
  for (;;) {
    const header = await input.take(RECORD_BYTES);
    if (header.every((byte) => byte === 0)) break;
    if (header.length < RECORD_BYTES) throw cutShort();
    checkSum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const headerBytes = numberAt(header, 124, 12);
    if (type === "x" || type === "g" || type === "L" || type === "K") {
      const body = await input.take(checkExtensionBytes(headerBytes));
      if (body.length < headerBytes) throw cutShort();
      await input.pass(paddingOf(headerBytes));
      // What "g" says is for all entries and "K" names a link's end: neither is of use here.
      if (type === "L") extension.name = textOf(body);
      if (type === "x") extension = { ...extension, ...attributesOf(body) };
      continue;
    }
    const name = extension.name ?? nameOf(header);
    const bytes = extension.bytes ?? headerBytes;
    extension = {};
    let leftBytes = bytes;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      while (leftBytes > 0) {
        const piece = await input.piece(leftBytes);
        if (piece === null) throw cutShort();
        leftBytes -= piece.length;
        yield piece;
      }
    };
    yield { name, kind: kindOf(type, name), bytes, body: body() };
    await input.pass(leftBytes + paddingOf(bytes));
  }
  // To the very end, so that the checksums of what is around the tar are looked at.
  while ((await input.piece(RECORD_BYTES * RECORD_BYTES)) !== null);
}

function kindOf(type: string, name: string): "file" | "folder" {
  switch (type) {
    case "0":
    case "\0":
    case "7":
      return name.endsWith("/") ? "folder" : "file";
    case "5":
      return "folder";
    case "1":
    case "2":
      throw new BrokenArchive(`the archive holds a link (${JSON.stringify(name)})`);
    case "3":
    case "4":
    case "6":
      throw new BrokenArchive(`the archive holds a device (${JSON.stringify(name)})`);
    default:
      throw new BrokenArchive(
        `the archive holds an entry of the unknown kind ${JSON.stringify(type)} (${JSON.stringify(name)})`,
      );
  }
}

/** Both ways of adding up are in use: of bytes, and of bytes with a sign. */
function checkSum(header: Uint8Array): void {
  let sum = 0;
  let signed = 0;
  for (const [at, byte] of header.entries()) {
    const isSum = at >= CHECKSUM_AT && at < CHECKSUM_AT + CHECKSUM_BYTES;
    const value = isSum ? 0x20 : byte;
    sum += value;
    signed += value > 127 ? value - 256 : value;
  }
  const said = numberAt(header, CHECKSUM_AT, CHECKSUM_BYTES);
  if (said !== sum && said !== signed) throw new BrokenArchive("the file is not a tar archive");
}

/** Digits of base 8, or with the highest bit set a binary number as GNU writes large ones. */
function numberAt(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  const first = field[0] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = Buffer.from(field).toString("latin1").replaceAll("\0", " ").trim();
    if (!/^[0-7]*$/.test(digits)) throw new BrokenArchive("the tar archive is broken");
    return digits === "" ? 0 : Number.parseInt(digits, 8);
  }
  let value = first & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw new BrokenArchive("the tar archive is broken");
  return value;
}

function nameOf(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  // GNU's own header has other things where the first part of the name stands in POSIX's.
  const isPosix = Buffer.from(header.subarray(257, 263)).toString("latin1") === "ustar\0";
  const prefix = isPosix ? textOf(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Records of "LENGTH KEY=VALUE\n"; LENGTH counts itself and is in bytes. */
function attributesOf(body: Uint8Array): Extension {
  const found: Extension = {};
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const length = Number(Buffer.from(body.subarray(at, space)).toString("latin1"));
    const record = body.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (space < 0 || !Number.isInteger(length) || length < 5 || equals < 0) {
      throw new BrokenArchive("the tar archive is broken");
    }
    const key = Buffer.from(record.subarray(0, equals)).toString("latin1");
    const value = decodeText(record.subarray(equals + 1));
    if (key.startsWith("GNU.sparse")) {
      throw new BrokenArchive("the archive holds a file with holes");
    }
    if (key === "path") found.name = value;
    if (key === "size") {
      found.bytes = Number(value);
      if (!/^\d+$/.test(value) || !Number.isSafeInteger(found.bytes)) {
        throw new BrokenArchive("the tar archive is broken");
      }
    }
    at += length;
  }
  return found;
}

/** Text that ends at the first NUL. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end));
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new BrokenArchive("the archive holds a name that is not UTF-8");
  }
}

function checkExtensionBytes(bytes: number): number {
  if (bytes > EXTENSION_BYTES_MAX) throw new BrokenArchive("the archive holds a name without end");
  return bytes;
}

function paddingOf(bytes: number): number {
  return (RECORD_BYTES - (bytes % RECORD_BYTES)) % RECORD_BYTES;
}

function cutShort(): BrokenArchive {
  return new BrokenArchive("the archive is cut short");
}

type ByteReader = ReturnType<typeof createByteReader>;

/** Cuts a stream of pieces anew. */
function createByteReader(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  /** The next bytes that are there, at least one and at most `bytesMax`; null at the end. */
  async function piece(bytesMax: number): Promise<Uint8Array | null> {
    while (rest.length === 0) {
      const { value, done } = await pieces.next();
      if (done === true) return null;
      rest = value;
    }
    const taken = rest.subarray(0, bytesMax);
    rest = rest.subarray(taken.length);
    return taken;
  }

  /** Exactly so many bytes, fewer only at the end. */
  async function take(bytes: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let leftBytes = bytes;
    while (leftBytes > 0) {
      const part = await piece(leftBytes);
      if (part === null) break;
      parts.push(part);
      leftBytes -= part.length;
    }
    return Buffer.concat(parts);
  }

  async function pass(bytes: number): Promise<void> {
    let leftBytes = bytes;
    while (leftBytes > 0) {
      const part = await piece(leftBytes);
      if (part === null) throw cutShort();
      leftBytes -= part.length;
    }
  }

  return { piece, take, pass, close: () => pieces.return?.() };
}
