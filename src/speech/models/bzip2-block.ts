import { BrokenArchive } from "./refusal.ts";

/** What one block unfolds to at most, before its runs are written out. */
export const BZIP2_BLOCK_BYTES_MAX = 900_000;
const SELECTORS_MAX = 18_002;
const TABLES_MAX = 6;
const TABLE_GROUP = 50;
const CODE_BITS_MAX = 20;
const SYMBOLS_MAX = 258;
/** Codes up to this long are found by one look into a table. */
const FAST_BITS = 10;

/** Reads bits, the highest of a byte first. Throws `BrokenArchive` past the end of the data. */
export interface BitReader {
  /** The next `bits` bits, at most 24. */
  read(bits: number): number;
  /** The same without taking them; zeros stand in for what lies past the end. */
  peek(bits: number): number;
  /** Takes bits that were looked at. */
  skip(bits: number): void;
}

/**
 * Reads blocks of bzip2, one at a time: `read`, then `unfold` until it gives nothing more.
 * `crc` is the checksum of what was unfolded.
 */
export function createBlockReader(input: BitReader) {
  const crcs = crcTable();
  const chain = new Uint32Array(BZIP2_BLOCK_BYTES_MAX);
  const selectors = new Uint8Array(SELECTORS_MAX);
  const tables = Array.from({ length: TABLES_MAX }, createCodeTable);
  const used = new Uint8Array(256);
  const recent = new Uint8Array(256);
  const counts = new Uint32Array(256);
  let left = 0;
  let position = 0;
  let run = 0;
  let last = -1;
  let repeats = 0;
  let crc = 0;

  /** Reads one block, without its magic and checksum, and turns its transform round. */
  function read(bytesMax: number): void {
    if (input.read(1) === 1) throw new BrokenArchive("bzip2 of before 1.0 is not supported");
    const origin = input.read(24);
    const usedCount = readUsed();
    const tableCount = input.read(3);
    if (tableCount < 2 || tableCount > TABLES_MAX) throw broken();
    const selectorCount = readSelectors(tableCount);
    for (const table of tables.slice(0, tableCount)) table.read(input, usedCount + 2);
    const length = readSymbols(usedCount, selectorCount, bytesMax);
    if (origin >= length) throw broken();
    let sum = 0;
    for (let byte = 0; byte < 256; byte++) {
      const count = counts[byte] as number;
      counts[byte] = sum;
      sum += count;
    }
    for (let index = 0; index < length; index++) {
      const byte = (chain[index] as number) & 0xff;
      const place = counts[byte] as number;
      counts[byte] = place + 1;
      chain[place] = (chain[place] as number) | (index << 8);
    }
    left = length;
    position = (chain[origin] as number) >>> 8;
    run = 0;
    last = -1;
    repeats = 0;
    crc = 0xffff_ffff;
  }

  function readUsed(): number {
    const groups = input.read(16);
    let count = 0;
    for (let group = 0; group < 16; group++) {
      if ((groups & (0x8000 >> group)) === 0) continue;
      const bits = input.read(16);
      for (let bit = 0; bit < 16; bit++) {
        if ((bits & (0x8000 >> bit)) !== 0) used[count++] = group * 16 + bit;
      }
    }
    if (count === 0) throw broken();
    return count;
  }

  function readSelectors(tableCount: number): number {
    const count = input.read(15);
    if (count === 0) throw broken();
    const order = [0, 1, 2, 3, 4, 5];
    for (let index = 0; index < count; index++) {
      let place = 0;
      while (input.read(1) === 1) {
        place++;
        if (place >= tableCount) throw broken();
      }
      const [table = 0] = order.splice(place, 1);
      order.unshift(table);
      // Some packers write more selectors than any block can use; those are read and forgotten.
      if (index < SELECTORS_MAX) selectors[index] = table;
    }
    return Math.min(count, SELECTORS_MAX);
  }

  /** Undoes the codes, the run lengths of zeros and "move to front"; fills `chain` with bytes. */
  function readSymbols(usedCount: number, selectorCount: number, bytesMax: number): number {
    for (let index = 0; index < 256; index++) recent[index] = index;
    counts.fill(0);
    const endSymbol = usedCount + 1;
    let length = 0;
    let runLength = 0;
    let runBit = 1;
    for (let group = 0; group < selectorCount; group++) {
      const table = tables[selectors[group] as number];
      if (table === undefined) throw broken();
      for (let index = 0; index < TABLE_GROUP; index++) {
        const symbol = table.next(input);
        if (symbol <= 1) {
          if (runBit > bytesMax) throw broken();
          runLength += runBit << symbol;
          runBit <<= 1;
          continue;
        }
        if (runLength > 0) {
          if (length + runLength > bytesMax) throw broken();
          const byte = used[recent[0] as number] as number;
          counts[byte] = (counts[byte] as number) + runLength;
          chain.fill(byte, length, length + runLength);
          length += runLength;
          runLength = 0;
          runBit = 1;
        }
        if (symbol === endSymbol) return length;
        if (length >= bytesMax) throw broken();
        const place = symbol - 1;
        const moved = recent[place] as number;
        recent.copyWithin(1, 0, place);
        recent[0] = moved;
        const byte = used[moved] as number;
        counts[byte] = (counts[byte] as number) + 1;
        chain[length++] = byte;
      }
    }
    throw broken();
  }

  /** Writes the next bytes of the block and returns how many; 0 when it is over. */
  function unfold(piece: Uint8Array): number {
    let written = 0;
    let sum = crc;
    while (written < piece.length) {
      if (repeats > 0) {
        repeats--;
      } else {
        if (left === 0) break;
        left--;
        const link = chain[position] as number;
        position = link >>> 8;
        const byte = link & 0xff;
        if (run === 4) {
          // Four equal bytes are followed by how many more of them there are.
          run = 0;
          repeats = byte;
          continue;
        }
        run = byte === last ? run + 1 : 1;
        last = byte;
      }
      piece[written++] = last;
      sum = (sum << 8) ^ (crcs[((sum >>> 24) ^ last) & 0xff] as number);
    }
    crc = sum;
    return written;
  }

  return { read, unfold, crc: () => ~crc >>> 0 };
}

