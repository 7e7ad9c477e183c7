/**
 * 100 ms of the 16 kHz that every recogniser hears: all are fed this much at a time, because their
 * words depend on the size of their blocks.
 */
export const BLOCK_SAMPLES = 1_600;

/** Cuts a stream of 16 kHz mono samples into blocks of equal length. */
export interface Blocks {
  /** Returns the blocks that are full now, in order; the rest waits. */
  push(samples: Float32Array): Float32Array[];
  /** Returns what is left, shorter than a block, or null; then starts afresh. */
  flush(): Float32Array | null;
}

/** Creates a cutter whose blocks are the same however the samples were cut into pushes. */
export function createBlocks(): Blocks {
  let filling = new Float32Array(BLOCK_SAMPLES);
  let filled = 0;

  function push(samples: Float32Array): Float32Array[] {
    const full: Float32Array[] = [];
    let taken = 0;
    while (taken < samples.length) {
      const piece = samples.subarray(taken, taken + BLOCK_SAMPLES - filled);
      filling.set(piece, filled);
      filled += piece.length;
      taken += piece.length;
      if (filled === BLOCK_SAMPLES) {
        full.push(filling);
        filling = new Float32Array(BLOCK_SAMPLES);
        filled = 0;
      }
    }
    return full;
  }

  function flush(): Float32Array | null {
    if (filled === 0) return null;
    const rest = filling.slice(0, filled);
    filled = 0;
    return rest;
  }

  return { push, flush };
}

/**
 * Turns samples in [-1, 1] into 16-bit integers: rounded, and clamped at the ends.
 *
 * It undoes the decoding of `pcm_s16le` exactly: a 16-bit sample that was decoded comes back.
 */
export function toPcm16(samples: Float32Array): Int16Array {
  const integers = new Int16Array(samples.length);
  for (let at = 0; at < samples.length; at++) {
    integers[at] = Math.min(0x7fff, Math.max(-0x8000, Math.round((samples[at] ?? 0) * 0x8000)));
  }
  return integers;
}

/** One array of all samples; the very same one when there is only one part. */
export function joinSamples(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
