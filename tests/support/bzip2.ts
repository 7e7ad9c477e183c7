// A packer for tests: right, slow and without compression worth the name.

const CODE_BITS = 9;
const GROUP = 50;
const BLOCK_BYTES_MAX = 20_000;

/** Packs bytes as bzip2. */
export function packBzip2(bytes: Uint8Array): Uint8Array {
  const bits: number[] = [];
  const write = (value: number, count: number): void => {
    for (let bit = count - 1; bit >= 0; bit--) bits.push(Math.floor(value / 2 ** bit) % 2);
  };
  write(0x425a6839, 32);
  let streamCrc = 0;
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES_MAX) {
    const block = bytes.subarray(at, at + BLOCK_BYTES_MAX);
    const crc = checksum(block);
    streamCrc = (((streamCrc << 1) | (streamCrc >>> 31)) ^ crc) >>> 0;
    write(0x314159265359, 48);
    write(crc, 32);
    writeBlock(foldRuns(block), write);
  }
  write(0x177245385090, 48);
  write(streamCrc, 32);
  while (bits.length % 8 !== 0) bits.push(0);
  return Uint8Array.from({ length: bits.length / 8 }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((byte, bit) => byte * 2 + bit, 0),
  );
}

function writeBlock(block: Uint8Array, write: (value: number, count: number) => void): void {
  const twice = Buffer.concat([block, block]);
  const order = Array.from(block.keys()).sort((one, other) =>
    Buffer.compare(
      twice.subarray(one, one + block.length),
      twice.subarray(other, other + block.length),
    ),
  );
  write(0, 1);
  write(order.indexOf(0), 24);
  // All 256 bytes count as used, and all codes are equally long.
  write(0xffff, 16);
  for (let group = 0; group < 16; group++) write(0xffff, 16);
  const symbols = symbolsOf(
    order.map((at) => block[(at + block.length - 1) % block.length] as number),
  );
  const selectors = Math.ceil(symbols.length / GROUP);
  write(2, 3);
  write(selectors, 15);
  for (let index = 0; index < selectors; index++) write(0, 1);
  for (let table = 0; table < 2; table++) {
    write(CODE_BITS, 5);
    for (let symbol = 0; symbol < 258; symbol++) write(0, 1);
  }
  for (const symbol of symbols) write(symbol, CODE_BITS);
}

/** "Move to front", and runs of zeros as numbers of the digits 1 and 2. */
function symbolsOf(bytes: number[]): number[] {
  const recent = Array.from({ length: 256 }, (_, byte) => byte);
  const symbols: number[] = [];
  let zeros = 0;
  const endRun = (): void => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) symbols.push((zeros - 1) % 2);
  };
  for (const byte of bytes) {
    const place = recent.indexOf(byte);
    recent.splice(place, 1);
    recent.unshift(byte);
    if (place === 0) {
      zeros++;
      continue;
    }
    endRun();
    symbols.push(place + 1);
  }
  endRun();
  return [...symbols, 257];
}

/** Four equal bytes are followed by how many more of them there are. */
function foldRuns(bytes: Uint8Array): Uint8Array {
  const folded: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] as number;
    let length = 1;
    while (length < 259 && bytes[at + length] === byte) length++;
    folded.push(...Array.from({ length: Math.min(length, 4) }, () => byte));
    if (length >= 4) folded.push(length - 4);
    at += length;
  }
  return Uint8Array.from(folded);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ 0x04c1_1db7 : sum << 1;
  }
  return ~sum >>> 0;
}
