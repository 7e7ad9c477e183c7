import { spreadNames } from "./consistency.ts";
import type { EntityLabel, Span } from "./labels.ts";
import type { Tagger } from "./tagger.ts";
import { createTokenizer } from "./tokenizer.ts";

/** A person, organisation or place that a text names. */
export interface Entity {
  /** As the text has it, from `start` to before `end` in UTF-16 code units. */
  text: string;
  label: EntityLabel;
  start: number;
  end: number;
}

/** Finds the entities of a text in its order; the same for the same text whatever came before. */
export type EntityFinder = (text: string, language: FoundLanguage) => Entity[];

/** Languages that entities are found in. */
export const FOUND_LANGUAGES = ["en", "hi"] as const;
export type FoundLanguage = (typeof FOUND_LANGUAGES)[number];

/** A tagged sentence of a text. */
export interface TaggedSentence {
  tokens: readonly string[];
  starts: readonly number[];
  spans: Span[];
}

/** Makes a finder over one tagger a language. Pure and synchronous; not for two threads at once. */
export function createEntityFinder(taggers: Record<FoundLanguage, Tagger>): EntityFinder {
  const tokenize = createTokenizer();
  return (text, language) => {
    const tagger = taggers[language];
    const sentences: TaggedSentence[] = [];
    tokenize(text, ({ tokens, starts }) => {
      sentences.push({ tokens, starts, spans: tagger.tag(tokens) });
    });
    spreadNames(sentences);
    const entities: Entity[] = [];
    for (const { tokens, starts, spans } of sentences) {
      for (const { start: first, end: last, label } of spans) {
        const start = starts[first] ?? 0;
        const end = (starts[last - 1] ?? 0) + (tokens[last - 1] ?? "").length;
        entities.push({ text: text.slice(start, end), label, start, end });
      }
    }
    return entities;
  };
}
