/** Numbers that repeat for a seed. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from 0 to before `count`. */
  below(count: number): number;
  /** The same, small numbers likelier: the n-th about 1/n as often as the first (Zipf). */
  ranked(count: number): number;
  pick<Item>(items: readonly Item[]): Item;
  chance(share: number): boolean;
}

/** Starts the numbers of a seed and of a place within it (mulberry32, T. Ettinger). */
export function createRandom(seed: number, place = 0): Random {
  // Neighbouring places have to begin far from each other (the finalizer of MurmurHash3, A. Appleby).
  let state = mix(mix(seed | 0) ^ (place | 0)) ^ Math.floor(place / 0x1_0000_0000);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    next,
    below,
    ranked: (count) => Math.min(count - 1, Math.floor(Math.exp(next() * Math.log(count + 1))) - 1),
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError("nothing to pick from");
      return item;
    },
    chance: (share) => next() < share,
  };
}

function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
