/** Returns a generator of numbers in [0, 1) that repeats for a seed (mulberry32, T. Ettinger). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Cuts bytes or samples into pieces of 0 to `lengthMax`. */
export function cutRandomly<
  Piece extends { length: number; subarray(from: number, to: number): Piece },
>(all: Piece, random: () => number, lengthMax: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < all.length;) {
    const end = at + Math.floor(random() * (lengthMax + 1));
    pieces.push(all.subarray(at, end));
    at = end;
  }
  return pieces;
}
