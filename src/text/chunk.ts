/** Loose punctuation joins a word until it carries this much; what comes after that is dropped. */
export const TRAIL_CHARS_MAX = 16;

const SENTENCE_END = /[.!?…।॥]["'”’)\]]*$/u;

/** A stretch of text between spaces: punctuation, the word itself (may be empty), punctuation. */
export interface Chunk {
  lead: string;
  core: string;
  trail: string;
}

/** Cuts a line at its spaces. */
export function splitChunks(line: string): Chunk[] {
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

/** Puts punctuation that stood alone behind the word before it, without doubling what is there. */
export function attachPunctuation(chunk: Chunk, punctuation: string): void {
  const whole = chunk.trail === "" && chunk.core === "" ? chunk.lead : chunk.trail;
  if (whole.length >= TRAIL_CHARS_MAX) return;
  const added = /[,.;:!?…।॥]$/u.test(whole) ? punctuation.replace(/^[,;:]+/u, "") : punctuation;
  const kept = /^[.!?…।॥]/u.test(added) ? whole.replace(/[,;:]+$/u, "") : whole;
  if (whole === chunk.trail) chunk.trail = kept + added;
  else chunk.lead = kept + added;
}

export function endsSentence(chunk: Chunk): boolean {
  return SENTENCE_END.test(chunk.trail.slice(-TRAIL_CHARS_MAX));
}

/** Whether only punctuation and quotes surround the word: "#um", "$um" or "@um" are names. */
export function isPlain({ lead, trail }: Chunk): boolean {
  return /^["'“‘([¿¡…—–-]*$/u.test(lead) && /^[,.;:!?…।॥"'”’)\]—–-]*$/u.test(trail);
}
