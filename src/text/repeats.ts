import { type Chunk, isPlain } from "./chunk.ts";
import { listWords } from "./words.ts";

/** Longer words are not compared for repeats, which would read them again at every step. */
const REPEAT_CHARS_MAX = 64;

/** English words that are rightly said twice in a row. */
const DOUBLES = listWords(
  "had that very no bye yes yeah really so many much more far long ha ho hee please okay ok go now " +
    "there hear knock night well never again too wow blah choo tick chop hey hello hi come on right",
);

/** Words that are digits, amounts or dictated signs: "five five" is a number, not a stutter. */
const NUMBERS = listWords(
  "zero oh o one two three four five six seven eight nine ten eleven twelve thirteen fourteen " +
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty " +
    "ninety hundred thousand million billion lakh crore double triple point dot dash half first " +
    "second third शून्य एक दो तीन चार पाँच पांच छह छः छे सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह " +
    "सोलह सत्रह अठारह उन्नीस बीस तीस चालीस पचास साठ सत्तर अस्सी नब्बे सौ हज़ार हजार लाख करोड़ आधा डेढ़ ढाई",
);

/**
 * Little words that are never doubled on purpose. Only these are joined across a comma ("I, I"),
 * when capitalised mid-sentence, and, for Hindi, from two copies.
 */
const STUTTERS = listWords(
  "i i'm i'll i've a an the and but or of to in at for with from is are was were be it it's he she " +
    "we we're you they this my your our their if as by because what when can could would will " +
    "मैं मैंने है हैं के का की को ने में कि हूँ हूं था थे थी लेकिन क्योंकि हमने उसने",
);

const HINDI_NEGATIONS = listWords("नहीं नही ना न हाँ हां जी");

const PAUSE = /^(?:[-–—…]|\.{2,})$/u;

/** Drops the newest word or two when they only repeat what stands before them. */
export function collapseRepeats(out: Chunk[], language: string): void {
  const [e, a, b, c, d] = [out.at(-5), out.at(-4), out.at(-3), out.at(-2), out.at(-1)];
  if (c === undefined || d === undefined) return;
  if (sameWord(c, d) && joinsStutter(c, d)) {
    const thrice = b !== undefined && sameWord(b, c) && joinsStutter(b, c);
    if (!mayDouble(d.core, language) || (thrice && isHindi(d.core, language) && !isKept(d.core))) {
      c.trail = d.trail;
      out.length -= 1;
    }
    return;
  }
  if (a === undefined || b === undefined || !sameWord(a, c) || !sameWord(b, d)) return;
  if (isNumber(c.core) || isNumber(d.core) || sameWord(c, d) || a.trail !== "" || c.trail !== "")
    return;
  // "on and on and on" alternates on purpose; so does "New York New York", a name.
  if (/^(?:and|by|after|to|or|से|ब|दर)$/iu.test(d.core) || (e !== undefined && sameWord(e, d)))
    return;
  const little = STUTTERS.has(a.core.toLowerCase()) || STUTTERS.has(b.core.toLowerCase());
  if (c.lead !== "" || d.lead !== "" || (!little && isTitle(c.core) && isTitle(d.core))) return;
  if (b.trail !== "" && !PAUSE.test(b.trail) && !(b.trail === "," && little)) return;
  b.trail = d.trail;
  out.length -= 2;
}

function sameWord(one: Chunk, other: Chunk): boolean {
  if (one.core === "" || Math.max(one.core.length, other.core.length) > REPEAT_CHARS_MAX)
    return false;
  return one.core.toLowerCase() === other.core.toLowerCase();
}

/** Whether nothing but a broken-off breath lies between two copies, and no symbol is lost. */
function joinsStutter(one: Chunk, other: Chunk): boolean {
  if (other.lead !== "" || !isPlain(other)) return false;
  const little = STUTTERS.has(one.core.toLowerCase());
  return one.trail === "" || PAUSE.test(one.trail) || (one.trail === "," && little);
}

/** Whether two copies of a word may be meant. */
function mayDouble(core: string, language: string): boolean {
  const word = core.toLowerCase();
  if (STUTTERS.has(word)) return false;
  return isKept(word) || isHindi(word, language) || isTitle(core);
}

/** Whether any number of copies may be meant. */
function isKept(core: string): boolean {
  const word = core.toLowerCase();
  return isNumber(word) || DOUBLES.has(word) || HINDI_NEGATIONS.has(word);
}

function isNumber(core: string): boolean {
  return /\p{N}/u.test(core) || NUMBERS.has(core.toLowerCase());
}

/** Words in Hindi's script always, and in a Hindi text also those in Latin letters. */
function isHindi(core: string, language: string): boolean {
  return language === "hi" || /\p{Script=Devanagari}/u.test(core);
}

/** Written like a name: one capital, then small letters. */
function isTitle(core: string): boolean {
  return /^\p{Lu}\p{Ll}/u.test(core);
}
