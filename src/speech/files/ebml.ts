import { UnsupportedAudio } from "../audio.ts";
import type { ByteQueue } from "./byte-queue.ts";

/** The head of an element. */
export interface EbmlHead {
  id: number;
  /** Of its body; null when the writer did not know it. */
  bodyBytes: number | null;
  headBytes: number;
}

const ID_BYTES_MAX = 4;
const SIZE_BYTES_MAX = 8;

/**
 * Reads the head of the element at the start of the bytes (RFC 8794, sections 4 to 6), or null
 * when more of them are needed. Throws `UnsupportedAudio` for what no element begins with.
 */
export function readEbmlHead(bytes: Uint8Array): EbmlHead | null {
  const idBytes = lengthOf(bytes[0] ?? 0);
  if (bytes.length > 0 && idBytes > ID_BYTES_MAX) throw brokenEbml();
  if (bytes.length <= idBytes) return null;
  const size = readVint(bytes.subarray(idBytes));
  if (size === null) return null;
  const id = bytes.subarray(0, idBytes).reduce((value, byte) => value * 256 + byte, 0);
  return { id, bodyBytes: size.value, headBytes: idBytes + size.bytes };
}

/**
 * Reads a number of variable length (RFC 8794, section 4), or returns null when more bytes are
 * needed; its value is null when all its bits are set, which means unknown.
 */
export function readVint(bytes: Uint8Array): { value: number | null; bytes: number } | null {
  const first = bytes[0];
  if (first === undefined) return null;
  const count = lengthOf(first);
  if (count > SIZE_BYTES_MAX) throw brokenEbml();
  if (bytes.length < count) return null;
  const start = first & (0xff >> count);
  const rest = bytes.subarray(1, count);
  const isUnknown = start === 0xff >> count && rest.every((byte) => byte === 0xff);
  const value = rest.reduce((total, byte) => total * 256 + byte, start);
  return { value: isUnknown ? null : value, bytes: count };
}

/** Moves past bytes to the next element of the given identifier; false when it has not come yet. */
export function seekElement(queue: ByteQueue, id: readonly number[]): boolean {
  const bytes = queue.view();
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(Buffer.from(id));
  queue.skip(at === -1 ? Math.max(0, bytes.length - id.length + 1) : at);
  return at !== -1;
}

/** The error for bytes that are no EBML. */
export function brokenEbml(): UnsupportedAudio {
  return new UnsupportedAudio("The WebM file is broken.");
}

/** A number's first byte begins with as many zeros as bytes follow it. */
function lengthOf(first: number): number {
  return Math.clz32(first) - 23;
}
