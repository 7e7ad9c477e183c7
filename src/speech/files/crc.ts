/** Carries a checksum on over bytes; 0 starts one. */
export type Crc = (bytes: Uint8Array, crc: number) => number;

/**
 * Creates a cyclic redundancy check of 8 to 32 bits, highest bit first and without a final
 * inversion, as FLAC (RFC 9639, sections 9.1.8 and 9.3) and Ogg (RFC 3533, section 6) use it. Over
 * data followed by its own checksum it comes to 0.
 */
export function createCrc(bits: number, polynomial: number): Crc {
  const table = createTable(bits, polynomial);
  const shift = bits - 8;
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  return (bytes, crc) => {
    let rest = crc | 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const index = ((rest >>> shift) ^ (bytes[at] ?? 0)) & 0xff;
      rest = ((rest << 8) ^ (table[index] ?? 0)) & mask;
    }
    return rest >>> 0;
  };
}

function createTable(bits: number, polynomial: number): Int32Array {
  const top = 1 << (bits - 1);
  return Int32Array.from({ length: 256 }, (_, index) => {
    let rest = index << (bits - 8);
    for (let bit = 0; bit < 8; bit += 1) {
      rest = (rest & top) === 0 ? rest << 1 : (rest << 1) ^ polynomial;
    }
    return rest;
  });
}
