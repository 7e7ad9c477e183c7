import type { ByteQueue } from "./byte-queue.ts";
import { hasText } from "./bytes.ts";
import { ID3_HEADER_BYTES, id3Bytes } from "./id3.ts";

export interface Mp3Frame {
  bytes: Uint8Array;
  /** In Hz. */
  sampleRate: number;
}

/** Cuts an MPEG audio stream into frames. */
export interface Mp3Frames {
  /** The next whole frame, or null when more bytes are needed. The view holds until the next push. */
  next(isEnd: boolean): Mp3Frame | null;
  /** How many bytes were passed over before the first frame. */
  lostAtStartBytes(): number;
}

interface FrameHeader {
  sampleRate: number;
  layer: number;
  frameBytes: number;
}

const HEADER_BYTES = 4;
const BITRATES_MPEG1_KBITS: Readonly<Record<number, readonly number[]>> = {
  1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
};
const BITRATES_LAYER1_MPEG2_KBITS = [
  32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
] as const;
const BITRATES_MPEG2_KBITS = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160] as const;
const RATES_MPEG1_HZ = [44_100, 48_000, 32_000] as const;

/**
 * Creates a cutter of MPEG-1, 2 and 2.5 audio frames, layers I to III (ISO 11172-3, section
 * 2.4.1.3, and ISO 13818-3).
 *
 * Tags and garbage between frames are passed over unkept. A header alone is four ordinary bytes:
 * where the stream is lost it counts only when others follow where it says.
 */
export function createMp3Frames(queue: ByteQueue): Mp3Frames {
  let first: FrameHeader | null = null;
  let isInStep = false;
  let lostBytes = 0;

  function passOver(): void {
    const at = queue.view().indexOf(0xff, 1);
    const bytes = at === -1 ? queue.length() : at;
    queue.skip(bytes);
    if (first === null) lostBytes += bytes;
    isInStep = false;
  }

  /** Whether frames that fit follow; null while that cannot be known. */
  function isFollowed(header: FrameHeader, isEnd: boolean): boolean | null {
    const isKnown = first !== null && fits(header, first);
    let at = 0;
    let current = header;
    for (let followers = isKnown ? 1 : 2; followers > 0; followers -= 1) {
      at += current.frameBytes;
      const bytes = queue.peek(at + HEADER_BYTES);
      if (bytes === null) return isEnd ? queue.length() >= at : null;
      const follower = readHeader(bytes.subarray(at));
      // Tags may stand behind the last frame.
      if (follower === null) return isKnown && isEnd;
      if (!fits(follower, header)) return false;
      current = follower;
    }
    return true;
  }

  function next(isEnd: boolean): Mp3Frame | null {
    for (;;) {
      const head = queue.peek(HEADER_BYTES);
      if (head === null) return null;
      if (hasText(head, 0, "ID3")) {
        const tag = queue.peek(ID3_HEADER_BYTES);
        if (tag === null && !isEnd) return null;
        const bytes = tag === null ? null : id3Bytes(tag);
        if (bytes === null) passOver();
        else queue.skip(bytes);
        continue;
      }
      const header = readHeader(head);
      if (header === null || (isInStep && first !== null && !fits(header, first))) {
        passOverOrStep(header);
        continue;
      }
      if (!isInStep) {
        const isReal = isFollowed(header, isEnd);
        if (isReal === null) return null;
        if (!isReal) {
          passOver();
          continue;
        }
        first = header;
        isInStep = true;
      }
      const bytes = queue.take(header.frameBytes);
      return bytes === null ? null : { bytes, sampleRate: header.sampleRate };
    }
  }

  /** A header that does not fit may begin another stream, so it is looked at once more. */
  function passOverOrStep(header: FrameHeader | null): void {
    if (header === null) passOver();
    else isInStep = false;
  }

  return { next, lostAtStartBytes: () => lostBytes };
}

function fits(header: FrameHeader, other: FrameHeader): boolean {
  return header.sampleRate === other.sampleRate && header.layer === other.layer;
}

function readHeader(bytes: Uint8Array): FrameHeader | null {
  const [sync = 0, kind = 0, sizes = 0] = bytes;
  if (sync !== 0xff || (kind & 0xe0) !== 0xe0) return null;
  const version = (kind >> 3) & 0x03;
  const layer = 4 - ((kind >> 1) & 0x03);
  const isMpeg1 = version === 3;
  const rate = RATES_MPEG1_HZ[(sizes >> 2) & 0x03];
  if (version === 1 || layer === 4 || rate === undefined) return null;
  const bitrate = bitratesOf(isMpeg1, layer)[(sizes >> 4) - 1];
  if (bitrate === undefined) return null;
  const sampleRate = rate / (isMpeg1 ? 1 : version === 2 ? 2 : 4);
  const padding = (sizes >> 1) & 0x01;
  // Layer I counts in slots of four bytes; layer III of MPEG-2 has half the samples in a frame.
  const slots = layer === 1 ? 12 : layer === 3 && !isMpeg1 ? 72 : 144;
  const frameSlots = Math.floor((slots * bitrate * 1000) / sampleRate) + padding;
  return { sampleRate, layer, frameBytes: frameSlots * (layer === 1 ? 4 : 1) };
}

function bitratesOf(isMpeg1: boolean, layer: number): readonly number[] {
  if (isMpeg1) return BITRATES_MPEG1_KBITS[layer] ?? [];
  return layer === 1 ? BITRATES_LAYER1_MPEG2_KBITS : BITRATES_MPEG2_KBITS;
}
