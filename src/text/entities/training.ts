import { JOINT_FEATURES_MAX, MODE_MIXED, joinFeatures, modeOf } from "./features.ts";
import { TAGS, spansOfNames, tagsOfSpans } from "./labels.ts";
import type { Lexicon } from "./lexicon.ts";
import { createLattice, decode } from "./viterbi.ts";
import { PLACES, type Word, createEdge, describeWord } from "./word.ts";

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
  /** How often (of 1) a token's word is left out of joint features, so that it alone must tell. */
  hiddenShare: number;
  /** A feature seen in fewer tokens is left out. */
  featureCountMin: number;
  /** By how much the right tags must beat others before a sentence is learnt no more from. */
  margin: number;
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

/** Stands for a word that is left out. */
const HIDDEN = 0x5eed;

/**
 * Trains an averaged structured perceptron (Collins, "Discriminative training methods for hidden
 * Markov models", 2002) over hashed features (Weinberger et al., "Feature hashing for large scale
 * multitask learning", 2009). The average is kept as the sum of updates times their steps. Takes
 * about 0.2 ms a sentence and epoch; the same input gives the same weights.
 */
export function trainWeights(
  sentences: readonly LabelledSentence[],
  lexicon: Lexicon,
  options: TrainingOptions,
): Weights {
  const mask = (1 << options.tableBits) - 1;
  const rows = new Float32Array((mask + 1) * WIDTH);
  const rowSums = new Float32Array((mask + 1) * WIDTH);
  const pairs = new Float32Array((WIDTH + 1) * WIDTH);
  const pairSums = new Float32Array((WIDTH + 1) * WIDTH);
  const random = createRandom(options.seed);
  const lattice = createLattice(TOKENS_MAX);
  const edges = [createEdge(true), createEdge(false)] as const;
  const cache = new Map<string, Word>();
  const hiddenCache = new Map<string, Word>();
  const joint = new Int32Array(JOINT_FEATURES_MAX);
  const ids = new Int32Array(TOKENS_MAX * 256);
  const ends = new Int32Array(TOKENS_MAX + 1);
  const counts = new Uint8Array(mask + 1);

  const wordOf = (token: string): Word => {
    const known = cache.get(token);
    if (known !== undefined) return known;
    const word = describeWord(token, lexicon);
    cache.set(token, word);
    return word;
  };
  const hiddenOf = (token: string): Word => {
    const known = hiddenCache.get(token);
    if (known !== undefined) return known;
    const hidden = hideWord(describeWord(token, lexicon));
    hiddenCache.set(token, hidden);
    return hidden;
  };

  const collect = (tokens: readonly string[], hidden: number): number => {
    const count = Math.min(tokens.length, TOKENS_MAX);
    const words: Word[] = [edges[0], edges[0]];
    for (let at = 0; at < count; at++) {
      const token = tokens[at] ?? "";
      words.push(hidden > 0 && random() < hidden ? hiddenOf(token) : wordOf(token));
    }
    words.push(edges[1], edges[1]);
    const mode = count === 0 ? MODE_MIXED : modeOf(words, 2, count);
    let end = 0;
    for (let at = 0; at < count; at++) {
      for (let place = 0; place < PLACES.length; place++) {
        const offset = PLACES[place] as number;
        const found = (words[at + 2 + offset] as Word).ids[place] as Int32Array;
        for (let id = 0; id < found.length; id++) ids[end++] = (found[id] as number) & mask;
      }
      const joined = joinFeatures(words, at + 2, 2, mode, joint);
      for (let id = 0; id < joined; id++) ids[end++] = (joint[id] as number) & mask;
      ends[at + 1] = end;
    }
    return count;
  };

  if (options.featureCountMin > 1) {
    for (const { tokens } of sentences) {
      for (const variant of [tokens, tokens.map((token) => token.toLowerCase())]) {
        const count = collect(variant, 0);
        for (let at = 0; at < (ends[count] as number); at++) {
          const id = ids[at] as number;
          if ((counts[id] as number) < 255) counts[id] = (counts[id] as number) + 1;
        }
      }
    }
  }
  const gold = sentences.map(({ tags }) => tagsOfSpans(spansOfNames(tags), tags.length));
  const order = [...sentences.keys()];
  const min = options.featureCountMin > 1 ? options.featureCountMin : 0;
  let step = 1;
  const { scores } = lattice;
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    shuffle(order, random);
    let wrong = 0;
    for (const index of order) {
      const right = gold[index] as Uint8Array;
      const tokens = recase((sentences[index] as LabelledSentence).tokens, options, random);
      const count = collect(tokens, options.hiddenShare);
      for (let at = 0; at < count; at++) {
        const base = at * WIDTH;
        for (let tag = 0; tag < WIDTH; tag++)
          scores[base + tag] = tag === right[at] ? -options.margin : 0;
        for (let next = ends[at] as number; next < (ends[at + 1] as number); next++) {
          if ((counts[ids[next] as number] as number) < min) continue;
          const row = (ids[next] as number) * WIDTH;
          for (let tag = 0; tag < WIDTH; tag++) {
            scores[base + tag] = (scores[base + tag] as number) + (rows[row + tag] as number);
          }
        }
      }
      decode(lattice, count, pairs);
      step++;
      let isWrong = false;
      for (let at = 0; at < count; at++) {
        const found = lattice.tags[at] as number;
        const wanted = right[at] as number;
        const foundBefore = at === 0 ? WIDTH : (lattice.tags[at - 1] as number);
        const wantedBefore = at === 0 ? WIDTH : (right[at - 1] as number);
        if (found === wanted && foundBefore === wantedBefore) continue;
        isWrong = true;
        const plus = wantedBefore * WIDTH + wanted;
        const minus = foundBefore * WIDTH + found;
        pairs[plus] = (pairs[plus] as number) + 1;
        pairSums[plus] = (pairSums[plus] as number) + step;
        pairs[minus] = (pairs[minus] as number) - 1;
        pairSums[minus] = (pairSums[minus] as number) - step;
        if (found === wanted) continue;
        for (let next = ends[at] as number; next < (ends[at + 1] as number); next++) {
          if ((counts[ids[next] as number] as number) < min) continue;
          const row = (ids[next] as number) * WIDTH;
          rows[row + wanted] = (rows[row + wanted] as number) + 1;
          rowSums[row + wanted] = (rowSums[row + wanted] as number) + step;
          rows[row + found] = (rows[row + found] as number) - 1;
          rowSums[row + found] = (rowSums[row + found] as number) - step;
        }
      }
      if (isWrong) wrong++;
    }
    options.onEpoch?.(epoch, wrong);
  }
  for (let at = 0; at < rows.length; at++) {
    rows[at] = (rows[at] as number) - (rowSums[at] as number) / step;
  }
  for (let at = 0; at < pairs.length; at++) {
    pairs[at] = (pairs[at] as number) - (pairSums[at] as number) / step;
  }
  return { tableBits: options.tableBits, rows, pairs };
}

/** The word as joint features see it when it is left out: its look, its cluster and its lists stay. */
function hideWord(word: Word): Word {
  return { ...word, lower: HIDDEN };
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

function shuffle(order: number[], random: () => number): void {
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
}

/** Mulberry32: small, and the same numbers everywhere. */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
