import type { EntityLabel } from "./entities/labels.ts";

// Everything here is written in the folded form. Only names that mean the same wherever they stand
// are in it: "LA" is also Louisiana, "America" also two continents, "Congo" two states.

/** The name under which variants are kept, and the variants. */
const PLACES: readonly (readonly string[])[] = [
  ["us", "usa", "united states", "united states of america"],
  ["uk", "united kingdom", "united kingdom of great britain and northern ireland"],
  ["britain", "great britain"],
  ["uae", "united arab emirates"],
  ["ussr", "soviet union", "union of soviet socialist republics"],
  ["north korea", "dprk", "democratic peoples republic of korea"],
  ["czech republic", "czechia"],
  ["turkey", "turkiye"],
  ["ivory coast", "cote divoire"],
  ["new york", "ny"],
  ["new york city", "nyc"],
  ["washington dc", "dc", "district of columbia"],
  ["eu", "european union"],
  ["un", "united nations"],
  ["अमेरिका", "अमरीका", "संयुक्त राज्य अमेरिका"],
  ["पाकिस्तान", "पाक"],
  ["उत्तर प्रदेश", "यूपी"],
];

const ORGANISATIONS: readonly (readonly string[])[] = [
  ["un", "united nations", "united nations organization", "united nations organisation"],
  ["eu", "european union"],
  ["us", "usa", "united states", "united states of america"],
  ["uk", "united kingdom"],
  ["nato", "north atlantic treaty organization", "north atlantic treaty organisation"],
  ["who", "world health organization", "world health organisation"],
  ["imf", "international monetary fund"],
  ["wto", "world trade organization", "world trade organisation"],
  ["fbi", "federal bureau of investigation"],
  ["cia", "central intelligence agency"],
  ["nsa", "national security agency"],
  ["federal reserve", "fed", "us federal reserve"],
  ["gop", "republican party"],
  ["isis", "isil", "islamic state", "islamic state of iraq and syria"],
  ["al qaeda", "al qaida"],
  ["new york times", "ny times", "nyt", "nytimes"],
  ["wall street journal", "wsj"],
  ["general motors", "gm"],
  ["ibm", "international business machines"],
  ["jpmorgan", "jp morgan"],
  ["walmart", "wal mart"],
  ["youtube", "you tube"],
  ["mit", "massachusetts institute of technology"],
  ["bjp", "bharatiya janata party"],
  ["भाजपा", "बीजेपी", "भारतीय जनता पार्टी"],
  ["संयुक्त राष्ट्र", "संयुक्त राष्ट्र संघ"],
];

/** Name to be kept by variant, for each label. */
export const VARIANTS: Readonly<Record<EntityLabel, ReadonlyMap<string, string>>> = {
  PER: new Map(),
  ORG: variantsOf(ORGANISATIONS),
  LOC: variantsOf(PLACES),
};

const STATES: readonly (readonly [string, string])[] = [
  ["united states", "us"],
  ["united kingdom", "uk"],
  ["united nations", "un"],
];

/** The beginning of a longer name, and how it is kept: "United States Senate", "Mt. Everest". */
export const EXPANSIONS: Readonly<Record<EntityLabel, readonly (readonly [string, string])[]>> = {
  PER: [],
  ORG: STATES,
  LOC: [...STATES, ["saint", "st"], ["mt", "mount"], ["ft", "fort"]],
};

function variantsOf(groups: readonly (readonly string[])[]): ReadonlyMap<string, string> {
  return new Map(groups.flatMap(([kept = "", ...others]) => others.map((other) => [other, kept])));
}
