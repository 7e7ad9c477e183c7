/** Invisible characters that shape or break a word on screen without ending it. */
const INVISIBLE = /\u00AD|\u200C|\u200D|\u2060/g;

/** A digit drawn as a key (1️⃣) is an emoji, although it begins with a plain digit. */
const KEYCAP = /[0-9]\uFE0F?\u20E3/g;

/**
 * One unbroken run of a word. It starts with a letter or digit, because a mark alone is no word:
 * the selector that makes ❤ red (U+FE0F) is a mark too. Marks belong inside, or every Hindi vowel
 * sign would cut its word in two.
 */
const RUN = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu;

/**
 * Counts the words of a text in English, Hindi or a mixture of both.
 *
 * "don't" and "3.14", "1,000" or "१,००,०००" are one word; "well-known" and "10:30" are two, as in
 * Unicode's word boundaries (UAX #29). Emoji and punctuation are none. Scripts written without
 * spaces (Chinese, Thai) count one word per unbroken run. Time is linear in the text's length.
 */
export function countWords(text: string): number {
  const visible = text.replace(INVISIBLE, "").replace(KEYCAP, " ");
  let count = 0;
  let end = -1;
  for (const match of visible.matchAll(RUN)) {
    const start = match.index;
    // Runs are counted and then joined, not matched by one nested pattern: that keeps a word of
    // a million apostrophes from growing the pattern's stack.
    if (start !== end + 1 || !joinsRuns(visible, end)) count++;
    end = start + match[0].length;
  }
  return count;
}

/** Whether the single character at `index` joins the runs on both its sides into one word. */
function joinsRuns(text: string, index: number): boolean {
  const joint = text.charAt(index);
  if (joint === "'" || joint === "’") return true;
  if (joint !== "." && joint !== ",") return false;
  return /\p{Nd}/u.test(text.charAt(index - 1)) && /\p{Nd}/u.test(text.charAt(index + 1));
}

/** A set of the words that stand in a line, composed as cleaned text is (normal form C). */
export function listWords(words: string): ReadonlySet<string> {
  return new Set(words.normalize("NFC").split(" "));
}
