import type { LabelledSentence } from "./training.ts";

/** A line of a data set that cannot be used; `line` counts from 1. */
export interface BadLine {
  line: number;
  reason: string;
}

const TAG = /^(?:O|[BI]-\S+)$/u;

/**
 * Reads labelled sentences from JSONL: `{"tokens":[…],"tags":[…]}` a line, tags as "B-PER",
 * "I-PER" and "O". Empty lines are passed over, sentences without tokens too. Lines that say
 * anything else are named.
 */
export function parseDataset(text: string): { sentences: LabelledSentence[]; bad: BadLine[] } {
  const sentences: LabelledSentence[] = [];
  const bad: BadLine[] = [];
  let line = 0;
  for (const source of text.split("\n")) {
    line++;
    if (source.trim() === "") continue;
    const parsed = parseLine(source);
    if (typeof parsed === "string") bad.push({ line, reason: parsed });
    else if (parsed.tokens.length > 0) sentences.push(parsed);
  }
  return { sentences, bad };
}

/** The sentence, or what is wrong with the line. */
function parseLine(source: string): LabelledSentence | string {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return "not JSON";
  }
  if (typeof value !== "object" || value === null) return "not an object";
  const { tokens, tags } = value as { tokens?: unknown; tags?: unknown };
  if (!isTexts(tokens)) return "tokens is not an array of strings";
  if (!isTexts(tags)) return "tags is not an array of strings";
  if (tokens.length !== tags.length) return `${tokens.length} tokens but ${tags.length} tags`;
  const odd = tags.find((tag) => !TAG.test(tag));
  if (odd !== undefined) return `no tag: ${JSON.stringify(odd.slice(0, 40))}`;
  return { tokens, tags };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/**
 * Makes one token of a lone "@" and the name after it, which is no entity: so it is in what people
 * type, and as a name of a person it would teach that whatever stands after an "@" is one. Places
 * ("@ Starbucks, London") stay.
 */
export function joinMentions({ tokens, tags }: LabelledSentence): LabelledSentence {
  const joined: { tokens: string[]; tags: string[] } = { tokens: [], tags: [] };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    const isMention =
      token === "@" && /^\w/u.test(tokens[at + 1] ?? "") && tags[at + 1]?.endsWith("LOC") !== true;
    joined.tokens.push(isMention ? `@${tokens[at + 1] ?? ""}` : token);
    joined.tags.push(isMention ? "O" : (tags[at] ?? "O"));
    if (isMention) at++;
  }
  return joined;
}

/** Of every ten blocks of this many consecutive sentences the last is kept for trying out. */
const BLOCK_SENTENCES = 50;
const BLOCKS = 10;

/** Splits sentences into those to train on and those to try out on; blocks keep documents together. */
export function splitDataset(sentences: readonly LabelledSentence[]): {
  train: LabelledSentence[];
  dev: LabelledSentence[];
} {
  const isDev = (at: number): boolean => Math.floor(at / BLOCK_SENTENCES) % BLOCKS === BLOCKS - 1;
  return {
    train: sentences.filter((_, at) => !isDev(at)),
    dev: sentences.filter((_, at) => isDev(at)),
  };
}
