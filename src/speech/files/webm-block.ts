import { readVint } from "./ebml.ts";

/** Track number of at most 8 bytes, time and flags. */
export const BLOCK_HEAD_BYTES_MAX = 11;

/** The track that a block belongs to, by its first bytes; null when they do not say. */
export function trackOf(block: Uint8Array): number | null {
  return readVint(block)?.value ?? null;
}

/**
 * Cuts the body of a `SimpleBlock` or `Block` into packets (RFC 9559, sections 10.1 to 10.3);
 * none when its lacing contradicts itself.
 */
export function readBlock(block: Uint8Array): Uint8Array[] {
  const trackBytes = readVint(block)?.bytes ?? block.length;
  const flags = block[trackBytes + 2] ?? 0;
  const body = block.subarray(trackBytes + 3);
  const lacing = (flags >> 1) & 0x03;
  if (lacing === 0) return [body];
  const count = (body[0] ?? 0) + 1;
  const laced = body.subarray(1);
  if (lacing === 1) return cutXiph(laced, count);
  if (lacing === 3) return cutEbml(laced, count);
  const bytes = laced.length / count;
  return Number.isInteger(bytes)
    ? cut(
        laced,
        Array.from({ length: count }, () => bytes),
      )
    : [];
}

/** Cuts bytes that begin with the lengths of all packets but the last, as Xiph writes them. */
export function cutXiph(laced: Uint8Array, count: number): Uint8Array[] {
  const lengths: number[] = [];
  let at = 0;
  while (lengths.length < count - 1) {
    let length = 0;
    let byte = 255;
    while (byte === 255) {
      if (at >= laced.length) return [];
      byte = laced[at] ?? 0;
      length += byte;
      at += 1;
    }
    lengths.push(length);
  }
  return cutWithLast(laced.subarray(at), lengths);
}

/** As `cutXiph`, with the first length and the differences between them as numbers of EBML. */
function cutEbml(laced: Uint8Array, count: number): Uint8Array[] {
  const lengths: number[] = [];
  let at = 0;
  while (lengths.length < count - 1) {
    const number = readVint(laced.subarray(at));
    if (number === null || number.value === null) return [];
    at += number.bytes;
    const bias = 2 ** (7 * number.bytes - 1) - 1;
    const previous = lengths.at(-1);
    lengths.push(previous === undefined ? number.value : previous + number.value - bias);
  }
  return cutWithLast(laced.subarray(at), lengths);
}

function cutWithLast(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const last = bytes.length - lengths.reduce((total, length) => total + length, 0);
  return cut(bytes, [...lengths, last]);
}

function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  if (lengths.some((length) => length < 0)) return [];
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}
