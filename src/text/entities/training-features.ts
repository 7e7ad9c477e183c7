import { JOINT_FEATURES_MAX, joinFeatures, modeOf } from "./features.ts";
import type { Lexicon } from "./lexicon.ts";
import { matchNames } from "./names.ts";
import { PLACES, type Word, createEdge, describeWord } from "./word.ts";

/** The features of a sentence's tokens, as rows of the table of weights. */
export interface Features {
  ids: Int32Array;
  /** The features of token n are those from `ends[n]` to before `ends[n + 1]`. */
  ends: Int32Array;
  /**
   * Works them out and returns how many tokens there are, at most `tokensMax`. Each word is left
   * out of joint features with a chance of `hiddenShare`.
   */
  collect(tokens: readonly string[], hiddenShare: number): number;
}

/** Stands for a word that is left out. */
const HIDDEN = 0x5eed;
const TOKEN_FEATURES_MAX = 256;

/** Makes a collector of features, which keeps the words it has seen. */
export function createFeatures(
  lexicon: Lexicon,
  { tableBits, tokensMax, random }: { tableBits: number; tokensMax: number; random: () => number },
): Features {
  const mask = (1 << tableBits) - 1;
  const edges = [createEdge(true), createEdge(false)] as const;
  const cache = new Map<string, Word>();
  const joint = new Int32Array(JOINT_FEATURES_MAX);
  const matches = new Uint16Array(tokensMax + 4);
  const ids = new Int32Array(tokensMax * TOKEN_FEATURES_MAX);
  const ends = new Int32Array(tokensMax + 1);
  const wordOf = (token: string): Word => {
    let word = cache.get(token);
    if (word === undefined) {
      word = describeWord(token, lexicon);
      cache.set(token, word);
    }
    return word;
  };
  return {
    ids,
    ends,
    collect(tokens, hiddenShare) {
      const count = Math.min(tokens.length, tokensMax);
      const inner = tokens.slice(0, count).map(wordOf);
      let words: Word[] = [edges[0], edges[0], ...inner, edges[1], edges[1]];
      matchNames(words, 2, count, lexicon.names, matches);
      // Its look, its cluster and its lists stay.
      if (hiddenShare > 0) {
        words = words.map((word) =>
          word.ids.length > 0 && random() < hiddenShare ? { ...word, lower: HIDDEN } : word,
        );
      }
      const mode = modeOf(words, 2, count);
      let end = 0;
      for (let at = 0; at < count; at++) {
        for (let place = 0; place < PLACES.length; place++) {
          const offset = PLACES[place] as number;
          const found = (words[at + 2 + offset] as Word).ids[place] as Int32Array;
          for (let id = 0; id < found.length; id++) ids[end++] = (found[id] as number) & mask;
        }
        const joined = joinFeatures(words, at + 2, 2, mode, matches, joint);
        for (let id = 0; id < joined; id++) ids[end++] = (joint[id] as number) & mask;
        ends[at + 1] = end;
      }
      return count;
    },
  };
}
