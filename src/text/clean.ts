/** A run of combining marks longer than this is cut (Unicode's Stream-Safe limit, UAX #15). */
const MARKS_MAX = 30;

/** A bracket with more inside than this is somebody's sentence, never a noise tag. */
const NOISE_CHARS_MAX = 60;

/** Song between two ♪ signs is dropped up to this length; past it only the signs go. */
const SONG_CHARS_MAX = 400;

/** What one removal uncovers the next pass removes; input nested deeper than this stays as it is. */
const PASSES_MAX = 8;

/** Longer words are never fillers; the limit keeps the filler pattern off hostile input. */
const FILLER_CHARS_MAX = 16;

/** Longer words are not compared for repeats, which would read them again at every step. */
const REPEAT_CHARS_MAX = 64;

/** Loose punctuation joins a word until it carries this much; what comes after that is dropped. */
const TRAIL_CHARS_MAX = 16;

/** Sounds nobody transcribes on purpose; a tag needs at least one of these. */
const NOISES = listWords(
  "noise noises unk laugh laughs laughing laughter chuckles chuckle giggles cough coughs coughing " +
    "sneeze sneezes sniff sniffs sigh sighs gasp gasps breath breathing applause clapping cheering " +
    "music silence inaudible unintelligible crosstalk static beep sil spn nsn um uh " +
    "शोर हँसी हंसी हँसते खाँसी खांसी संगीत तालियाँ तालियां मौन अस्पष्ट",
);

/** Words that may stand beside a noise in its tag: "background noise", "music playing". */
const NOISE_QUALIFIERS = listWords(
  "background loud soft heavy audience crowd audio upbeat dramatic playing plays continues throat",
);

const FILLER_LATIN = /^(?:u+h*m+|u+h+|er+m*|h+m+|m{3,})$/u;
const FILLER_DEVANAGARI = /^(?:अ[ंँ]|उ[ंँ]|(?:ह्?|[अउ])(?:म्)+म?)$/u;

/** Sounds that also answer "yes": dropped inside a longer line, kept when they are all of it. */
const BACKCHANNEL = /^(?:u+h+-h+u+h+|m+-?h+m+)$/u;

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

const CONTROLS =
  /(?!\n|\t)\p{Cc}|[\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069\u200B\u2060\uFEFF]/gu;
const MARKS_PAST_LIMIT = new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, "gu");
const ONLY_PUNCTUATION = /^[,.;:!?…।॥]+$/u;
const SENTENCE_END = /[.!?…।॥]["'”’)\]]*$/u;
const PAUSE = /^(?:[-–—…]|\.{2,})$/u;

/** A stretch of text between spaces: punctuation, the word itself (may be empty), punctuation. */
interface Chunk {
  lead: string;
  core: string;
  trail: string;
}

/**
 * Cleans a transcript of speech, or a typed message, for reading: normal form C; control
 * characters, noise tags and fillers removed; stuttered words and two-word phrases said once;
 * spaces and orphaned punctuation tidied. Lines stay lines; one left empty is dropped.
 *
 * Fillers and stutters are known for English and Hindi; `language` is a BCP 47 tag, and any other
 * only gets the rest (French "nous nous" is grammar, German "um" a word). Kept on purpose:
 * doubled numbers, "had had", "very very" and names such as "Duran Duran". Hindi doubles its words
 * as grammar (धीरे धीरे), so there three copies or more become two, and only little words that are
 * never doubled (मैं मैं) become one.
 *
 * Cleaning twice changes nothing more. Time is linear in the text's length.
 */
export function cleanText(text: string, language: string): string {
  const lines: string[] = [];
  for (const line of normalise(text).split("\n")) {
    const before = line.trim();
    const after = cleanLine(before, language.toLowerCase().split(/[-_]/u)[0] ?? "");
    // A blank line separates paragraphs and is kept, once; an emptied line is not a paragraph.
    if (after !== "" || (before === "" && lines.at(-1) !== "")) lines.push(after);
  }
  return lines.join("\n").trim();
}

/**
 * Cutting runs of marks comes first because normalising reorders them in quadratic time (300 KB of
 * marks take a minute), and last because normalising can lengthen a run.
 */
function normalise(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029\u0085\v\f]/gu, "\n")
    .replace(CONTROLS, "")
    .replace(MARKS_PAST_LIMIT, "$1")
    .normalize("NFC")
    .replace(MARKS_PAST_LIMIT, "$1");
}

