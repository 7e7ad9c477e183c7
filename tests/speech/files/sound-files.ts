import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type SoundFile, openSoundFile } from "../../../src/speech/files/open.ts";
import type { SoundPiece } from "../../../src/speech/files/piece.ts";

/** What a whole file came to. */
export interface Sound {
  samples: Float32Array;
  sampleRate: number;
}

/** Every sound file beside the tests, with the seconds of the recording that it holds. */
export const SOUND_FILES: readonly (readonly [name: string, seconds: number])[] = [
  ["speech.mp3", 3],
  ["speech-stereo.mp3", 2],
  ["speech-stereo.flac", 1],
  ["speech.ogg", 1.5],
  ["speech-flac.ogg", 1],
  ["speech.opus", 3],
  ["speech-stereo.opus", 2],
  ["speech.webm", 3],
  ["speech-vorbis.webm", 1.5],
  ["speech-flac.mka", 1],
];

export function soundFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(import.meta.dir, "../../fixtures", name)));
}

/** Decodes a file that comes in pieces of `cutBytes`. */
export async function decode(bytes: Uint8Array, cutBytes = bytes.length): Promise<Sound> {
  const file = openSoundFile();
  try {
    return await walk(file, bytes, cutBytes);
  } finally {
    file.free();
  }
}

async function walk(file: SoundFile, bytes: Uint8Array, cutBytes: number): Promise<Sound> {
  const parts: Float32Array[] = [];
  let sampleRate = 0;
  const keep = async (pieces: AsyncGenerator<SoundPiece>) => {
    for await (const piece of pieces) {
      parts.push(piece.samples);
      sampleRate = piece.sampleRate;
    }
  };
  for (let at = 0; at < bytes.length; at += cutBytes) {
    // A copy, so that a reader that holds on to its caller's bytes is found out.
    const piece = new Uint8Array(bytes.subarray(at, at + cutBytes));
    await keep(file.push(piece));
    piece.fill(0);
  }
  await keep(file.end());
  return { samples: joinSamples(parts), sampleRate };
}

function joinSamples(parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
