import type { HeardWord } from "./engine.ts";

/** A model's pieces of words. Times are milliseconds from the start of the stream. */
export interface Pieces {
  tokens: readonly string[];
  startsMs: readonly number[];
  /** Empty when the model does not say. */
  durationsMs: readonly number[];
  /** Natural logarithms; empty when the model does not say. */
  logProbabilities: readonly number[];
  /** Where the sound ends; no word is later. */
  endMs: number;
}

interface Building {
  bytes: number[];
  startMs: number;
  endMs: number;
  logProbabilities: number[];
}

/** Models tell when a piece begins; this long after, the last one of a word is taken to be over. */
const PIECE_MS = 240;

/** How SentencePiece and sherpa mark a piece that begins a word. */
const WORD_START = /^[▁ ]/;

/** Scripts that are written without spaces: each of their characters is a word of its own. */
const SPACELESS = /^\p{Script=Han}|^\p{Script=Hiragana}|^\p{Script=Katakana}|^\p{Script=Thai}/u;

/** A byte of a character that is not in the model's vocabulary. */
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Joins pieces to words with their times and the geometric mean of their pieces' probabilities.
 * Times rise. Empty when the pieces have no times.
 */
export function wordsOf(pieces: Pieces): HeardWord[] {
  const { tokens, startsMs, durationsMs, logProbabilities, endMs } = pieces;
  if (startsMs.length !== tokens.length) return [];
  const words: Building[] = [];
  let wasSpaceless = false;
  let isFirst = true;
  for (const [at, token] of tokens.entries()) {
    const isSpaceless = SPACELESS.test(token);
    if (isFirst || isSpaceless || wasSpaceless || WORD_START.test(token)) {
      words.push({ bytes: [], startMs: startsMs[at] ?? 0, endMs: 0, logProbabilities: [] });
    }
    const word = words.at(-1);
    if (word === undefined) continue;
    isFirst = false;
    wasSpaceless = isSpaceless;
    word.bytes.push(...bytesOf(token));
    word.endMs = (startsMs[at] ?? 0) + (durationsMs[at] ?? PIECE_MS);
    const logProbability = logProbabilities[at];
    if (logProbability !== undefined) word.logProbabilities.push(logProbability);
  }
  return timed(words, endMs);
}

function timed(words: readonly Building[], soundEndMs: number): HeardWord[] {
  let earliestMs = 0;
  return words.flatMap((word, at) => {
    const nextMs = words[at + 1]?.startMs ?? soundEndMs;
    const startMs = Math.round(Math.min(Math.max(word.startMs, earliestMs), soundEndMs));
    const endMs = Math.round(Math.max(startMs, Math.min(word.endMs, nextMs, soundEndMs)));
    earliestMs = startMs;
    const text = new TextDecoder().decode(Uint8Array.from(word.bytes)).trim();
    const confidence = meanProbability(word.logProbabilities);
    return text === "" ? [] : [{ word: text, startMs, endMs, confidence }];
  });
}

/** Bytes, since the pieces of one character may be spread over several tokens. */
function bytesOf(token: string): Iterable<number> {
  const [, hex] = BYTE_TOKEN.exec(token) ?? [];
  return hex === undefined
    ? new TextEncoder().encode(token.replace(WORD_START, ""))
    : [Number.parseInt(hex, 16)];
}

function meanProbability(logProbabilities: readonly number[]): number | null {
  if (logProbabilities.length === 0) return null;
  const mean = logProbabilities.reduce((sum, one) => sum + one, 0) / logProbabilities.length;
  return Number.isFinite(mean) ? Math.round(Math.min(1, Math.exp(mean)) * 1000) / 1000 : null;
}
