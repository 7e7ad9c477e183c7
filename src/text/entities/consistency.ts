import type { EntityLabel, Span } from "./labels.ts";

/** What of a text is looked at: its sentences with the entities that were found in them. */
export interface SpannedSentence {
  tokens: readonly string[];
  spans: Span[];
}

/** Longer names are not looked for elsewhere in the text. */
const NAME_TOKENS_MAX = 4;

/**
 * Makes a text agree with itself, which sentences tagged one by one do not: a surname is the
 * person whose full name the text gives ("Angela Merkel … Merkel"), whatever it was taken for.
 * Only words with a capital are looked at, since small letters name nothing in a text that has
 * capitals.
 */
export function spreadNames(sentences: readonly SpannedSentence[]): void {
  const surnames = new Map<string, EntityLabel>();
  for (const { tokens, spans } of sentences) {
    for (const { start, end, label } of spans) {
      if (label !== "PER" || end - start < 2 || end - start > NAME_TOKENS_MAX) continue;
      const last = tokens[end - 1] ?? "";
      if (isName(last)) surnames.set(last, label);
    }
  }
  if (surnames.size === 0) return;
  for (const sentence of sentences) {
    const { tokens } = sentence;
    const taken = new Set<number>();
    let isChanged = false;
    for (const span of sentence.spans) {
      // A place stays one: Michael Jordan may be in Jordan.
      const isAlone = span.end - span.start === 1 && span.label !== "LOC";
      if (isAlone && surnames.has(tokens[span.start] ?? "")) span.label = "PER";
      for (let at = span.start; at < span.end; at++) taken.add(at);
    }
    for (const [at, token] of tokens.entries()) {
      if (taken.has(at) || !surnames.has(token)) continue;
      // "Smith Street" is no person: only a name that stands alone is taken.
      // The capital of a sentence's first word says nothing.
      const isPart = at > 1 && isName(tokens[at - 1] ?? "");
      if (isPart || isName(tokens[at + 1] ?? "")) continue;
      sentence.spans.push({ start: at, end: at + 1, label: "PER" });
      isChanged = true;
    }
    if (isChanged) sentence.spans.sort((one, other) => one.start - other.start);
  }
}

function isName(token: string): boolean {
  const first = token.charAt(0);
  return token.length > 2 && first !== first.toLowerCase() && token !== token.toUpperCase();
}