function cleanLine(line: string, language: string): string {
  let cleaned = line;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const before = cleaned;
    const quiet = removeNoise(before);
    cleaned = joinChunks(splitChunks(quiet), language, quiet !== before);
    if (cleaned === before) break;
  }
  return cleaned;
}

/** Replaces each noise tag by a space, innermost first, in one walk with a stack of openers. */
function removeNoise(line: string): string {
  if (!/[[(<*♪♫]/u.test(line)) return line;
  const out: string[] = [];
  const open: { mark: string; at: number }[] = [];
  for (const char of line) {
    const mark = char === "♫" ? "♪" : char;
    const opener = CLOSERS[mark];
    if (opener !== undefined) {
      while (open.length > 0 && open.at(-1)?.mark !== opener) open.pop();
      const at = open.pop()?.at;
      if (at !== undefined && isNoise(mark, out, at)) {
        out.length = at;
        out.push(" ");
        continue;
      }
      // An asterisk that closes nothing may still open; a song sign is a pair or nothing.
      if (mark === "*" || (mark === "♪" && at === undefined)) open.push({ mark, at: out.length });
    } else if (OPENERS.has(mark)) {
      open.push({ mark, at: out.length });
    }
    out.push(char);
  }
  return out.join("").replace(/[♪♫]/gu, " ");
}

const CLOSERS: Readonly<Record<string, string>> = {
  "]": "[",
  ")": "(",
  ">": "<",
  "*": "*",
  "♪": "♪",
};
const OPENERS = new Set(["[", "(", "<"]);

function isNoise(closer: string, out: readonly string[], at: number): boolean {
  const length = out.length - at - 1;
  if (closer === "♪") return length <= SONG_CHARS_MAX;
  if (length > NOISE_CHARS_MAX) return false;
  const content = out.slice(at + 1).join("");
  if (closer === "*" && /^\s|\s$/u.test(content)) return false;
  if ((closer === "]" || closer === ">") && /^\s*[A-Z]+(?:_[A-Z0-9]+)+\s*$/u.test(content)) {
    return true;
  }
  const words = content
    .toLowerCase()
    .split(/[\s_.,-]+/u)
    .filter((word) => word !== "");
  return (
    words.some((word) => NOISES.has(word)) &&
    words.every((word) => NOISES.has(word) || NOISE_QUALIFIERS.has(word))
  );
}

function splitChunks(line: string): Chunk[] {
  return line
    .split(/\s+/u)
    .filter((part) => part !== "")
    .map(splitChunk);
}

function splitChunk(part: string): Chunk {
  const start = part.search(/[\p{L}\p{N}_]/u);
  if (start < 0) return { lead: part, core: "", trail: "" };
  // Walked from the end by hand: a pattern anchored at the end would retry from every character.
  let end = part.length;
  while (end > start) {
    const size = /[\uDC00-\uDFFF]/.test(part.charAt(end - 1)) ? 2 : 1;
    if (/[\p{L}\p{M}\p{N}_\u200C\u200D]/u.test(part.slice(end - size, end))) break;
    end -= size;
  }
  return { lead: part.slice(0, start), core: part.slice(start, end), trail: part.slice(end) };
}

function joinChunks(chunks: readonly Chunk[], language: string, noiseRemoved: boolean): string {
  const spoken = language === "en" || language === "hi";
  const onlySounds = chunks.every(
    ({ core }) => core === "" || isFiller(core) || isBackchannel(core),
  );
  const out: Chunk[] = [];
  let removed = noiseRemoved;
  let openers = "";
  let capital = false;

  for (const chunk of chunks) {
    const last = out.at(-1);
    if (chunk.core === "" && ONLY_PUNCTUATION.test(chunk.lead)) {
      if (last !== undefined) attachPunctuation(last, chunk.lead);
      else if (!removed || !/^[,.;:…।]+$/u.test(chunk.lead)) out.push({ ...chunk });
      continue;
    }
    const filler = isFiller(chunk.core) || (!onlySounds && isBackchannel(chunk.core));
    if (spoken && filler && isPlain(chunk)) {
      removed = true;
      const startsSentence = last === undefined || endsSentence(last);
      if (startsSentence && /^\p{Lu}/u.test(chunk.core)) capital = true;
      const [opener, closer] = [/["“‘([]/u.exec(chunk.lead), /["”’)\]]/u.exec(chunk.trail)];
      if (opener !== null && closer === null) openers += chunk.lead;
      if (last === undefined) continue;
      // A filler's own comma or "…" goes with it; the end of a sentence stays.
      if (last.trail.length >= TRAIL_CHARS_MAX) continue;
      if (closer !== null && opener === null) last.trail += chunk.trail;
      else if (/^[.!?।॥]$/u.test(chunk.trail) && !endsSentence(last)) {
        last.trail = last.trail.replace(/[,;:]+$/u, "") + chunk.trail;
      }
      continue;
    }
    const next = { ...chunk, lead: openers + chunk.lead };
    openers = "";
    if (capital && next.core !== "") next.core = capitalise(next.core);
    if (next.core !== "") capital = false;
    out.push(next);
    if (spoken) collapseRepeats(out, language);
  }
  // "Fine, um" must not end in a comma that waits for nothing.
  const [end, heard] = [out.at(-1), chunks.at(-1)];
  if (spoken && end !== undefined && heard !== undefined && end.core !== heard.core) {
    if (isFiller(heard.core) || isBackchannel(heard.core)) end.trail = end.trail.replace(/,$/u, "");
  }
  if (openers !== "") out.push({ lead: openers, core: "", trail: "" });
  return out.map(({ lead, core, trail }) => lead + core + trail).join(" ");
}

