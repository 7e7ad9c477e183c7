import type { ByteQueue } from "./byte-queue.ts";
import { hasText, viewOf } from "./bytes.ts";
import { createCrc } from "./crc.ts";

/** One page; its views hold until the next push. */
export interface OggPage {
  serial: number;
  sequence: number;
  /** Its first packet began on an earlier page. */
  isContinued: boolean;
  /** It begins a logical stream. */
  isFirst: boolean;
  /** Lengths of the segments; a packet ends with the first one under 255. */
  lacing: Uint8Array;
  body: Uint8Array;
}

const HEADER_BYTES = 27;
const CAPTURE = "OggS";
/**
 * So often a page's body may hold the capture pattern, by chance once in 2^32 bytes; past it the
 * page is taken for broken. It keeps the search linear in hostile streams.
 */
const FALSE_CAPTURES_MAX = 4;

/**
 * Returns a function that gives the next whole page (RFC 3533, section 6), or null when more
 * bytes are needed. Pages whose checksum is wrong are passed over.
 */
export function createOggPages(queue: ByteQueue): () => OggPage | null {
  const crc = createCrc(32, 0x04c11db7);
  const noCrc = new Uint8Array(4);

  function passOver(): void {
    const at = indexOfCapture(queue.view(), 1);
    // The last three bytes may be the start of a capture pattern.
    queue.skip(at === -1 ? Math.max(1, queue.length() - CAPTURE.length + 1) : at);
  }

  function isSound(page: Uint8Array): boolean {
    let captures = 0;
    let at = indexOfCapture(page, 1);
    while (at !== -1) {
      captures += 1;
      if (captures > FALSE_CAPTURES_MAX) return false;
      at = indexOfCapture(page, at + 1);
    }
    const stated = viewOf(page).getUint32(22, true);
    const start = crc(noCrc, crc(page.subarray(0, 22), 0));
    return crc(page.subarray(26), start) === stated;
  }

  return () => {
    for (;;) {
      const head = queue.peek(HEADER_BYTES);
      if (head === null) return null;
      const segments = head[26] ?? 0;
      if (!hasText(head, 0, CAPTURE) || head[4] !== 0) {
        passOver();
        continue;
      }
      const table = queue.peek(HEADER_BYTES + segments);
      if (table === null) return null;
      const lacing = table.subarray(HEADER_BYTES);
      const page = queue.peek(table.length + sum(lacing));
      if (page === null) return null;
      if (!isSound(page)) {
        passOver();
        continue;
      }
      queue.skip(page.length);
      const flags = head[5] ?? 0;
      return {
        serial: viewOf(page).getUint32(14, true),
        sequence: viewOf(page).getUint32(18, true),
        isContinued: (flags & 1) !== 0,
        isFirst: (flags & 2) !== 0,
        lacing,
        body: page.subarray(table.length),
      };
    }
  };
}

function indexOfCapture(bytes: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(CAPTURE, from);
}

function sum(lengths: Uint8Array): number {
  return lengths.reduce((total, length) => total + length, 0);
}
