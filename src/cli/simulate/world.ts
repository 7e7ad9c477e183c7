import {
  FIRST_NAMES,
  HINDI_BODIES,
  HINDI_FIRST_NAMES,
  HINDI_LAST_NAMES,
  HINDI_PAPERS,
  HINDI_PLACES,
  LAST_NAMES,
  ORGANISATION_FIELDS,
  ORGANISATION_FIRSTS,
  ORGANISATION_KINDS,
  PAPERS,
  PLACES,
  PLACE_BEGINNINGS,
  PLACE_ENDINGS,
  PLACE_FIRSTS,
  PUBLIC_BODIES,
  PUBLIC_FIELDS,
} from "./name-parts.ts";
import { type Random, createRandom } from "./random.ts";
import { BEATS } from "./sentences.ts";

/** Who and what there is: each with the ways it is written, the usual one first. */
export interface Cast {
  people: string[][];
  places: string[][];
  organisations: string[][];
}

export interface SimulatedPublication {
  name: string;
  language: "en" | "hi";
  /** Where its favourites begin in each list of the cast. */
  interests: { people: number; places: number; organisations: number };
  /** What it writes about. */
  subjects: readonly string[];
}

export interface World {
  casts: Record<"en" | "hi", Cast>;
  /** By language. */
  publications: Record<"en" | "hi", SimulatedPublication[]>;
}

const PEOPLE = 3_000;
const MADE_PLACES = 600;
const COMPANIES = 500;
const PUBLIC_ORGANISATIONS = 200;
const HINDI_PEOPLE = 800;
const PUBLICATIONS = 36;

/** The world of a seed; the same for the same seed. */
export function createWorld(seed: number): World {
  const random = createRandom(seed, -1);
  const en = englishCast(random);
  const hi = hindiCast(random);
  const titles = distinct(PUBLICATIONS, () => {
    const place = random.pick(en.places)[0] ?? "";
    return `${random.chance(0.4) ? "The " : ""}${place} ${random.pick(PAPERS)}`;
  });
  return {
    casts: { en, hi },
    publications: {
      en: titles.map((name, at) => publication(name, "en", en, at, random)),
      hi: HINDI_PAPERS.map((name, at) => publication(name, "hi", hi, at, random)),
    },
  };
}

function publication(
  name: string,
  language: "en" | "hi",
  cast: Cast,
  at: number,
  random: Random,
): SimulatedPublication {
  return {
    name,
    language,
    interests: {
      people: random.below(cast.people.length),
      places: random.below(cast.places.length),
      organisations: random.below(cast.organisations.length),
    },
    subjects: BEATS[at % BEATS.length] ?? [],
  };
}

function englishCast(random: Random): Cast {
  const people = distinct(PEOPLE, () => {
    const initial = random.chance(0.12) ? ` ${random.pick("ABCDEFGHJKLMNPRSTW".split(""))}.` : "";
    return `${random.pick(FIRST_NAMES)}${initial} ${random.pick(LAST_NAMES)}`;
  }).map((name) => [name, ...titled(name, random)]);
  const madePlaces = distinct(MADE_PLACES, () => {
    const name = `${random.pick(PLACE_BEGINNINGS)}${random.pick(PLACE_ENDINGS)}`;
    return random.chance(0.2) ? `${random.pick(PLACE_FIRSTS)} ${name}` : name;
  }).map((name) => [name]);
  const companies = distinct(COMPANIES, () => {
    if (random.chance(0.2)) return `${random.pick(LAST_NAMES)} & ${random.pick(LAST_NAMES)}`;
    return `${random.pick(ORGANISATION_FIRSTS)} ${random.pick(ORGANISATION_FIELDS)}`;
  }).map((name) => [name, `${name} ${random.pick(ORGANISATION_KINDS)}`]);
  const bodies = distinct(PUBLIC_ORGANISATIONS, () => {
    if (random.chance(0.4)) return `University of ${random.pick(madePlaces)[0] ?? ""}`;
    return `${random.pick(PUBLIC_BODIES)} ${random.pick(PUBLIC_FIELDS)} of ${random.pick(madePlaces)[0] ?? ""}`;
  }).map((name) => [name]);
  return {
    people,
    places: shuffled([...PLACES.map((names) => [...names]), ...madePlaces], random),
    organisations: shuffled([...companies, ...bodies], random),
  };
}

/** The same person with a title, for a few. */
function titled(name: string, random: Random): string[] {
  if (!random.chance(0.25)) return [];
  return [`${random.pick(["Dr.", "Sen.", "Mr.", "Ms.", "Prof.", "Sir"])} ${name}`];
}

function hindiCast(random: Random): Cast {
  const people = distinct(
    HINDI_PEOPLE,
    () => `${random.pick(HINDI_FIRST_NAMES)} ${random.pick(HINDI_LAST_NAMES)}`,
  ).map((name) => [name, `श्री ${name}`]);
  return {
    people,
    places: shuffled(
      HINDI_PLACES.map((name) => [name]),
      random,
    ),
    organisations: shuffled(
      HINDI_BODIES.map((name) => [name]),
      random,
    ),
  };
}

/** So many different ones; there have to be many more than are asked for. */
function distinct(count: number, make: () => string): string[] {
  const made = new Set<string>();
  while (made.size < count) made.add(make());
  return [...made];
}

function shuffled<Item>(items: Item[], random: Random): Item[] {
  const left = [...items];
  const order: Item[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}
