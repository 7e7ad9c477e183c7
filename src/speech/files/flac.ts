import { UnsupportedAudio } from "../audio.ts";
import { createByteQueue } from "./byte-queue.ts";
import { STREAMINFO_BYTES, openFlac } from "./flac-decoder.ts";
import { createFlacFrames } from "./flac-frames.ts";
import type { KindReader, PacketDecoder, SoundPiece } from "./piece.ts";

const MARKER_BYTES = 4;
const BLOCK_HEADER_BYTES = 4;

/** Creates a reader of FLAC files (RFC 9639); pictures and tags are passed over unkept. */
export function createFlacReader(): KindReader {
  const queue = createByteQueue();
  const frames = createFlacFrames(queue);
  let decoder: PacketDecoder | null = null;
  let isInSound = false;
  queue.skip(MARKER_BYTES);

  /** Reads one metadata block; false when more bytes are needed. */
  async function readBlock(): Promise<boolean> {
    const head = queue.peek(BLOCK_HEADER_BYTES);
    if (head === null) return false;
    const [flags = 0, high = 0, middle = 0, low = 0] = head;
    const blockBytes = (high << 16) | (middle << 8) | low;
    if ((flags & 0x7f) === 0) {
      if (blockBytes !== STREAMINFO_BYTES) throw new UnsupportedAudio("The FLAC header is broken.");
      const block = queue.peek(BLOCK_HEADER_BYTES + STREAMINFO_BYTES);
      if (block === null) return false;
      decoder ??= await openFlac(block.slice(BLOCK_HEADER_BYTES));
    }
    if (decoder === null) throw new UnsupportedAudio("The FLAC header is broken.");
    queue.skip(BLOCK_HEADER_BYTES + blockBytes);
    isInSound = (flags & 0x80) !== 0;
    return true;
  }

  async function* decodeWhole(isEnd: boolean): AsyncGenerator<SoundPiece> {
    if (decoder === null) return;
    for (let frame = frames.next(isEnd); frame !== null; frame = frames.next(isEnd)) {
      yield { samples: await decoder.decode(frame), sampleRate: decoder.sampleRate };
    }
  }

  return {
    push: async function* (bytes) {
      queue.push(bytes);
      while (!isInSound) if (!(await readBlock())) return;
      yield* decodeWhole(false);
    },
    end: async function* () {
      if (isInSound) yield* decodeWhole(true);
    },
    free: () => decoder?.free(),
  };
}
