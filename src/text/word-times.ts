import { alignWords } from "./alignment.ts";

export interface TimedWord {
  word: string;
  startMs: number;
  endMs: number;
}

/** A word's place in time. */
export interface WordTime {
  startMs: number;
  endMs: number;
  /** The timed word that it still is; null when its time is a share of the gap it stands in. */
  from: number | null;
}

/**
 * The times of the words of a text that was changed since its words were timed: unchanged ones keep
 * theirs, the others share the time between by their lengths.
 */
export function timesOf(
  texts: readonly string[],
  words: readonly TimedWord[],
  startMs: number,
  endMs: number,
): WordTime[] {
  const known = words.map(({ word }) => word);
  const times: WordTime[] = [];
  for (const block of alignWords(known, texts)) {
    const { beforeStart, beforeEnd, afterStart, afterEnd } = block;
    if (block.isSame) {
      for (let at = beforeStart; at < beforeEnd; at++) {
        const word = words[at];
        if (word !== undefined) times.push({ startMs: word.startMs, endMs: word.endMs, from: at });
      }
      continue;
    }
    const from = words[beforeStart - 1]?.endMs ?? startMs;
    const to = Math.max(from, words[beforeEnd]?.startMs ?? endMs);
    const inserted = texts.slice(afterStart, afterEnd);
    const total = inserted.reduce((sum, text) => sum + text.length, 0);
    let done = 0;
    for (const text of inserted) {
      const start = from + ((to - from) * done) / total;
      done += text.length;
      times.push({
        startMs: Math.round(start),
        endMs: Math.round(from + ((to - from) * done) / total),
        from: null,
      });
    }
  }
  return times;
}
