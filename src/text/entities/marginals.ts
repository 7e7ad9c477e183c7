import { TAGS, TAGS_BEFORE } from "./labels.ts";

const WIDTH = TAGS.length;

/** 1 for every pair of neighbours that may be, `before * WIDTH + tag`; `WIDTH` is the start. */
const ALLOWED = new Uint8Array((WIDTH + 1) * WIDTH);
for (const [tag, befores] of TAGS_BEFORE.entries()) {
  for (const before of befores) ALLOWED[before * WIDTH + tag] = 1;
}

/** How likely tags are by a model's scores, over all ways through a sentence. */
export interface Marginals {
  /** Of each tag at each token, `TAGS.length` a token. */
  tags: Float64Array;
  /** How often each pair of neighbours is expected in the sentence. */
  pairs: Float64Array;
  /** Works both out for `count` tokens, at least one; indexed as decoding has them. */
  compute(scores: Float32Array, count: number, pairScores: Float32Array): void;
}

/**
 * Makes room for sentences of up to so many tokens. The algorithm is forward-backward (Lafferty,
 * McCallum and Pereira, "Conditional random fields", 2001), scaled at each token.
 */
export function createMarginals(tokensMax: number): Marginals {
  const forward = new Float64Array(tokensMax * WIDTH);
  const backward = new Float64Array(tokensMax * WIDTH);
  const fits = new Float64Array(tokensMax * WIDTH);
  const scales = new Float64Array(tokensMax);
  const moves = new Float64Array(ALLOWED.length);
  const tags = new Float64Array(tokensMax * WIDTH);
  const pairs = new Float64Array(ALLOWED.length);

  const goForward = (count: number): void => {
    for (let at = 0; at < count; at++) {
      const row = at * WIDTH;
      let sum = 0;
      for (let tag = 0; tag < WIDTH; tag++) {
        let ways = at === 0 ? (moves[WIDTH * WIDTH + tag] as number) : 0;
        for (let before = 0; at > 0 && before < WIDTH; before++) {
          ways +=
            (forward[row - WIDTH + before] as number) * (moves[before * WIDTH + tag] as number);
        }
        forward[row + tag] = ways * (fits[row + tag] as number);
        sum += forward[row + tag] as number;
      }
      scales[at] = sum;
      for (let tag = 0; tag < WIDTH; tag++)
        forward[row + tag] = (forward[row + tag] as number) / sum;
    }
  };
  const goBackward = (count: number): void => {
    backward.fill(1, (count - 1) * WIDTH, count * WIDTH);
    for (let at = count - 2; at >= 0; at--) {
      const row = at * WIDTH;
      for (let tag = 0; tag < WIDTH; tag++) {
        let ways = 0;
        for (let next = 0; next < WIDTH; next++) {
          const fit =
            (fits[row + WIDTH + next] as number) * (backward[row + WIDTH + next] as number);
          ways += (moves[tag * WIDTH + next] as number) * fit;
        }
        backward[row + tag] = ways / (scales[at + 1] as number);
      }
    }
  };

  return {
    tags,
    pairs,
    compute(scores, count, pairScores) {
      for (let pair = 0; pair < moves.length; pair++) {
        moves[pair] = ALLOWED[pair] === 1 ? Math.exp(pairScores[pair] as number) : 0;
      }
      for (let row = 0; row < count * WIDTH; row += WIDTH) {
        let most = -Infinity;
        for (let tag = 0; tag < WIDTH; tag++) most = Math.max(most, scores[row + tag] as number);
        for (let tag = 0; tag < WIDTH; tag++) {
          fits[row + tag] = Math.exp((scores[row + tag] as number) - most);
        }
      }
      goForward(count);
      goBackward(count);
      pairs.fill(0);
      for (let at = 0; at < count; at++) {
        const row = at * WIDTH;
        for (let tag = 0; tag < WIDTH; tag++) {
          const rest = backward[row + tag] as number;
          tags[row + tag] = (forward[row + tag] as number) * rest;
          if (at === 0) {
            pairs[WIDTH * WIDTH + tag] = tags[tag] as number;
            continue;
          }
          const share = ((fits[row + tag] as number) * rest) / (scales[at] as number);
          for (let before = 0; before < WIDTH; before++) {
            const pair = before * WIDTH + tag;
            const ways = (forward[row - WIDTH + before] as number) * (moves[pair] as number);
            pairs[pair] = (pairs[pair] as number) + ways * share;
          }
        }
      }
    },
  };
}
