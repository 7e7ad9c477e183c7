import type { FoundLanguage } from "./finder.ts";

/** Only this much of a text is looked at. */
const SAMPLE_CHARS_MAX = 4_000;

/** Tells Hindi by its script; everything else is taken for English. */
export function guessByScript(text: string): FoundLanguage {
  const sample = text.slice(0, SAMPLE_CHARS_MAX);
  const devanagari = sample.match(/[\u0900-\u0963\u0966-\u097F]/g)?.length ?? 0;
  if (devanagari === 0) return "en";
  const latin = sample.match(/\p{Script=Latin}/gu)?.length ?? 0;
  return devanagari > latin ? "hi" : "en";
}
