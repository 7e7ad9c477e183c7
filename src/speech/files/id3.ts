import { hasText } from "./bytes.ts";

export const ID3_HEADER_BYTES = 10;

/**
 * How long the ID3v2 tag is that begins here, its header included (ID3v2.4 structure, section
 * 3.1); null when none does.
 */
export function id3Bytes(header: Uint8Array): number | null {
  if (!hasText(header, 0, "ID3") || header.length < ID3_HEADER_BYTES) return null;
  const [, , , , , flags = 0, a = 0, b = 0, c = 0, d = 0] = header;
  if (a >= 0x80 || b >= 0x80 || c >= 0x80 || d >= 0x80) return null;
  const footerBytes = (flags & 0x10) === 0 ? 0 : ID3_HEADER_BYTES;
  return ID3_HEADER_BYTES + ((a << 21) | (b << 14) | (c << 7) | d) + footerBytes;
}
