import { type Random, createRandom } from "./random.ts";
import {
  ADJECTIVES,
  CORES,
  DAYS,
  HINDI_CORES,
  HINDI_DAYS,
  HINDI_SUBJECTS,
  OPENERS,
  TAILS,
} from "./sentences.ts";
import type { SourcePost } from "./source.ts";
import { type SimulatedPublication, createWorld } from "./world.ts";

/** Ends of the bands that lengths come from, in bytes, and how often a post is of each. */
const LENGTHS = [
  { share: 0.15, from: 80, to: 280 },
  { share: 0.7, from: 650, to: 1_650 },
  { share: 0.15, from: 1_650, to: 3_000 },
] as const;
const CONTENT_BYTES_MAX = 3_000;
const HINDI_SHARE = 0.1;
/** A sentence is about so long; what is left of a post's length has to be at least half of it. */
const SENTENCE_BYTES = 90;
const PARAGRAPH_SENTENCES = 4;
/** Of the names in a post so many are its publication's own interests. */
const INTEREST_SHARE = 0.45;
const INTERESTS = 80;

/** The month that all posts are of. */
const MONTH_START_MS = Date.UTC(2026, 0, 1);
const MONTH_MS = 30 * 86_400_000;

/**
 * Makes up post number `n` of a seed, whichever were made before. News-like text of 80 to 3,000
 * bytes, about 1,200 on average, a tenth of it Hindi, of one of 40 publications that have interests
 * of their own; a few names and publications are common and most are rare.
 */
export type MakePost = (n: number) => SourcePost;

/** Prepares the world of a seed. */
export function createGenerator(seed: number): MakePost {
  const world = createWorld(seed);
  const cores = CORES.map(splitTemplate);
  const hindiCores = HINDI_CORES.map(splitTemplate);
  const openers = OPENERS.map(splitTemplate);
  const tails = TAILS.map(splitTemplate);
  return (n) => {
    const random = createRandom(seed, n);
    const language = random.chance(HINDI_SHARE) ? "hi" : "en";
    const publications = world.publications[language];
    // Squared, so that the first are larger without all the others being small.
    const which = Math.floor(publications.length * random.next() ** 2);
    const publication = publications[which] as SimulatedPublication;
    const fill = createFiller(world.casts[language], publication, random);
    const sentence = (): string => {
      if (language === "hi") return `${fill(random.pick(hindiCores))}।`;
      const text = fill(random.pick(openers)) + fill(random.pick(cores)) + fill(random.pick(tails));
      return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
    };
    return {
      content: compose(lengthOf(random), sentence),
      publication: publication.name,
      externalId: `sim-${seed}-${n}`,
      publishedAt: MONTH_START_MS + random.below(MONTH_MS),
    };
  };
}

function lengthOf(random: Random): number {
  let share = random.next();
  for (const band of LENGTHS) {
    if (share < band.share) return band.from + random.below(band.to - band.from);
    share -= band.share;
  }
  return SENTENCE_BYTES;
}

function compose(bytes: number, sentence: () => string): string {
  let text = sentence();
  let length = Buffer.byteLength(text);
  for (let count = 1; bytes - length > SENTENCE_BYTES / 2 || length < 80; count++) {
    const next = `${count % PARAGRAPH_SENTENCES === 0 ? "\n" : " "}${sentence()}`;
    length += Buffer.byteLength(next);
    if (length > CONTENT_BYTES_MAX) break;
    text += next;
  }
  return text;
}

/** Text and names of slots by turns, text first. */
type Template = readonly string[];

function splitTemplate(template: string): Template {
  return template.split(/[{}]/);
}

/** Fills templates with the people, places and organisations of one post. */
function createFiller(
  { people, places, organisations }: ReturnType<typeof createWorld>["casts"]["en"],
  { interests, subjects, language }: SimulatedPublication,
  random: Random,
): (template: Template) => string {
  const choose = (names: string[][], interest: number): string[] => {
    const at = random.chance(INTEREST_SHARE)
      ? interest + random.ranked(INTERESTS)
      : random.ranked(names.length);
    return names[at % names.length] ?? [];
  };
  const some = (names: string[][], interest: number): string[][] =>
    Array.from({ length: 1 + random.below(3) }, () => choose(names, interest));
  const cast = {
    people: some(people, interests.people),
    places: some(places, interests.places),
    organisations: some(organisations, interests.organisations),
  };
  const named = new Set<string>();
  const written = (names: string[]): string =>
    random.chance(0.75) ? (names[0] ?? "") : random.pick(names);
  let latest: string[] = [];
  const person = (): string => {
    const others = cast.people.filter((names) => names !== latest);
    const names = others.length > 0 ? random.pick(others) : choose(people, interests.people);
    latest = names;
    const [name = ""] = names;
    // Whoever was named in full is often called by the surname from then on.
    if (language === "en" && named.has(name) && random.chance(0.6)) {
      return name.slice(name.lastIndexOf(" ") + 1);
    }
    named.add(name);
    return written(names);
  };
  const isHindi = language === "hi";
  const slots: Record<string, () => string> = {
    p: person,
    q: person,
    l: () => written(random.pick(cast.places)),
    m: () => written(choose(places, interests.places)),
    o: () => written(random.pick(cast.organisations)),
    r: () => written(choose(organisations, interests.organisations)),
    n: () => random.pick(isHindi ? HINDI_SUBJECTS : subjects),
    a: () => random.pick(ADJECTIVES),
    d: () => random.pick(isHindi ? HINDI_DAYS : DAYS),
    k: () => String(2 + random.below(98)),
  };
  return (template) =>
    template.map((part, at) => (at % 2 === 0 ? part : (slots[part]?.() ?? ""))).join("");
}
