import type { MPEGDecoder } from "mpg123-decoder";
import { createByteQueue } from "./byte-queue.ts";
import { loadMpeg } from "./codecs.ts";
import { notSound } from "./kinds.ts";
import { mixDown } from "./mix.ts";
import { type Mp3Frame, createMp3Frames } from "./mp3-frames.ts";
import type { KindReader, SoundPiece } from "./piece.ts";
import { quietly } from "./quiet.ts";

/** Past so much of something else before its first frame it is no MP3 file. */
const LOST_AT_START_BYTES_MAX = 64 * 1024;

async function open(): Promise<MPEGDecoder> {
  const codec = await loadMpeg();
  const decoder = new codec.MPEGDecoder();
  await decoder.ready;
  return decoder;
}

/**
 * Creates a reader of MP3 files (and of layers I and II). The frames are cut here, one by one:
 * the decoder's own search keeps tags with their pictures in memory.
 */
export function createMp3Reader(): KindReader {
  const queue = createByteQueue();
  const frames = createMp3Frames(queue);
  let decoder: MPEGDecoder | null = null;

  /** Every file without a marker comes here, so one without a frame is no sound file at all. */
  async function* end(): AsyncGenerator<SoundPiece> {
    yield* decodeWhole(true);
    if (decoder === null) throw notSound();
  }

  async function decode(frame: Mp3Frame): Promise<SoundPiece> {
    const { bytes, sampleRate } = frame;
    decoder ??= await open();
    const opened = decoder;
    const { channelData } = quietly(() => opened.decode(bytes));
    return { samples: mixDown(channelData), sampleRate };
  }

  async function* decodeWhole(isEnd: boolean): AsyncGenerator<SoundPiece> {
    for (let frame = frames.next(isEnd); frame !== null; frame = frames.next(isEnd)) {
      yield await decode(frame);
    }
    if (frames.lostAtStartBytes() > LOST_AT_START_BYTES_MAX) throw notSound();
  }

  return {
    push: async function* (bytes) {
      queue.push(bytes);
      yield* decodeWhole(false);
    },
    end,
    free: () => decoder?.free(),
  };
}
