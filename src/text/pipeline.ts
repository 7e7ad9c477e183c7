import { cleanText } from "./clean.ts";
import {
  type Entity,
  type EntityFinder,
  FOUND_LANGUAGES,
  type FoundLanguage,
} from "./entities/finder.ts";
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
  /** Whom and what the cleaned text names; none in a language that they are not found in. */
  entities: Entity[];
  /** The language given or, when none was, detected; null when nothing can be told. */
  language: string | null;
}

/**
 * Makes what cleans one text, says how many words it has, in which language they are and whom they
 * name. Pure; the first text without a language may wait for the detector to load.
 */
export function createTextProcessor(
  findEntities: EntityFinder,
): (job: TextJob) => Promise<TextResult> {
  return async (job) => {
    const language = job.language ?? (await detectLanguage(job.text));
    const text = cleanText(job.text, language ?? "");
    const found = foundLanguage(language);
    const entities = found === null ? [] : findEntities(text, found);
    return { text, wordCount: countWords(text), entities, language };
  };
}

function foundLanguage(language: string | null): FoundLanguage | null {
  const [primary] = (language ?? "").toLowerCase().split("-");
  return FOUND_LANGUAGES.find((known) => known === primary) ?? null;
}
