import { createRequire } from "node:module";
import { join } from "node:path";
import { readRegions, readSubdivisions } from "./english.ts";
import { LISTS, NAMES, type NameLists, createNameLists, wordsOf } from "./names.ts";

const DEVANAGARI = /[\u0900-\u097F]/u;

/** Collects Hindi names from the packages in a folder `node_modules`. */
export async function collectHindi(packages: string): Promise<NameLists> {
  const lists = createNameLists();
  const load = createRequire(join(packages, "from.js"));
  const addPlace = (name: string, list: number, kind: number): void => {
    if (!DEVANAGARI.test(name)) return;
    // Texts write a nukta as a mark of its own or as part of its letter.
    for (const spelling of new Set([name.normalize("NFC"), name.normalize("NFD"), name])) {
      for (const word of wordsOf(spelling)) lists.addWord(word, list);
      lists.addName(spelling, kind);
    }
  };
  for (const name of await readRegions(packages, "hi")) addPlace(name, LISTS.country, NAMES.place);
  for (const name of await readSubdivisions(packages, "hi")) {
    addPlace(name, LISTS.region, NAMES.place);
  }
  for (const name of await readZoneCities(packages)) addPlace(name, LISTS.city, NAMES.town);
  for (const name of readDistricts(load)) addPlace(name, LISTS.town, NAMES.town);
  const { allFakers } = load("@faker-js/faker") as {
    allFakers: Record<string, { rawDefinitions?: { person?: Record<string, unknown> } }>;
  };
  const person = allFakers["ne"]?.rawDefinitions?.person;
  for (const name of flatten(person?.["first_name"])) lists.addWord(name, LISTS.first);
  for (const name of flatten(person?.["last_name"])) lists.addWord(name, LISTS.last);
  return lists;
}

function flatten(names: unknown): string[] {
  return Array.isArray(names) ? (names as string[]) : Object.values(names ?? {}).flat();
}

/** Cities that zones of time are called after, from Unicode CLDR. */
async function readZoneCities(packages: string): Promise<string[]> {
  const file = join(packages, "cldr-dates-full/main/hi/timeZoneNames.json");
  const cities: string[] = [];
  JSON.parse(await Bun.file(file).text(), (key, value: unknown) => {
    if (key === "exemplarCity" && typeof value === "string") cities.push(value);
    return value;
  });
  return cities;
}

/** States and districts of India. */
function readDistricts(load: NodeJS.Require): string[] {
  const folder = "@coffeebeanslabs/country_state_district";
  return ["state", "city"].flatMap((file) =>
    (load(`${folder}/${file}.json`) as { hi_name?: string }[]).map((place) => place.hi_name ?? ""),
  );
}
