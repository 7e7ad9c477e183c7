import { TAGS, spansOfNames, tagsOfSpans } from "./labels.ts";
import type { Lexicon } from "./lexicon.ts";
import { createMarginals } from "./marginals.ts";
import { createRandom, shuffle } from "./random.ts";
import { createFeatures } from "./training-features.ts";

/** A sentence as data sets have it: a tag ("B-PER", "I-PER", "O") for every token. */
export interface LabelledSentence {
  tokens: readonly string[];
  tags: readonly string[];
}

export interface TrainingOptions {
  epochs: number;
  /** The table of weights has two to the power of this many rows. */
  tableBits: number;
  /** Shares (of 1) of the sentences that are seen in other letters, anew in every epoch. */
  lowerShare: number;
  upperShare: number;
  titleShare: number;
  /** How often (of 1) a token's word is left out of joint features, so that others must tell. */
  hiddenShare: number;
  /** A feature seen in fewer tokens is left out. */
  featureCountMin: number;
  /** How far a weight goes at first. */
  rate: number;
  /** By how much the tags of an entity must beat others: names missed cost more than names made up. */
  entityMargin: number;
  seed: number;
  onEpoch?: (epoch: number, wrong: number) => void;
}

/** What training finds: a row of weights, one a tag, for every feature; and those of pairs of tags. */
export interface Weights {
  tableBits: number;
  rows: Float32Array;
  pairs: Float32Array;
}

/** Longer sentences are cut for training. */
const TOKENS_MAX = 300;
const WIDTH = TAGS.length;
/** A token that is this far from right, of 1, has nothing to teach. */
const ERROR_MIN = 0.003;

/**
 * Trains a linear-chain conditional random field over hashed features (Weinberger et al., "Feature
 * hashing for large scale multitask learning", 2009), step by step with AdaGrad (Duchi, Hazan and
 * Singer, 2011), with a margin for entities (Mohit et al., "Recall-oriented learning of named
 * entities in Arabic Wikipedia", 2012). The weights are the mean of those after each of the later
 * epochs. Takes about 0.3 ms a sentence and epoch; the same input gives the same weights.
 */
