import type { EntityFinder } from "./entities/finder.ts";
import type { EntityLabel } from "./entities/labels.ts";
import { guessByScript } from "./entities/script.ts";
import { foldName } from "./topic-names.ts";

/** A topic that a text mentions. */
export interface TopicMention {
  label: EntityLabel;
  /** The folded name: with the label it says which topic this is. */
  key: string;
  /** How this text writes it, each once, in code-point order. */
  spellings: string[];
}

/** Longer names are left out: they are something that was taken for a name. */
const NAME_CHARACTERS_MAX = 100;

/** Names whose key is remembered; folding one again costs more than finding it. */
const REMEMBERED_MAX = 20_000;

const ADDRESS = /^(?:@|https?:|www\.)/i;
const LETTER = /\p{L}/u;
const LATIN_LETTER = /^\p{Script=Latin}$/u;

/** What stands after a surname. */
const GENERATIONS = new Set("jr sr ii iii iv".split(" "));
/** What belongs to the surname that it stands before: van Gogh, bin Laden. */
const PARTICLES = new Set(
  "van von der den de del della di da du la le bin ibn al el ter ten".split(" "),
);

/**
 * Makes what finds the topics of a text: each label and key once, by label, then by key, in
 * code-point order. Pure: the same text gives the same topics in every process, whatever came
 * before. Not for two threads at once.
 *
 * A surname, or a first name, is the person whose full name stands anywhere in the same text, and
 * no topic of its own; also when several full names share it, because then it adds to one that is
 * there. Addresses and what has no letters are no topics, nor is a single Latin letter.
 */
export function createTopicFinder(findEntities: EntityFinder): (text: string) => TopicMention[] {
  const keyOf = rememberKeys();
  return (text) => {
    const found = new Map<string, { label: EntityLabel; key: string; spellings: Set<string> }>();
    for (const { text: written, label } of findEntities(text, guessByScript(text))) {
      if (isTooLong(written) || ADDRESS.test(written)) continue;
      const name = written.replace(/\s+/g, " ").toWellFormed();
      const key = keyOf(name, label);
      if (!isTopic(key)) continue;
      const identity = `${label} ${key}`;
      const topic = found.get(identity) ?? { label, key, spellings: new Set() };
      topic.spellings.add(name);
      found.set(identity, topic);
    }
    const topics = [...found.values()];
    const persons = topics.filter(({ label }) => label === "PER").map(({ key }) => key);
    const parts = persons.length > 1 ? partsOfNames(persons) : new Set<string>();
    return topics
      .filter(({ label, key }) => label !== "PER" || !parts.has(key))
      .sort((one, other) => compareText(one.label, other.label) || compareText(one.key, other.key))
      .map(({ label, key, spellings }) => ({
        label,
        key,
        spellings: [...spellings].sort(compareText),
      }));
  };
}

/** Orders by code points, as SQLite does; the operators order by UTF-16 units. */
export function compareText(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const left = one.charCodeAt(at);
    const right = other.charCodeAt(at);
    if (left === right) continue;
    // Pairs of surrogates stand for what comes after all single units.
    if (isSurrogate(left) !== isSurrogate(right)) return isSurrogate(left) ? 1 : -1;
    return left - right;
  }
  return one.length - other.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** First names and surnames of full names. */
function partsOfNames(keys: readonly string[]): Set<string> {
  const parts = new Set<string>();
  for (const key of keys) {
    const words = key.split(" ");
    while (words.length > 1 && GENERATIONS.has(words.at(-1) ?? "")) words.pop();
    const [first = "", ...others] = words;
    let surname = others.pop();
    if (surname === undefined) continue;
    parts.add(first).add(surname);
    for (let word = others.pop(); word !== undefined && PARTICLES.has(word); word = others.pop()) {
      surname = `${word} ${surname}`;
      parts.add(surname);
    }
  }
  return parts;
}

/** Folds a name once for as long as it is remembered, which changes nothing but the time. */
function rememberKeys(): typeof foldName {
  const known = new Map<string, string>();
  return (name, label) => {
    const identity = `${label} ${name}`;
    let key = known.get(identity);
    if (key !== undefined) return key;
    key = foldName(name, label);
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(identity, key);
    return key;
  };
}

function isTooLong(name: string): boolean {
  if (name.length <= NAME_CHARACTERS_MAX) return false;
  return name.length > 2 * NAME_CHARACTERS_MAX || Array.from(name).length > NAME_CHARACTERS_MAX;
}

function isTopic(key: string): boolean {
  return LETTER.test(key) && !LATIN_LETTER.test(key);
}