/** Puts punctuation that stood alone behind the word before it, without doubling what is there. */
function attachPunctuation(chunk: Chunk, punctuation: string): void {
  const whole = chunk.trail === "" && chunk.core === "" ? chunk.lead : chunk.trail;
  if (whole.length >= TRAIL_CHARS_MAX) return;
  const added = /[,.;:!?…।॥]$/u.test(whole) ? punctuation.replace(/^[,;:]+/u, "") : punctuation;
  const kept = /^[.!?…।॥]/u.test(added) ? whole.replace(/[,;:]+$/u, "") : whole;
  if (whole === chunk.trail) chunk.trail = kept + added;
  else chunk.lead = kept + added;
}

function endsSentence(chunk: Chunk): boolean {
  return SENTENCE_END.test(chunk.trail.slice(-TRAIL_CHARS_MAX));
}

/** Whether only punctuation and quotes surround the word: "#um", "$um" or "@um" are names. */
function isPlain({ lead, trail }: Chunk): boolean {
  return /^["'“‘([¿¡…—–-]*$/u.test(lead) && /^[,.;:!?…।॥"'”’)\]—–-]*$/u.test(trail);
}

function isFiller(core: string): boolean {
  if (core.length > FILLER_CHARS_MAX) return false;
  // "ER" and "HM" in capitals are names, and no one shouts them as fillers.
  if (/^(?:ER|HM)$/u.test(core)) return false;
  return FILLER_LATIN.test(core.toLowerCase()) || FILLER_DEVANAGARI.test(core);
}

function isBackchannel(core: string): boolean {
  return core.length <= FILLER_CHARS_MAX && BACKCHANNEL.test(core.toLowerCase());
}

/** Drops the newest word or two when they only repeat what stands before them. */
function collapseRepeats(out: Chunk[], language: string): void {
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

/** Gives a word its sentence's capital, unless its spelling has a reason ("iPhone", "a.b"). */
function capitalise(core: string): string {
  if (/\p{Lu}|[.@/_]/u.test(core)) return core;
  const first = String.fromCodePoint(core.codePointAt(0) ?? 0);
  const upper = first.toUpperCase();
  return upper.length === first.length ? (upper + core.slice(first.length)).normalize("NFC") : core;
}

function listWords(words: string): ReadonlySet<string> {
  return new Set(words.normalize("NFC").split(" "));
}
