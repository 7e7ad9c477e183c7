import { BANDS } from "./voicing.ts";

/** The sound that is always there, band by band. */
export interface Background {
  /**
   * Takes the levels of a frame; returns the mean by which they stand out, in dB. A frame that holds
   * samples from before the start of the stream is not whole and is left out.
   */
  hear(bandsDb: Float64Array, isWhole: boolean): number;
}

/** A band that stands out counts up to this. */
const BAND_OVER_DB_MAX = 20;
/** Quieter bands are no sound at all. */
export const BAND_DB_MIN = -105;
/** The background is the quietest of 1.5 s, which is kept as 5 minima of 300 ms each. */
const MINIMUM_FRAMES = 30;
const MINIMA = 5;

/**
 * Creates the background of one stream: of each band its minimum over a time longer than a syllable
 * (R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
 * statistics", 2001).
 */
export function createBackground(): Background {
  const smoothDb = new Float64Array(BANDS).fill(BAND_DB_MIN);
  const minimaDb = Array.from({ length: MINIMA }, () =>
    new Float64Array(BANDS).fill(Number.POSITIVE_INFINITY),
  );
  let turn = 0;
  let frames = 0;

  function hear(bandsDb: Float64Array, isWhole: boolean): number {
    if (!isWhole) return 0;
    const current = minimaDb[turn];
    let overDb = 0;
    for (let band = 0; band < BANDS; band += 1) {
      const levelDb = Math.max(BAND_DB_MIN, bandsDb[band] ?? BAND_DB_MIN);
      let lowestDb = Number.POSITIVE_INFINITY;
      for (const minimum of minimaDb) lowestDb = Math.min(lowestDb, minimum[band] ?? lowestDb);
      if (lowestDb < levelDb) overDb += Math.min(BAND_OVER_DB_MAX, levelDb - lowestDb);
      const beforeDb =
        lowestDb === Number.POSITIVE_INFINITY ? levelDb : (smoothDb[band] ?? levelDb);
      smoothDb[band] = (beforeDb + levelDb) / 2;
      if (current !== undefined) {
        current[band] = Math.min(current[band] ?? levelDb, smoothDb[band] ?? levelDb);
      }
    }
    frames += 1;
    if (frames === MINIMUM_FRAMES) {
      frames = 0;
      turn = (turn + 1) % MINIMA;
      minimaDb[turn]?.fill(Number.POSITIVE_INFINITY);
    }
    return overDb / BANDS;
  }

  return { hear };
}
