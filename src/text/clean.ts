import {
  type Chunk,
  TRAIL_CHARS_MAX,
  attachPunctuation,
  endsSentence,
  isPlain,
  splitChunks,
} from "./chunk.ts";
import { removeNoise } from "./noise.ts";
import { collapseRepeats } from "./repeats.ts";

/** A run of combining marks longer than this is cut (Unicode's Stream-Safe limit, UAX #15). */
const MARKS_MAX = 30;

/** What one removal uncovers the next pass removes; input nested deeper than this stays as it is. */
const PASSES_MAX = 8;

/** Longer words are never fillers; the limit keeps the filler pattern off hostile input. */
const FILLER_CHARS_MAX = 16;

const FILLER_LATIN = /^(?:u+h*m+|u+h+|er+m*|h+m+|m{3,})$/u;
const FILLER_DEVANAGARI = /^(?:अ[ंँ]|उ[ंँ]|(?:ह्?|[अउ])(?:म्)+म?)$/u;

/** Sounds that also answer "yes": dropped inside a longer line, kept when they are all of it. */
const BACKCHANNEL = /^(?:u+h+-h+u+h+|m+-?h+m+)$/u;

const CONTROLS =
  /(?!\n|\t)\p{Cc}|[\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069\u200B\u2060\uFEFF]/gu;
const MARKS_PAST_LIMIT = new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, "gu");
const ONLY_PUNCTUATION = /^[,.;:!?…।॥]+$/u;

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

function isFiller(core: string): boolean {
  if (core.length > FILLER_CHARS_MAX) return false;
  // "ER" and "HM" in capitals are names, and no one shouts them as fillers.
  if (/^(?:ER|HM)$/u.test(core)) return false;
  return FILLER_LATIN.test(core.toLowerCase()) || FILLER_DEVANAGARI.test(core);
}

function isBackchannel(core: string): boolean {
  return core.length <= FILLER_CHARS_MAX && BACKCHANNEL.test(core.toLowerCase());
}

/** Gives a word its sentence's capital, unless its spelling has a reason ("iPhone", "a.b"). */
function capitalise(core: string): string {
  if (/\p{Lu}|[.@/_]/u.test(core)) return core;
  const first = String.fromCodePoint(core.codePointAt(0) ?? 0);
  const upper = first.toUpperCase();
  return upper.length === first.length ? (upper + core.slice(first.length)).normalize("NFC") : core;
}
