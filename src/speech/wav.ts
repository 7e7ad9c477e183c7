import { bytesPerFrame, checkFormat, createDecoder, UnsupportedAudio } from "./audio.ts";
import type { AudioFormat, Encoding } from "./audio.ts";

/** Past this many bytes without audio the parser gives up: a header with tags is far smaller. */
export const WAV_HEADER_BYTES_MAX = 64 * 1024;

/** The audio that one piece of a WAV stream held, without header or trailing chunks. */
export interface WavAudio {
  format: AudioFormat;
  audio: Uint8Array;
  /** Bytes of audio that the header announces; null when it does not say. */
  announcedBytes: number | null;
}

/** Reads a RIFF/WAVE stream that comes in pieces of any size. */
export interface WavParser {
  /**
   * Returns null while the header is still incomplete, then for each call the format and the raw
   * audio bytes in it (a view of the given bytes, empty past the end of the audio).
   * Throws `UnsupportedAudio`; the stream cannot be read on after that.
   */
  push(bytes: Uint8Array): WavAudio | null;
}

/** A whole WAV file as mono samples in [-1, 1] at the rate that `format` says. */
export interface WavFile {
  format: AudioFormat;
  samples: Float32Array;
  durationMs: number;
}

const RIFF_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
/** `WAVEFORMAT` and its `wBitsPerSample`; what a `fmt ` chunk must hold at the least. */
const FORMAT_BYTES_MIN = 16;
/** `WAVEFORMATEXTENSIBLE`; what comes after it in a `fmt ` chunk is not looked at. */
const FORMAT_BYTES_MAX = 40;
/** Writers that do not know the length yet leave one of these in its place. */
const UNKNOWN_DATA_BYTES: readonly number[] = [0, 0xffff_ffff];

const EXTENSIBLE_TAG = 0xfffe;
/** The tail that all `KSDATAFORMAT_SUBTYPE` identifiers share; the format tag stands before it. */
const SUBFORMAT_TAIL = "\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/** Encodings by format tag and bits per sample. Tags: RFC 2361 and the Microsoft `mmreg.h`. */
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  "1/8": "pcm_u8",
  "1/16": "pcm_s16le",
  "1/24": "pcm_s24le",
  "1/32": "pcm_s32le",
  "3/32": "pcm_f32le",
  "6/8": "alaw",
  "7/8": "mulaw",
};

/** Says whether bytes begin as a RIFF/WAVE file does; at least 12 bytes are needed. */
export function isWav(bytes: Uint8Array): boolean {
  return textAt(bytes, 0, 4) === "RIFF" && textAt(bytes, 8, 4) === "WAVE";
}

/**
 * Creates a parser for one RIFF/WAVE stream (Multimedia Programming Interface 1.0, 1991).
 *
 * The header is walked in place and never kept, so hostile sizes cost no memory. Lengths are not
 * believed where they cannot be true: a `data` chunk of unknown length, or longer than what comes,
 * lasts to the end of the stream; chunks after a `data` chunk of known length are ignored.
 */
