import type { ByteQueue } from "./byte-queue.ts";
import { createCrc } from "./crc.ts";

/** Cuts a FLAC stream into frames. */
export interface FlacFrames {
  /**
   * The next whole frame, or null when more bytes are needed. With `isEnd` none come, and what is
   * left may be the last frame, which no other follows. The view holds until the next push.
   */
  next(isEnd: boolean): Uint8Array | null;
}

interface FrameHeader {
  blockSamples: number;
  channels: number;
  bits: number;
}

const HEADER_BYTES_MAX = 16;
/**
 * So many places inside of a frame may look like the next one's header, by chance one in 10^7
 * bytes; past it the frame is taken for broken. It keeps the search linear in hostile streams.
 */
const FALSE_ENDS_MAX = 4;
const BITS: readonly (number | null)[] = [32, 8, 12, null, 16, 20, 24, 32];

/**
 * Creates a cutter of FLAC frames (RFC 9639, section 9). A frame does not say how long it is: it
 * ends where a header follows and its own checksum comes out. What fits nowhere is passed over.
 */
export function createFlacFrames(queue: ByteQueue): FlacFrames {
  const crc8 = createCrc(8, 0x07);
  const crc16 = createCrc(16, 0x8005);
  let searched = 0;
  let summed = 0;
  let crc = 0;
  let falseEnds = 0;

  function restart(): void {
    searched = 2;
    summed = 0;
    crc = 0;
    falseEnds = 0;
  }

  /** Moves to the next place that may be a header. */
  function passOver(): void {
    const at = queue.view().indexOf(0xff, 1);
    queue.skip(at === -1 ? queue.length() : at);
    restart();
  }

  function endsAt(bytes: Uint8Array, at: number): boolean {
    crc = crc16(bytes.subarray(summed, at), crc);
    summed = at;
    return crc === 0;
  }

  /** Where the frame ends, null while that cannot be known, -1 for a broken frame. */
  function findEnd(bytes: Uint8Array, frameBytesMax: number, isEnd: boolean): number | null {
    for (;;) {
      const at = bytes.indexOf(0xff, searched);
      searched = at === -1 ? bytes.length : at;
      if (searched > frameBytesMax) return -1;
      if (at === -1) return isEnd ? bytes.length : null;
      if (at + HEADER_BYTES_MAX > bytes.length && !isEnd) return null;
      if (readFrameHeader(bytes.subarray(at), crc8) !== null) {
        if (endsAt(bytes, at)) return at;
        falseEnds += 1;
        if (falseEnds > FALSE_ENDS_MAX) return -1;
      }
      searched = at + 1;
    }
  }

  function next(isEnd: boolean): Uint8Array | null {
    while (queue.length() >= (isEnd ? 1 : HEADER_BYTES_MAX)) {
      const bytes = queue.view();
      const header = readFrameHeader(bytes, crc8);
      const end = header === null ? -1 : findEnd(bytes, frameBytesMaxOf(header), isEnd);
      if (end === null) return null;
      if (end !== -1) {
        restart();
        return queue.take(end);
      }
      passOver();
    }
    return null;
  }

  restart();
  return { next };
}

/** The longest that a frame can be: all of its samples as they are. */
function frameBytesMaxOf(header: FrameHeader): number {
  const channelBytes = Math.ceil((header.blockSamples * (header.bits + 1)) / 8) + 8;
  return HEADER_BYTES_MAX + 2 + header.channels * channelBytes;
}

/** Reads a frame's header (RFC 9639, section 9.1); null when it is none. */
function readFrameHeader(
  bytes: Uint8Array,
  crc8: ReturnType<typeof createCrc>,
): FrameHeader | null {
  const [sync = 0, flags = 0, sizes = 0, layout = 0, number = 0] = bytes;
  if (sync !== 0xff || (flags & 0xfe) !== 0xf8 || (layout & 1) !== 0) return null;
  const blockCode = sizes >> 4;
  const rateCode = sizes & 0x0f;
  const channelCode = layout >> 4;
  const bits = BITS[(layout >> 1) & 0x07] ?? null;
  if (blockCode === 0 || rateCode === 15 || channelCode > 10 || bits === null) return null;
  const numberBytes = number < 0x80 ? 1 : Math.clz32(~(number << 24));
  if (number >= 0x80 && (numberBytes < 2 || numberBytes > 7)) return null;
  const blockBytes = blockCode === 6 ? 1 : blockCode === 7 ? 2 : 0;
  const rateBytes = rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0;
  const blockAt = 4 + numberBytes;
  const headerBytes = blockAt + blockBytes + rateBytes + 1;
  if (bytes.length < headerBytes || crc8(bytes.subarray(0, headerBytes), 0) !== 0) return null;
  const coded = blockBytes === 2 ? word(bytes, blockAt) : (bytes[blockAt] ?? 0);
  const blockSamples = blockBytes > 0 ? coded + 1 : blockSamplesOf(blockCode);
  return { blockSamples, channels: channelCode < 8 ? channelCode + 1 : 2, bits };
}

function blockSamplesOf(code: number): number {
  if (code === 1) return 192;
  return code < 8 ? 576 << (code - 2) : 256 << (code - 8);
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
