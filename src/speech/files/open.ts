import { UnsupportedAudio } from "../audio.ts";
import { createByteQueue } from "./byte-queue.ts";
import { createFlacReader } from "./flac.ts";
import { ID3_HEADER_BYTES, id3Bytes } from "./id3.ts";
import { MARKER_BYTES, containerOf, mp4NotRead } from "./kinds.ts";
import { createMp3Reader } from "./mp3.ts";
import { createOggReader } from "./ogg.ts";
import type { KindReader, SoundPiece } from "./piece.ts";
import { createWavReader } from "./wav-reader.ts";
import { createWebmReader } from "./webm.ts";

/** Reads one sound file from its bytes, which come in pieces. */
export interface SoundFile {
  /**
   * Takes the next bytes, cut anywhere, and gives the sound that they complete. It must be walked
   * to its end before the next call. Decoding goes on only as the pieces are fetched, so a file
   * that unfolds to a thousand times its size costs no more memory than any other.
   * Throws `UnsupportedAudio` with a message fit to be shown; the file cannot be read on then.
   */
  push(bytes: Uint8Array): AsyncGenerator<SoundPiece>;
  /**
   * No more bytes come: the rest of the sound. Throws `UnsupportedAudio` also when there was no
   * sound in the whole file.
   */
  end(): AsyncGenerator<SoundPiece>;
  free(): void;
}

/** What is pushed at once goes to the decoders in slices of this size. */
const SLICE_BYTES = 64 * 1024;
/** Decoders give some milliseconds at a time; so many samples are gathered into a piece. */
const PIECE_SAMPLES = 16 * 1024;

/**
 * Opens a sound file of any kind in `FILE_KINDS`; which one is found out from its first bytes.
 *
 * All channels are mixed down to one by averaging. The sample rate is the file's own (Opus is
 * decoded at the recognisers') and is the same in all pieces: a file that changes it is refused.
 * What is broken in the middle of a file is passed over, as players do.
 */
export function openSoundFile(): SoundFile {
  const start = createByteQueue();
  let reader: KindReader | null = null;
  let sampleRate: number | null = null;
  let isBroken = false;

  /** Finds out the kind, and gives the bytes that were kept for that; null when more are needed. */
  function recognise(isEnd: boolean): Uint8Array | null {
    for (;;) {
      if (start.length() < MARKER_BYTES && !isEnd) return null;
      const bytes = start.view();
      const tagBytes = id3Bytes(bytes.subarray(0, ID3_HEADER_BYTES));
      if (tagBytes === null) {
        reader = createReader(bytes);
        return bytes;
      }
      start.skip(tagBytes);
    }
  }

  /** A trap is a decoder's own fault and leaves it useless: the sound ends there. */
  async function* untilBroken(pieces: AsyncGenerator<SoundPiece>): AsyncGenerator<SoundPiece> {
    try {
      yield* pieces;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      isBroken = true;
    }
  }

  async function* decode(pieces: AsyncGenerator<SoundPiece>): AsyncGenerator<SoundPiece> {
    let gathered: Float32Array[] = [];
    let samples = 0;
    for await (const piece of untilBroken(pieces)) {
      if (piece.samples.length === 0) continue;
      sampleRate ??= piece.sampleRate;
      if (piece.sampleRate !== sampleRate) throw rateChanges();
      gathered.push(piece.samples);
      samples += piece.samples.length;
      if (samples < PIECE_SAMPLES) continue;
      yield { samples: join(gathered, samples), sampleRate };
      gathered = [];
      samples = 0;
    }
    if (samples > 0 && sampleRate !== null) yield { samples: join(gathered, samples), sampleRate };
  }

  async function* push(bytes: Uint8Array): AsyncGenerator<SoundPiece> {
    for (let at = 0; at < bytes.length && !isBroken; at += SLICE_BYTES) {
      let slice: Uint8Array | null = bytes.subarray(at, at + SLICE_BYTES);
      if (reader === null) {
        start.push(slice);
        slice = recognise(false);
      }
      if (reader !== null && slice !== null) yield* decode(reader.push(slice));
    }
  }

  async function* end(): AsyncGenerator<SoundPiece> {
    if (reader === null) {
      const rest = recognise(true);
      if (reader !== null && rest !== null) yield* decode((reader as KindReader).push(rest));
    }
    if (reader !== null && !isBroken) yield* decode(reader.end());
    if (sampleRate === null) throw noSound();
  }

  return { push, end, free: () => reader?.free() };
}

/** Throws `UnsupportedAudio` for a container that is not read. */
function createReader(start: Uint8Array): KindReader {
  switch (containerOf(start)) {
    case "wav":
      return createWavReader();
    case "flac":
      return createFlacReader();
    case "ogg":
      return createOggReader();
    case "webm":
      return createWebmReader();
    case "mp4":
      throw mp4NotRead();
    case "other":
      return createMp3Reader();
  }
}

function join(pieces: readonly Float32Array[], length: number): Float32Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const whole = new Float32Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function rateChanges(): UnsupportedAudio {
  return new UnsupportedAudio("The sample rate changes in the middle of the file.");
}

function noSound(): UnsupportedAudio {
  return new UnsupportedAudio("The file ends before its sound begins.");
}
