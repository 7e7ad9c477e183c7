import { BAND_DB_MIN } from "./background.ts";
import { BANDS } from "./voicing.ts";

/** Tells whether sound without a pitch changes as whispered words do. */
export interface Whisper {
  /** Takes the levels of a frame; returns whether its colour has moved on. */
  hear(bandsDb: Float64Array, isBreath: boolean): boolean;
}

/** The colour is the mean of 50 ms, compared with that of 100 ms before. */
const MEAN_FRAMES = 5;
const MOVE_FRAMES = 10;
/** The colour of noise, however loud it is from moment to moment, moves by less than 2 dB. */
const MOVE_DB_MIN = 3;
const KEPT_FRAMES = MEAN_FRAMES + MOVE_FRAMES;

/**
 * Creates the measurement for one stream. A colour is how the power is shared out among the bands;
 * only that of loud sound without a pitch (`isBreath`) is compared.
 */
export function createWhisper(): Whisper {
  const levelsDb = Array.from({ length: KEPT_FRAMES }, () =>
    new Float64Array(BANDS).fill(BAND_DB_MIN),
  );
  const breaths = new Uint8Array(KEPT_FRAMES);
  const moves = new Float64Array(BANDS);
  let turn = 0;

  function hear(bandsDb: Float64Array, isBreath: boolean): boolean {
    turn = (turn + 1) % KEPT_FRAMES;
    breaths[turn] = isBreath ? 1 : 0;
    const newest = levelsDb[turn] ?? moves;
    for (let band = 0; band < BANDS; band += 1) {
      newest[band] = Math.max(BAND_DB_MIN, bandsDb[band] ?? BAND_DB_MIN);
    }
    const before = (turn + KEPT_FRAMES - MOVE_FRAMES) % KEPT_FRAMES;
    return isBreath && breaths[before] === 1 && measureMove() >= MOVE_DB_MIN;
  }

  function measureMove(): number {
    moves.fill(0);
    let louder = 0;
    for (let back = 0; back < MEAN_FRAMES; back += 1) {
      const now = levelsDb[(turn + KEPT_FRAMES - back) % KEPT_FRAMES] ?? moves;
      const before = levelsDb[(turn + KEPT_FRAMES - back - MOVE_FRAMES) % KEPT_FRAMES] ?? moves;
      for (let band = 0; band < BANDS; band += 1) {
        const step = ((now[band] ?? 0) - (before[band] ?? 0)) / MEAN_FRAMES;
        moves[band] = (moves[band] ?? 0) + step;
        louder += step / BANDS;
      }
    }
    let move = 0;
    for (let band = 0; band < BANDS; band += 1) move += Math.abs((moves[band] ?? 0) - louder);
    return move / BANDS;
  }

  return { hear };
}
