import { BZIP2_BLOCK_BYTES_MAX, createBlockReader } from "./bzip2-block.ts";
import { BrokenArchive } from "./refusal.ts";

/** What a generator hands on at once; a block that unfolds to more comes in several pieces. */
const PIECE_BYTES = 256 * 1024;
const CODE_BITS_MAX = 20;
/** Past this many bytes no block can go on: every symbol with the longest code, and the tables. */
const BLOCK_BYTES_MAX = ((BZIP2_BLOCK_BYTES_MAX + 1) * CODE_BITS_MAX) / 8 + 64 * 1024;
const BLOCK_MAGIC = [0x314159, 0x265359];
const END_MAGIC = [0x177245, 0x385090];

/**
 * Unfolds a bzip2 stream (Julian Seward's format of 1996, as written down in "BZIP2: Format
 * Specification" by Joe Tsai, 2016), also several one after the other, as parallel packers write
 * them. Memory stays under 8 MB whatever comes; all checksums are checked.
 *
 * Ours, since the packaged readers hold a whole block as a list of numbers, of up to 46 million.
 * Throws `BrokenArchive`; what came before it is not to be trusted.
 */
export async function* unfoldBzip2(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const input = createBitReader(source);
  try {
    yield* streamsOf(input);
  } finally {
    await input.close();
  }
}

async function* streamsOf(input: ReturnType<typeof createBitReader>): AsyncGenerator<Uint8Array> {
  const block = createBlockReader(input);
  const piece = new Uint8Array(PIECE_BYTES);
  let streams = 0;
  while (await input.fill()) {
    if (input.read(24) !== 0x425a68) {
      throw new BrokenArchive(
        streams === 0 ? "the file is not bzip2" : "bytes follow the end of the bzip2 data",
      );
    }
    const level = input.read(8) - 0x30;
    if (level < 1 || level > 9) throw new BrokenArchive("the file is not bzip2");
    let streamCrc = 0;
    for (;;) {
      await input.fill();
      const magic = [input.read(24), input.read(24)];
      const crc = input.read32();
      if (magic[0] === END_MAGIC[0] && magic[1] === END_MAGIC[1]) {
        if (crc !== streamCrc) throw new BrokenArchive("the bzip2 checksum does not fit");
        break;
      }
      if (magic[0] !== BLOCK_MAGIC[0] || magic[1] !== BLOCK_MAGIC[1]) {
        throw new BrokenArchive("the bzip2 data is broken");
      }
      block.read(level * (BZIP2_BLOCK_BYTES_MAX / 9));
      for (;;) {
        const bytes = block.unfold(piece);
        if (bytes === 0) break;
        yield piece.slice(0, bytes);
      }
      if (block.crc() !== crc) throw new BrokenArchive("the bzip2 checksum does not fit");
      streamCrc = ((streamCrc << 1) | (streamCrc >>> 31)) >>> 0;
      streamCrc = (streamCrc ^ crc) >>> 0;
    }
    input.align();
    streams++;
  }
  if (streams === 0) throw new BrokenArchive("the file is empty");
}

/** Reads bits, the highest of a byte first. */
function createBitReader(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]();
  let bytes: Uint8Array = new Uint8Array(0);
  let at = 0;
  let held = 0;
  let heldBits = 0;

  /** Gets what the next block may need at most; false when nothing is left. */
  async function fill(): Promise<boolean> {
    if (bytes.length - at < BLOCK_BYTES_MAX) {
      const parts = [bytes.subarray(at)];
      let total = bytes.length - at;
      while (total < BLOCK_BYTES_MAX) {
        const { value, done } = await pieces.next();
        if (done === true) break;
        parts.push(value);
        total += value.length;
      }
      if (parts.length > 1) {
        bytes = Buffer.concat(parts);
        at = 0;
      }
    }
    return heldBits > 0 || at < bytes.length;
  }

  /** At most 24 bits. */
  function read(bits: number): number {
    while (heldBits < bits) {
      const byte = bytes[at++];
      if (byte === undefined) throw new BrokenArchive("the bzip2 data ends too early");
      held = (held << 8) | byte;
      heldBits += 8;
    }
    heldBits -= bits;
    return (held >>> heldBits) & ((1 << bits) - 1);
  }

  /** The next `bits` bits without taking them; zeros stand in for what lies past the end. */
  function peek(bits: number): number {
    while (heldBits < bits) {
      held = (held << 8) | (bytes[at++] ?? 0);
      heldBits += 8;
    }
    return (held >>> (heldBits - bits)) & ((1 << bits) - 1);
  }

  function skip(bits: number): void {
    heldBits -= bits;
    if (at - (heldBits >> 3) > bytes.length) {
      throw new BrokenArchive("the bzip2 data ends too early");
    }
  }

  return {
    fill,
    close: () => pieces.return?.(),
    read,
    peek,
    skip,
    read32: () => ((read(16) << 16) | read(16)) >>> 0,
    /** Goes on to the next whole byte. */
    align: () => {
      heldBits -= heldBits % 8;
      // Whole bytes that were taken early go back, so that the end of the data is seen as such.
      at -= heldBits >> 3;
      heldBits = 0;
    },
  };
}
