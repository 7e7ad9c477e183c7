/** A file's sound as recognisers want it. */
export interface DecodedSound {
  /** Samples a second. */
  sampleRate: number;
  lengthMs: number;
  /** Whole number of samples. */
  length: number;
  /** 16-bit samples of one channel, from one place to before another. */
  read(from: number, to: number): Int16Array;
}

const SAMPLE_RATE = 16_000;
const SAMPLE_MAX = 32_767;
/** Browsers hold the whole sound in memory while they decode it; past it a file is refused. */
export const FILE_BYTES_MAX = 100 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

/**
 * Decodes a file with what the browser can: WAV, MP3, Ogg, FLAC, WebM, and mostly M4A. Throws an
 * error that can be shown.
 */
export async function decodeFile(file: File): Promise<DecodedSound> {
  if (file.size > FILE_BYTES_MAX) {
    const megabytes = Math.ceil(file.size / MEGABYTE);
    throw new Error(
      `It has ${megabytes} MB, and ${FILE_BYTES_MAX / MEGABYTE} MB is the most. ` +
        "Cut it into parts, or save it as MP3, M4A or Opus, which are smaller.",
    );
  }
  if (file.size === 0) throw new Error("There is nothing in this file.");
  const sound = await decode(file);
  if (sound.length === 0) throw new Error("There is no sound in this file.");
  const channels = Array.from({ length: sound.numberOfChannels }, (_, channel) =>
    sound.getChannelData(channel),
  );
  return {
    sampleRate: sound.sampleRate,
    lengthMs: sound.duration * 1_000,
    length: sound.length,
    read: (from, to) => mixed(channels, from, Math.min(to, sound.length)),
  };
}

async function decode(file: File): Promise<AudioBuffer> {
  // What is decoded comes out at the rate of the context that does it.
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE);
  const bytes = await file.arrayBuffer().catch(() => {
    throw new Error("This file cannot be read. Is it still there?");
  });
  return context.decodeAudioData(bytes).catch(() => {
    throw new Error(
      "This browser finds no sound that it knows in this file. " +
        "WAV, MP3 and FLAC work everywhere.",
    );
  });
}

/** The mean of all channels. */
function mixed(channels: readonly Float32Array[], from: number, to: number): Int16Array {
  const piece = new Int16Array(to - from);
  for (let at = from; at < to; at++) {
    let sum = 0;
    for (const channel of channels) sum += channel[at] ?? 0;
    piece[at - from] = Math.max(-1, Math.min(1, sum / channels.length)) * SAMPLE_MAX;
  }
  return piece;
}
