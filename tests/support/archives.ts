// Archives as tests need them, also such as no honest program writes.

import { crc32 } from "node:zlib";
import { packBzip2 } from "./bzip2.ts";

export interface TestEntry {
  name: string;
  body?: string | Uint8Array;
  /** The type of a tar entry. */
  type?: string;
  mode?: number;
  /** The upper half of a zip entry's attributes: kind and rights in the Unix way. */
  unix?: number;
  /** What the header says instead of the length of the body. */
  bytes?: number;
  linkTo?: string;
}

const RECORD_BYTES = 512;

/** A tar archive in the POSIX format. */
export function tar(entries: readonly TestEntry[]): Uint8Array {
  return Buffer.concat([...entries.flatMap(tarRecords), Buffer.alloc(2 * RECORD_BYTES)]);
}

/** The same, packed as sherpa's models are. */
export function tarBz2(entries: readonly TestEntry[]): Uint8Array {
  return packBzip2(tar(entries));
}

/** The header and body of one entry. */
export function tarRecords(entry: TestEntry): Uint8Array[] {
  const body = bytesOf(entry.body);
  const header = Buffer.alloc(RECORD_BYTES);
  header.write(entry.name.slice(0, 100), 0);
  header.write(octal(entry.mode ?? 0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(entry.bytes ?? body.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write("        ", 148);
  header.write(entry.type ?? (entry.name.endsWith("/") ? "5" : "0"), 156);
  header.write(entry.linkTo ?? "", 157);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  const padding = Buffer.alloc((RECORD_BYTES - (body.length % RECORD_BYTES)) % RECORD_BYTES);
  return [header, body, padding];
}

/** An extended header of the POSIX format, for the entry that follows it. */
export function paxHeader(attributes: Record<string, string>): TestEntry {
  const records = Object.entries(attributes).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest) + 1;
    while (Buffer.byteLength(`${length}${rest}`) !== length) length++;
    return `${length}${rest}`;
  });
  return { name: "PaxHeader", type: "x", body: records.join("") };
}

/** A zip archive whose files are stored as they are. */
export function zip(entries: readonly TestEntry[]): Uint8Array {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const body = bytesOf(entry.body);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x0800, 2);
    shared.writeUInt32LE(crc32(body), 10);
    shared.writeUInt32LE(body.length, 14);
    shared.writeUInt32LE(entry.bytes ?? body.length, 18);
    shared.writeUInt16LE(name.length, 22);
    locals.push(Buffer.from("PK\u0003\u0004"), shared, name, Buffer.from(body));
    const more = Buffer.alloc(14);
    more.writeUInt32LE((entry.unix ?? 0) * 0x1_0000, 6);
    more.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\u0001\u0002"), Buffer.from([20, 3]), shared, more, name);
    at += 4 + shared.length + name.length + body.length;
  }
  const directoryBytes = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directoryBytes.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...locals, directoryBytes, Buffer.from("PK\u0005\u0006"), end]);
}

function bytesOf(body: string | Uint8Array | undefined): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array(0));
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