export function trainWeights(
  sentences: readonly LabelledSentence[],
  lexicon: Lexicon,
  options: TrainingOptions,
): Weights {
  const { tableBits, epochs, rate, entityMargin } = options;
  const random = createRandom(options.seed);
  const features = createFeatures(lexicon, { tableBits, tokensMax: TOKENS_MAX, random });
  const isRare = findRare(features, sentences, options);
  const { ids, ends } = features;
  const marginals = createMarginals(TOKENS_MAX);
  const scores = new Float32Array(TOKENS_MAX * WIDTH);
  const rows = new Float32Array(WIDTH << tableBits);
  const pairs = new Float32Array((WIDTH + 1) * WIDTH);
  // Sums of squared errors: weights that moved much move less.
  const rowSquares = new Float32Array(rows.length).fill(1);
  const pairSquares = new Float32Array(pairs.length).fill(1);
  const rowMeans = new Float32Array(rows.length);
  const pairMeans = new Float32Array(pairs.length);
  const errors = new Float64Array(WIDTH);

  /** Drops rare features in place and adds up the rest. */
  const scoreTokens = (count: number, right: Uint8Array): void => {
    let used = 0;
    let next = 0;
    for (let at = 0; at < count; at++) {
      const base = at * WIDTH;
      scores.fill(0, base, base + WIDTH);
      const tag = right[at] as number;
      if (tag !== 0) scores[base + tag] = -entityMargin;
      for (const end = ends[at + 1] as number; next < end; next++) {
        const id = ids[next] as number;
        if (isRare[id] === 1) continue;
        ids[used++] = id;
        addRow(rows, id * WIDTH, scores, base);
      }
      ends[at + 1] = used;
    }
  };
  /** Moves the weights of a token's features; returns whether it was far from right. */
  const learnToken = (at: number, wanted: number): boolean => {
    let worst = 0;
    for (let tag = 0; tag < WIDTH; tag++) {
      const error = (tag === wanted ? 1 : 0) - (marginals.tags[at * WIDTH + tag] as number);
      errors[tag] = error;
      worst = Math.max(worst, Math.abs(error));
    }
    if (worst < ERROR_MIN) return false;
    for (let next = ends[at] as number; next < (ends[at + 1] as number); next++) {
      const row = (ids[next] as number) * WIDTH;
      for (let tag = 0; tag < WIDTH; tag++)
        move(rows, rowSquares, row + tag, errors[tag] as number);
    }
    return worst > 0.5;
  };
  const learnPairs = (count: number, right: Uint8Array): void => {
    const found = marginals.pairs;
    for (let at = 0; at < count; at++) {
      const before = at === 0 ? WIDTH : (right[at - 1] as number);
      const pair = before * WIDTH + (right[at] as number);
      found[pair] = (found[pair] as number) - 1;
    }
    for (let pair = 0; pair < pairs.length; pair++) {
      if (found[pair] !== 0) move(pairs, pairSquares, pair, -(found[pair] as number));
    }
  };
  const move = (weights: Float32Array, squares: Float32Array, at: number, error: number): void => {
    const sum = (squares[at] as number) + error * error;
    squares[at] = sum;
    weights[at] = (weights[at] as number) + (rate * error) / Math.sqrt(sum);
  };

  const gold = sentences.map(({ tags }) => tagsOfSpans(spansOfNames(tags), tags.length));
  const order = [...sentences.keys()];
  const averaged = Math.ceil(epochs / 2);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    shuffle(order, random);
    let wrong = 0;
    for (const index of order) {
      const right = gold[index] as Uint8Array;
      const tokens = recase((sentences[index] as LabelledSentence).tokens, options, random);
      const count = features.collect(tokens, options.hiddenShare);
      if (count === 0) continue;
      scoreTokens(count, right);
      marginals.compute(scores, count, pairs);
      let isWrong = false;
      for (let at = 0; at < count; at++) {
        if (learnToken(at, right[at] as number)) isWrong = true;
      }
      learnPairs(count, right);
      if (isWrong) wrong++;
    }
    options.onEpoch?.(epoch, wrong);
    if (epoch <= epochs - averaged) continue;
    for (let at = 0; at < rows.length; at++) {
      rowMeans[at] = (rowMeans[at] as number) + (rows[at] as number) / averaged;
    }
    for (let at = 0; at < pairs.length; at++) {
      pairMeans[at] = (pairMeans[at] as number) + (pairs[at] as number) / averaged;
    }
  }
  return { tableBits, rows: rowMeans, pairs: pairMeans };
}

function addRow(rows: Float32Array, row: number, into: Float32Array, base: number): void {
  for (let tag = 0; tag < WIDTH; tag++) {
    into[base + tag] = (into[base + tag] as number) + (rows[row + tag] as number);
  }
}

/** 1 for features that too few tokens have, in their own or in small letters. */
function findRare(
  { ids, ends, collect }: ReturnType<typeof createFeatures>,
  sentences: readonly LabelledSentence[],
  { tableBits, featureCountMin }: TrainingOptions,
): Uint8Array {
  const counts = new Uint8Array(1 << tableBits);
  for (const { tokens } of sentences) {
    for (const variant of [tokens, tokens.map((token) => token.toLowerCase())]) {
      const end = ends[collect(variant, 0)] as number;
      for (let at = 0; at < end; at++) {
        const id = ids[at] as number;
        counts[id] = Math.min((counts[id] as number) + 1, 255);
      }
    }
  }
  return counts.map((count) => (count < featureCountMin ? 1 : 0));
}

function recase(
  tokens: readonly string[],
  { lowerShare, upperShare, titleShare }: TrainingOptions,
  random: () => number,
): readonly string[] {
  const at = random();
  if (at < lowerShare) return tokens.map((token) => token.toLowerCase());
  if (at < lowerShare + upperShare) return tokens.map((token) => token.toUpperCase());
  if (at < lowerShare + upperShare + titleShare) {
    return tokens.map((token) => token.charAt(0).toUpperCase() + token.slice(1));
  }
  return tokens;
}
