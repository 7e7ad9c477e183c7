/** Loads the detector, the first time in a thread: its tables take about 0.3 s and up to 100 MB. */
const loadDetector = async () => (await import("eld/small")).eld;

/** Only this much of a text is looked at: the detector itself reads about 350 bytes. */
const SAMPLE_CHARS_MAX = 4_000;

/**
 * A Latin text of fewer words is called English: the detector takes "hello" for Italian and "ok"
 * for Polish, and a service for English and Hindi is wrong less often by not guessing.
 */
const GUESSED_WORDS_MIN = 4;

/** How far (of 1) another language's score must pass English's before it is believed. */
const LEAD_MIN = 0.05;

/** The share of a text's words that must be common Hindi words in Latin letters, and how many. */
const ROMAN_SHARE_MIN = 0.3;
const ROMAN_WORDS_MIN = 2;

/**
 * Hindi's most frequent words as people type them on a Latin keyboard. Words that English shares
 * ("main", "the", "hum", "mere", "ho") are left out. The detector has no class for such text and calls it
 * Estonian or Vietnamese.
 */
const ROMAN_HINDI = new Set(
  (
    "hai hain hoon hun tha thi thay kya kyun kyon kaise kaisa kaisi kahan kab kaun nahi nahin " +
    "mera meri tera teri tere hamara hamare aap aapka aapki aapke tum tumhara mujhe " +
    "tumhe usko isko uska uski iska iski ka ki ke ko mein aur lekin bhi yeh woh raha rahi rahe " +
    "gaya gayi gaye karo karna karta karte karti kar accha acha achha theek thik bahut bhai " +
    "abhi kal aaj phir namaste namaskar sab kuch koi wala wali haan ji"
  ).split(" "),
);

const DEVANAGARI = /\p{Script=Devanagari}/gu;
const LATIN = /\p{Script=Latin}/gu;
const LETTER = /\p{L}/gu;

/**
 * Tells a text's language as an ISO 639-1 code ("en", "hi", "fr"), or null when it has no letters
 * or its script is unknown.
 *
 * The script that most of the text is in decides first. Devanagari is always "hi": the detector
 * separates Hindi from Marathi by 0.002 of a point and calls नमस्ते Marathi. Latin text is "hi"
 * when it is plainly romanised Hindi, another language only when it has at least four words and
 * that language leads English clearly, and otherwise "en". Addresses, mentions and numbers are
 * not counted. Only what is in doubt waits for the detector to load.
 */
export async function detectLanguage(text: string): Promise<string | null> {
  const words = text
    .slice(0, SAMPLE_CHARS_MAX)
    .split(/\s+/u)
    .filter((word) => !/[@/]|^www\.|^#/u.test(word));
  const sample = words.join(" ");

  // Devanagari vowel signs count with its letters, since Latin spells its vowels as letters.
  const devanagari = countMatches(sample, DEVANAGARI);
  const latin = countMatches(sample, LATIN);
  const letters = countMatches(sample, LETTER);
  if (letters === 0) return null;
  const others = letters - latin - countMatches(sample, /(?=\p{L})\p{Script=Devanagari}/gu);

  if (devanagari >= latin && devanagari >= others && devanagari > 0) return "hi";
  if (latin >= others) return tellLatin(words);
  const foreign = words.filter((word) => !/\p{Script=Latin}/u.test(word));
  return (await loadDetector()).detect(foreign.join(" ")).language || null;
}

async function tellLatin(words: readonly string[]): Promise<string> {
  const latin = words.filter((word) => /\p{Script=Latin}/u.test(word));
  const roman = latin.filter((word) => ROMAN_HINDI.has(stripPunctuation(word))).length;
  // A phrase of two or three words has no room for two of them, so half is enough ("kya hua").
  const few = latin.length < GUESSED_WORDS_MIN;
  if (few && roman * 2 >= latin.length && roman > 0 && latin.length > 1) return "hi";
  if (roman >= ROMAN_WORDS_MIN && roman / latin.length >= ROMAN_SHARE_MIN) return "hi";
  if (few) return "en";

  const result = (await loadDetector()).detect(latin.join(" "));
  if (result.language === "" || result.language === "en") return "en";
  // The detector's own isReliable() compares a score with a language's number, so its margin
  // means nothing; the scores themselves are sound.
  const scores = result.getScores();
  const lead = (scores[result.language] ?? 0) - (scores["en"] ?? 0);
  return lead >= LEAD_MIN && result.isReliable() ? result.language : "en";
}

function stripPunctuation(word: string): string {
  return word.toLowerCase().replace(/[^\p{L}]/gu, "");
}

function countMatches(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
