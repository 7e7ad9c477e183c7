/** What single words are listed as: the bits of a word's lists, in the order that models know. */
export const LISTS = {
  first: 0,
  last: 1,
  city: 2,
  town: 3,
  country: 4,
  region: 5,
  organisation: 6,
  team: 7,
  honorific: 8,
  demonym: 9,
  placeWord: 10,
  organisationWord: 11,
  job: 12,
  date: 13,
  people: 14,
  /** The word stands in a name of several words. */
  part: 15,
} as const;

/** What whole names are listed as, of one word or several: bits that models know. */
export const NAMES = {
  person: 0,
  town: 1,
  place: 2,
  /** Companies and brands, of which many are called like common things. */
  company: 3,
  group: 4,
  team: 5,
  /** The title of an article, whatever it is about. */
  title: 6,
} as const;

/** Longer names are left out: texts cut them short. */
const NAME_WORDS_MAX = 6;

/** Collects words and names with the lists that they are in. */
export interface NameLists {
  words: Map<string, number>;
  names: Map<string, number>;
  addWord(word: string, list: number): void;
  /** Adds a name's words to a list of words; those of names of several words are parts. */
  addWords(name: string, list: number): void;
  addName(name: string, list: number): void;
}

/** Words that say nothing about the name that they are part of. */
const FILLERS = /^(?:of|the|and|for|del|los|las|les|san|new)$/u;

export function createNameLists(): NameLists {
  const words = new Map<string, number>();
  const names = new Map<string, number>();
  const mark = (map: Map<string, number>, key: string, bit: number): void => {
    map.set(key, (map.get(key) ?? 0) | (1 << bit));
  };
  const addWord = (word: string, list: number): void => {
    for (const spelling of spellingsOf(word)) {
      if (spelling.length > 1) mark(words, spelling, list);
    }
  };
  return {
    words,
    names,
    addWord,
    addWords(name, list) {
      const found = wordsOf(name);
      if (found.length === 1) return addWord(found[0] ?? "", list);
      for (const word of found) {
        if (word.length < 3 || FILLERS.test(word)) continue;
        addWord(word, list);
        addWord(word, LISTS.part);
      }
    },
    addName(name, list) {
      for (const spelling of spellingsOf(name)) {
        const found = wordsOf(spelling);
        const isLong = found.length > NAME_WORDS_MAX || found.join("").length < 3;
        if (!isLong) mark(names, found.join(" "), list);
      }
    },
  };
}

/** A text in small letters as it is written, and without accents. */
function spellingsOf(text: string): Set<string> {
  const small = text.toLowerCase().normalize("NFC");
  // Marks of other scripts are letters there.
  return new Set([
    small,
    small
      .normalize("NFD")
      .replace(/[\u0300-\u036f]/gu, "")
      .normalize("NFC"),
  ]);
}

/** The words of a name, without marks around them. */
export function wordsOf(name: string): string[] {
  const small = name.toLowerCase().replace(/['’]s\b/gu, " 's");
  const words = small.split(/[\s,()/]+/u);
  return words
    .map((word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, ""))
    .filter((word) => word !== "");
}
