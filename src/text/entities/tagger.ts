import { JOINT_FEATURES_MAX, joinFeatures, modeOf } from "./features.ts";
import { type Span, TAGS, TAGS_OPENING, spansOfTags } from "./labels.ts";
import { matchNames } from "./names.ts";
import { type Model, STRIDE, type SharedModel, openModel, readModel } from "./model.ts";
import { createLattice, decode } from "./viterbi.ts";
import { PLACES, PLACE_OWN, type Word, createEdge, describeWord } from "./word.ts";

/** Finds entities in sentences. */
export interface Tagger {
  /** The entities of a sentence of tokens; one longer than TOKENS_MAX is worked in pieces. */
  tag(tokens: readonly string[]): Span[];
  model: Model;
}

/**
 * Loads a tagger from a model's file, which throws BadModel when it is none, or over the memory
 * that another thread has loaded.
 */
export function loadTagger(source: Uint8Array | SharedModel): Tagger {
  return createTagger(source instanceof Uint8Array ? readModel(source) : openModel(source));
}

/** What another thread needs to load the same tagger without a table of its own; may be posted. */
export function shareTagger({ model }: Tagger): SharedModel {
  return model.shared;
}

/** A longer sentence is cut into pieces of this many tokens, each tagged by itself. */
const TOKENS_MAX = 256;

/** When so many different words have been seen, their sums are forgotten and worked out anew. */
const WORDS_KEPT_MAX = 50_000;
/** Words of more characters are not kept: nobody repeats them. */
const KEPT_CHARS_MAX = 48;

const WIDTH = TAGS.length;
/** Tokens before the first and after the last that a sentence's scores have room for. */
const FIELD_MARGIN = 4;

const NEVER = -1e6;
const NO_IDS: readonly Int32Array[] = [];

interface KnownWord extends Word {
  /** Where the word's sums begin: a row of scores for each of the PLACES. */
  sums: number;
}

/**
 * Makes a tagger over a model: a linear chain over hashed features (Lafferty et al., ICML 2001;
 * Weinberger et al., ICML 2009), decoded by Viterbi. It keeps the summed scores of words it has seen, up to about 20 MB, and is
 * not to be used from two places at once. Of a token's about 90 features only those that join
 * words are looked up anew.
 */
export function createTagger(model: Model): Tagger {
  const { table, scale, pairs, lexicon } = model;
  const mask = table.length / STRIDE - 1;
  // The scores of a sentence have room on both sides for what the edges' sums add there.
  const field = new Float32Array((TOKENS_MAX + 2 * FIELD_MARGIN) * WIDTH);
  const lattice = { ...createLattice(TOKENS_MAX), scores: field.subarray(FIELD_MARGIN * WIDTH) };
  const { tags } = lattice;
  const kept = new Map<string, KnownWord>();
  const sums = new Float32Array((WORDS_KEPT_MAX + TOKENS_MAX + 2) * PLACES.length * WIDTH);
  const joint = new Int32Array(JOINT_FEATURES_MAX);
  const matches = new Uint16Array(TOKENS_MAX + 4);
  let sumsUsed = 0;

  /** Adds up the rows of features; unrolled over the seven tags, which is where the time goes. */
  const addRows = (ids: Int32Array, count: number, into: Float32Array, base: number): void => {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let s4 = 0;
    let s5 = 0;
    let s6 = 0;
    for (let at = 0; at < count; at++) {
      const row = ((ids[at] as number) & mask) * STRIDE;
      s0 = (s0 + (table[row] as number)) | 0;
      s1 = (s1 + (table[row + 1] as number)) | 0;
      s2 = (s2 + (table[row + 2] as number)) | 0;
      s3 = (s3 + (table[row + 3] as number)) | 0;
      s4 = (s4 + (table[row + 4] as number)) | 0;
      s5 = (s5 + (table[row + 5] as number)) | 0;
      s6 = (s6 + (table[row + 6] as number)) | 0;
    }
    into[base] = (into[base] as number) + s0 * scale;
    into[base + 1] = (into[base + 1] as number) + s1 * scale;
    into[base + 2] = (into[base + 2] as number) + s2 * scale;
    into[base + 3] = (into[base + 3] as number) + s3 * scale;
    into[base + 4] = (into[base + 4] as number) + s4 * scale;
    into[base + 5] = (into[base + 5] as number) + s5 * scale;
    into[base + 6] = (into[base + 6] as number) + s6 * scale;
  };

  const learn = (word: Word): KnownWord => {
    const base = sumsUsed;
    sumsUsed += PLACES.length * WIDTH;
    sums.fill(0, base, sumsUsed);
    for (let place = 0; place < PLACES.length; place++) {
      const ids = word.ids[place] as Int32Array;
      addRows(ids, ids.length, sums, base + place * WIDTH);
    }
    for (let tag = 0; tag < WIDTH; tag++) {
      if (!word.mayOpen && TAGS_OPENING[tag] === 1) sums[base + PLACE_OWN * WIDTH + tag] = NEVER;
    }
    // The kept word drops its lists of features: the sums stand for them.
    return { ...word, ids: NO_IDS, sums: base };
  };
  const edges = [learn(createEdge(true)), learn(createEdge(false))] as const;
  const edgesUsed = sumsUsed;

  const wordOf = (token: string): KnownWord => {
    const known = kept.get(token);
    if (known !== undefined) return known;
    const word = learn(describeWord(token, lexicon));
    if (token.length <= KEPT_CHARS_MAX) kept.set(token, word);
    return word;
  };

  /**
   * Adds a word's sums to the scores of its neighbours and itself, `at` counted with the edges:
   * they lie side by side, in the order of the tokens that they count for.
   */
  const addSums = (from: number, at: number): void => {
    const start = at * WIDTH;
    for (let step = 0; step < PLACES.length * WIDTH; step++) {
      field[start + step] = (field[start + step] as number) + (sums[from + step] as number);
    }
  };

  const words: KnownWord[] = Array.from({ length: TOKENS_MAX + 4 }, () => edges[0]);
  const tagPiece = (tokens: readonly string[], from: number, count: number): Span[] => {
    if (sumsUsed + count * PLACES.length * WIDTH > sums.length) {
      kept.clear();
      sumsUsed = edgesUsed;
    }
    for (let at = 0; at < count; at++) words[at + 2] = wordOf(tokens[from + at] as string);
    words[count + 2] = edges[1];
    words[count + 3] = edges[1];
    const mode = modeOf(words, 2, count);
    matchNames(words, 2, count, lexicon.names, matches);
    field.fill(0, 0, (count + 2 * FIELD_MARGIN) * WIDTH);
    for (let at = 0; at < count + 4; at++) addSums((words[at] as KnownWord).sums, at);
    for (let at = 0; at < count; at++) {
      const joined = joinFeatures(words, at + 2, 2, mode, matches, joint);
      addRows(joint, joined, field, (at + FIELD_MARGIN) * WIDTH);
    }
    decode(lattice, count, pairs);
    return spansOfTags(tags, count);
  };

  return {
    model,
    tag(tokens) {
      if (tokens.length <= TOKENS_MAX)
        return tokens.length === 0 ? [] : tagPiece(tokens, 0, tokens.length);
      const spans: Span[] = [];
      for (let from = 0; from < tokens.length; from += TOKENS_MAX) {
        const count = Math.min(TOKENS_MAX, tokens.length - from);
        for (const { start, end, label } of tagPiece(tokens, from, count)) {
          spans.push({ start: start + from, end: end + from, label });
        }
      }
      return spans;
    },
  };
}
