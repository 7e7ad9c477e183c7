import { cleanText } from "./clean.ts";
import { detectLanguage } from "./language.ts";
import { countWords } from "./words.ts";

export interface TextJob {
  text: string;
  /** A BCP 47 tag ("en", "hi-IN") when the speaker's language is known, else null. */
  language: string | null;
}

export interface TextResult {
  /** The cleaned text; empty when nothing but noise and fillers was said. */
  text: string;
  /** Words of the cleaned text. */
  wordCount: number;
  /** The language given or, when none was, detected; null when nothing can be told. */
  language: string | null;
}

/**
 * Cleans one text and says how many words it has and in which language they are. Pure and
 * synchronous; the first text without a language may wait for the detector to load.
 */
export function processText(job: TextJob): TextResult {
  const language = job.language ?? detectLanguage(job.text);
  const text = cleanText(job.text, language ?? "");
  return { text, wordCount: countWords(text), language };
}
