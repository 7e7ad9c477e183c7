/** Bytes that have come and are not read yet, in one row. */
export interface ByteQueue {
  push(bytes: Uint8Array): void;
  /** How many bytes wait. */
  length(): number;
  /** All that waits. The view holds until the next `push`. */
  view(): Uint8Array;
  /** The next `count` bytes, or null while fewer wait. The view holds until the next `push`. */
  peek(count: number): Uint8Array | null;
  /** As `peek`, and moves past them. */
  take(count: number): Uint8Array | null;
  /** Moves past `count` bytes, also past bytes that have yet to come: they are never kept. */
  skip(count: number): void;
}

const CAPACITY_BYTES_MIN = 4096;

/** Creates an empty queue. It grows with what waits; its readers bound that by what they peek. */
export function createByteQueue(): ByteQueue {
  let buffer = new Uint8Array(CAPACITY_BYTES_MIN);
  let start = 0;
  let end = 0;
  let owed = 0;

  function makeRoom(bytes: number): void {
    if (end + bytes <= buffer.length) return;
    const waiting = end - start;
    const isRoomy = (waiting + bytes) * 2 <= buffer.length;
    const next = isRoomy ? buffer : new Uint8Array((waiting + bytes) * 2);
    next.set(buffer.subarray(start, end));
    buffer = next;
    start = 0;
    end = waiting;
  }

  function peek(count: number): Uint8Array | null {
    return end - start < count ? null : buffer.subarray(start, start + count);
  }

  function skip(count: number): void {
    const here = Math.min(count, end - start);
    start += here;
    owed += count - here;
  }

  return {
    push: (bytes) => {
      const skipped = Math.min(owed, bytes.length);
      owed -= skipped;
      const rest = bytes.subarray(skipped);
      makeRoom(rest.length);
      buffer.set(rest, end);
      end += rest.length;
    },
    length: () => end - start,
    view: () => buffer.subarray(start, end),
    peek,
    take: (count) => {
      const bytes = peek(count);
      if (bytes !== null) start += count;
      return bytes;
    },
    skip,
  };
}
