import { TAGS, TAGS_BEFORE } from "./labels.ts";

/** A table of scores that no way through a sentence may use. */
const NEVER = -1e30;

const WIDTH = TAGS.length;

/** The tags that may stand before each tag within a sentence, in one row: of a tag from BEFORES_AT. */
const BEFORES = Uint8Array.from(
  TAGS_BEFORE.flatMap((befores) => [...befores].filter((before) => before < WIDTH)),
);
const BEFORES_AT = Uint8Array.from({ length: WIDTH + 1 }, (_, tag) =>
  TAGS_BEFORE.slice(0, tag).reduce(
    (sum, befores) => sum + befores.filter((before) => before < WIDTH).length,
    0,
  ),
);

/** What decoding works on: reused from sentence to sentence, sized for the longest. */
export interface Lattice {
  /** How well each tag fits each token, `TAGS.length` a token. Decoding adds the best way to it. */
  scores: Float32Array;
  /** The tag before on that way. */
  backs: Uint8Array;
  /** The best tags. */
  tags: Uint8Array;
}

/** Makes a lattice for up to so many tokens. */
export function createLattice(tokensMax: number): Lattice {
  return {
    scores: new Float32Array(tokensMax * WIDTH),
    backs: new Uint8Array(tokensMax * WIDTH),
    tags: new Uint8Array(tokensMax),
  };
}

/**
 * Finds the best tags of `count` tokens (Viterbi, IEEE Transactions on Information Theory, 1967): the sum of their scores and of those of each
 * pair of neighbours, `pairs[before * TAGS.length + tag]`, where `before` is `TAGS.length` at the
 * start. Only tags that may follow each other do. Ties go to the lower tag.
 */
export function decode({ scores, backs, tags }: Lattice, count: number, pairs: Float32Array): void {
  if (count === 0) return;
  const width = WIDTH;
  for (let tag = 0; tag < width; tag++) {
    const befores = TAGS_BEFORE[tag] as Uint8Array;
    const isFirst = befores[befores.length - 1] === width;
    scores[tag] = isFirst
      ? (scores[tag] as number) + (pairs[width * width + tag] as number)
      : NEVER;
  }
  for (let row = width; row < count * width; row += width) {
    for (let tag = 0; tag < width; tag++) {
      let best = NEVER;
      let bestBefore = 0;
      const end = BEFORES_AT[tag + 1] as number;
      for (let at = BEFORES_AT[tag] as number; at < end; at++) {
        const before = BEFORES[at] as number;
        const score =
          (scores[row - width + before] as number) + (pairs[before * width + tag] as number);
        if (score > best) {
          best = score;
          bestBefore = before;
        }
      }
      scores[row + tag] = (scores[row + tag] as number) + best;
      backs[row + tag] = bestBefore;
    }
  }
  const last = (count - 1) * width;
  let best = 0;
  for (let tag = 1; tag < width; tag++) {
    if ((scores[last + tag] as number) > (scores[last + best] as number)) best = tag;
  }
  for (let at = count - 1; at >= 0; at--) {
    tags[at] = best;
    best = backs[at * width + best] as number;
  }
}
