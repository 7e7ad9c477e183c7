import { spansOfNames } from "./labels.ts";
import { type TypedScore, createScorer } from "./score.ts";
import type { Tagger } from "./tagger.ts";
import type { LabelledSentence } from "./training.ts";

/** Tags labelled sentences, tokens as given, and says how well that went. */
export function evaluateTagger(
  taggerOf: (tokens: readonly string[]) => Tagger,
  sentences: readonly LabelledSentence[],
  { lower }: { lower: boolean },
): TypedScore {
  const scorer = createScorer();
  for (const sentence of sentences) {
    const tokens = lower ? sentence.tokens.map((token) => token.toLowerCase()) : sentence.tokens;
    scorer.add(taggerOf(tokens).tag(tokens), spansOfNames(sentence.tags));
  }
  return scorer.score();
}