export function createWavParser(): WavParser {
  const gathered = new Uint8Array(FORMAT_BYTES_MAX);
  let gatheredBytes = 0;
  let wantedBytes = RIFF_BYTES;
  let skipBytes = 0;
  let headerBytes = 0;
  let audioBytesLeft = 0;
  let announcedBytes: number | null = null;
  let format: AudioFormat | null = null;
  let readGathered: (bytes: Uint8Array) => void = readRiff;
  let inAudio = false;

  function want(bytes: number, read: (bytes: Uint8Array) => void): void {
    wantedBytes = bytes;
    gatheredBytes = 0;
    readGathered = read;
  }

  function readRiff(bytes: Uint8Array): void {
    if (!isWav(bytes)) throw new UnsupportedAudio("The audio is not a RIFF/WAVE file.");
    want(CHUNK_HEADER_BYTES, readChunkHeader);
  }

  function readChunkHeader(bytes: Uint8Array): void {
    const id = textAt(bytes, 0, 4);
    const size = viewOf(bytes).getUint32(4, true);
    if (id === "data") {
      if (format === null) throw new UnsupportedAudio("The WAV header has no format.");
      announcedBytes = UNKNOWN_DATA_BYTES.includes(size) ? null : size;
      audioBytesLeft = announcedBytes ?? Number.POSITIVE_INFINITY;
      inAudio = true;
      return;
    }
    // Chunks are padded to an even length; the padding is not counted in their size.
    const paddedBytes = size + (size % 2);
    if (headerBytes + paddedBytes > WAV_HEADER_BYTES_MAX) throw headerTooLong();
    if (id !== "fmt ") {
      skipBytes = paddedBytes;
      want(CHUNK_HEADER_BYTES, readChunkHeader);
      return;
    }
    if (size < FORMAT_BYTES_MIN) throw new UnsupportedAudio("The WAV format is cut short.");
    const formatBytes = Math.min(size, FORMAT_BYTES_MAX);
    want(formatBytes, (chunk) => {
      format = readFormat(chunk);
      skipBytes = paddedBytes - formatBytes;
      want(CHUNK_HEADER_BYTES, readChunkHeader);
    });
  }

  /** Walks header bytes and returns how many of them it took. */
  function walkHeader(bytes: Uint8Array): number {
    let at = 0;
    while (!inAudio && at < bytes.length) {
      const skipped = Math.min(skipBytes, bytes.length - at);
      skipBytes -= skipped;
      const piece = bytes.subarray(at + skipped, at + skipped + wantedBytes - gatheredBytes);
      gathered.set(piece, gatheredBytes);
      gatheredBytes += piece.length;
      at += skipped + piece.length;
      headerBytes += skipped + piece.length;
      if (headerBytes > WAV_HEADER_BYTES_MAX) throw headerTooLong();
      if (gatheredBytes === wantedBytes) readGathered(gathered.subarray(0, wantedBytes));
    }
    return at;
  }

  function push(bytes: Uint8Array): WavAudio | null {
    const rest = inAudio ? bytes : bytes.subarray(walkHeader(bytes));
    if (!inAudio || format === null) return null;
    const audio = rest.subarray(0, Math.min(audioBytesLeft, rest.length));
    audioBytesLeft -= audio.length;
    return { format, audio, announcedBytes };
  }

  return { push };
}

/**
 * Decodes a whole WAV file to mono samples; an unfinished last frame is dropped.
 *
 * Throws `UnsupportedAudio` when it is no WAV file, is cut short before its audio, or holds an
 * encoding that is not understood.
 */
export function decodeWav(bytes: Uint8Array): WavFile {
  const found = createWavParser().push(bytes);
  if (found === null) throw new UnsupportedAudio("The WAV file ends before its audio.");
  const { format, audio } = found;
  const samples = createDecoder(format).decode(audio);
  return { format, samples, durationMs: (samples.length * 1000) / format.sampleRate };
}

/** Reads the body of a `fmt ` chunk, at least 16 bytes of it. */
function readFormat(chunk: Uint8Array): AudioFormat {
  const view = viewOf(chunk);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  const tag = readTag(chunk);
  const encoding = ENCODINGS[`${tag}/${bits}`];
  if (encoding === undefined) {
    throw new UnsupportedAudio(
      `The WAV encoding (format ${tag}, ${bits} bits) is not supported: ` +
        "use PCM of 8 to 32 bits, 32-bit float, mu-law or A-law.",
    );
  }
  const format: AudioFormat = { encoding, sampleRate, channels };
  checkFormat(format);
  // The bytes per second in the header are not compared: writers often get them wrong.
  if (blockBytes !== bytesPerFrame(format)) {
    throw new UnsupportedAudio("The WAV header contradicts itself about its block size.");
  }
  return format;
}

function readTag(chunk: Uint8Array): number {
  const view = viewOf(chunk);
  const tag = view.getUint16(0, true);
  if (tag !== EXTENSIBLE_TAG) return tag;
  if (chunk.length < FORMAT_BYTES_MAX) {
    throw new UnsupportedAudio("The WAV format is cut short.");
  }
  if (textAt(chunk, 26, 14) !== SUBFORMAT_TAIL) {
    throw new UnsupportedAudio("The WAV encoding is of an unknown kind.");
  }
  return view.getUint16(24, true);
}

function headerTooLong(): UnsupportedAudio {
  return new UnsupportedAudio(`The WAV header is longer than ${WAV_HEADER_BYTES_MAX} bytes.`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Latin-1 text: each byte becomes the character of that code, so any bytes can be compared. */
function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
