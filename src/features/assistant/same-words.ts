import { placedWords } from "../../text/search-text.ts";
import { alignWords } from "../../text/alignment.ts";

/** How many of the words may be others, of those before and of those after. */
const CHANGED_SHARE_MAX = 0.25;
/** More words than this that stand in place of none are not a correction, but something new. */
const UNMATCHED_WORDS_MAX = 2;
const DIGITS = /\p{N}/u;

/**
 * Whether a corrected text plausibly says what the first one says: as many lines, most words the
 * same and in the same order, no row of words put in or left out, every number there and none new. Punctuation, case and spelling
 * variants of one word make no difference. Takes time with the length and the square of the
 * differences.
 */
export function hasSameWords(before: string, after: string): boolean {
  if (before.split("\n").length !== after.split("\n").length) return false;
  const [old, fresh] = [wordsOf(before), wordsOf(after)];
  if (old.filter(isNumber).join(" ") !== fresh.filter(isNumber).join(" ")) return false;
  let [dropped, added] = [0, 0];
  for (const block of alignWords(old, fresh)) {
    if (block.isSame) continue;
    const [fewer, more] = [block.beforeEnd - block.beforeStart, block.afterEnd - block.afterStart];
    if (Math.abs(more - fewer) > UNMATCHED_WORDS_MAX) return false;
    dropped += fewer;
    added += more;
  }
  return (
    dropped <= old.length * CHANGED_SHARE_MAX &&
    added <= Math.max(1, old.length) * CHANGED_SHARE_MAX
  );
}

function wordsOf(text: string): string[] {
  return Array.from(placedWords(text), ({ form }) => form);
}

function isNumber(word: string): boolean {
  return DIGITS.test(word);
}
