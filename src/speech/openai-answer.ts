import type { Heard, HeardWord } from "./engine.ts";
import { codeOfLanguage } from "./whisper-languages.ts";

/** A service's answer is not what it should be. */
export class AnswerUnusable extends Error {
  override name = "AnswerUnusable";
}

/** Nobody says more in a second; a service that answers more is broken. */
const TEXT_CHARACTERS_PER_SECOND_MAX = 100;
/** So that a short sound may have its word. */
const TEXT_CHARACTERS_MIN = 1_000;

/**
 * Reads an answer of `json` or `verbose_json` to sound of `durationMs`. Throws `AnswerUnusable`.
 *
 * Times past the end of the sound are drawn in and made to rise, because services count the silence
 * that they add; times that are no times make the answer unusable.
 */
export function heardOf(answer: unknown, durationMs: number): Heard {
  if (!isRecord(answer)) throw new AnswerUnusable("it is no object");
  const { text, words, language } = answer;
  if (typeof text !== "string") throw new AnswerUnusable("it has no text");
  const charactersMax = TEXT_CHARACTERS_MIN + (durationMs / 1000) * TEXT_CHARACTERS_PER_SECOND_MAX;
  if (text.length > charactersMax) throw new AnswerUnusable("its text is too long");
  const heard: Heard = { text: text.trim(), words: wordsOf(words, durationMs, charactersMax) };
  const code = typeof language === "string" ? codeOfLanguage(language) : undefined;
  return code === undefined ? heard : { ...heard, language: code };
}

function wordsOf(words: unknown, durationMs: number, wordsMax: number): HeardWord[] {
  if (words === undefined || words === null) return [];
  if (!Array.isArray(words) || words.length > wordsMax) throw new AnswerUnusable("no words");
  let earliestMs = 0;
  return words.map((one: unknown) => {
    if (!isRecord(one)) throw new AnswerUnusable("a word is no object");
    const { word, start, end } = one;
    if (typeof word !== "string" || word.length > wordsMax) throw new AnswerUnusable("no word");
    const startMs = Math.max(earliestMs, Math.min(timeMs(start), durationMs));
    const endMs = Math.max(startMs, Math.min(timeMs(end), durationMs));
    if (timeMs(end) < timeMs(start)) throw new AnswerUnusable("a word ends before it begins");
    earliestMs = startMs;
    return {
      word: word.trim(),
      startMs: Math.round(startMs),
      endMs: Math.round(endMs),
      confidence: null,
    };
  });
}

function timeMs(seconds: unknown): number {
  if (typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0)
    return seconds * 1000;
  throw new AnswerUnusable("a time is no time");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
