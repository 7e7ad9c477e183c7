import { TAGS, tagsOfSpans } from "./labels.ts";
import type { Lexicon } from "./lexicon.ts";
import { quantiseWeights } from "./model.ts";
import { makeNewswire } from "./newswire.ts";
import { createRandom } from "./random.ts";
import { createTagger } from "./tagger.ts";
import { createTokenizer } from "./tokenizer.ts";
import {
  type LabelledSentence,
  type TrainingOptions,
  type Weights,
  trainWeights,
} from "./training.ts";

/** Texts without labels beyond so many sentences are not looked at. */
const UNLABELLED_MAX = 45_000;
/** Shorter sentences are left out: they say little about their names. */
const UNLABELLED_TOKENS_MIN = 5;
const TEACHER_EPOCHS = 5;

/**
 * Trains on labelled sentences and what agencies send beside running text. Given texts without
 * labels, a first tagger is trained, tags them as they are written, and the second learns from its
 * tags too: mostly how the same names look in small letters (self-training: Yarowsky, ACL 1995).
 */
export function teachWeights(
  labelled: readonly LabelledSentence[],
  texts: readonly string[],
  lexicon: Lexicon,
  options: TrainingOptions,
): Weights {
  const sentences = [...labelled, ...makeNewswire(labelled, createRandom(options.seed))];
  const unlabelled = cutTexts(texts);
  if (unlabelled.length === 0) return trainWeights(sentences, lexicon, options);
  const epochs = Math.min(TEACHER_EPOCHS, options.epochs);
  const teacher = createTagger(
    quantiseWeights(trainWeights(sentences, lexicon, { ...options, epochs }), lexicon),
  );
  const taught = unlabelled.map((tokens) => {
    const tags = tagsOfSpans(teacher.tag(tokens), tokens.length);
    return { tokens, tags: Array.from(tags, (tag) => TAGS[tag] ?? "O") };
  });
  return trainWeights([...sentences, ...taught], lexicon, options);
}

/** Sentences spread over all the texts, each text once. */
function cutTexts(texts: readonly string[]): string[][] {
  const tokenize = createTokenizer();
  const unique = [...new Set(texts)];
  const step = Math.max(1, Math.floor(unique.length / UNLABELLED_MAX));
  const sentences: string[][] = [];
  for (let at = 0; at < unique.length && sentences.length < UNLABELLED_MAX; at += step) {
    tokenize(unique[at] ?? "", ({ tokens }) => {
      if (tokens.length >= UNLABELLED_TOKENS_MIN) sentences.push(tokens);
    });
  }
  return sentences;
}