/** One Huffman code of a block. */
function createCodeTable() {
  const lengths = new Uint8Array(SYMBOLS_MAX);
  const symbols = new Uint16Array(SYMBOLS_MAX);
  /** By code length: past the last code of it, as if it had the longest length; and where it is. */
  const limits = new Uint32Array(CODE_BITS_MAX + 2);
  const offsets = new Int32Array(CODE_BITS_MAX + 2);
  /** By the next `FAST_BITS` bits: symbol and length of the code they begin with; 0 for longer. */
  const fast = new Uint16Array(1 << FAST_BITS);

  function read(input: BitReader, symbolCount: number): void {
    let length = input.read(5);
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      for (;;) {
        if (length < 1 || length > CODE_BITS_MAX) throw broken();
        if (input.read(1) === 0) break;
        length += input.read(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    fast.fill(0);
    let code = 0;
    let count = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
      offsets[bits] = count - code;
      for (let symbol = 0; symbol < symbolCount; symbol++) {
        if (lengths[symbol] !== bits) continue;
        symbols[count++] = symbol;
        if (bits <= FAST_BITS) {
          const first = code << (FAST_BITS - bits);
          fast.fill((symbol << 4) | bits, first, first + (1 << (FAST_BITS - bits)));
        }
        code++;
      }
      limits[bits] = code << (CODE_BITS_MAX - bits);
      if (code > 1 << bits) throw broken();
      code <<= 1;
    }
  }

  function next(input: BitReader): number {
    const window = input.peek(CODE_BITS_MAX);
    const found = fast[window >>> (CODE_BITS_MAX - FAST_BITS)] as number;
    if (found !== 0) {
      input.skip(found & 15);
      return found >>> 4;
    }
    let bits = 1;
    while (bits <= CODE_BITS_MAX && window >= (limits[bits] as number)) bits++;
    if (bits > CODE_BITS_MAX) throw broken();
    input.skip(bits);
    return symbols[(window >>> (CODE_BITS_MAX - bits)) + (offsets[bits] as number)] as number;
  }

  return { read, next };
}

function broken(): BrokenArchive {
  return new BrokenArchive("the bzip2 data is broken");
}

/** The table of CRC-32 with the polynomial 0x04c11db7, the highest bit first. */
function crcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, index) => {
    let sum = index << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ 0x04c1_1db7 : sum << 1;
    return sum;
  });
}
