import { type CueWord, LINE_GRAPHEMES_MAX, fits, linesOf, widthOfWords } from "./cue-lines.ts";
import { type TimedWord, timesOf } from "./word-times.ts";

/** A piece of what was said. Without times (all 0, no words) they are estimated. */
export interface SubtitleSegment {
  text: string;
  startMs: number;
  endMs: number;
  words: readonly TimedWord[];
}

/** One subtitle: its lines are never empty, and it ends before the next begins. */
export interface Cue {
  startMs: number;
  endMs: number;
  lines: string[];
}

/** Turns segments, given one after the other, into cues. */
export interface Cues {
  /** The cues that are known once this segment is; the last one waits for the next. */
  of(segment: SubtitleSegment): Generator<Cue>;
  /** What waits when no segment comes any more. */
  rest(): Cue[];
}

// What broadcasters ask for (BBC Subtitle Guidelines; Netflix Timed Text Style Guide).
const CUE_MS_MAX = 7_000;
/** Shorter ones stay until the next begins, at most so long. */
const CUE_MS_MIN = 833;
/** A pause this long between words ends a cue. */
const PAUSE_MS = 1_500;
/** A sentence that ends in a cue this full ends the cue. */
const SENTENCE_GRAPHEMES_MIN = 24;
/** How fast people read, for text that was never spoken. */
const READ_CHARACTERS_PER_SECOND = 15;

const SENTENCE_END = /[.!?…।॥]["'”’)\]]*$/u;
const NARROW = /^[\u0020-\u007E]*$/;

/**
 * Cues of at most two lines of 42 graphemes and seven seconds, with times that rise. Words are kept
 * whole unless one alone is longer than a line, graphemes always. A word's time is the recogniser's,
 * else a share of its segment's by its length; a segment without times takes the time it needs to be
 * read, from the end of what came before.
 */
export function createCues(): Cues {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  let waiting: Cue | null = null;
  let clockMs = 0;

  const widthOf = (text: string): number => {
    if (NARROW.test(text)) return text.length;
    let count = 0;
    for (const _ of segmenter.segment(text)) count++;
    return count;
  };

  /** Words too long for a line, in pieces; everything else as it is. */
  function* pieces(words: Iterable<Omit<CueWord, "graphemes">>): Generator<CueWord> {
    for (const word of words) {
      const graphemes = widthOf(word.text);
      if (graphemes <= LINE_GRAPHEMES_MAX) {
        yield { ...word, graphemes };
        continue;
      }
      const perCharacterMs = (word.endMs - word.startMs) / word.text.length;
      let piece = "";
      let count = 0;
      let at = 0;
      const cut = (): CueWord => ({
        text: piece,
        graphemes: count,
        startMs: word.startMs + (at - piece.length) * perCharacterMs,
        endMs: word.startMs + at * perCharacterMs,
      });
      for (const { segment } of segmenter.segment(word.text)) {
        piece += segment;
        at += segment.length;
        if (++count < LINE_GRAPHEMES_MAX) continue;
        yield cut();
        [piece, count] = ["", 0];
      }
      if (piece !== "") yield cut();
    }
  }

  /** Gives what waits its end, now that it is known what follows. */
  const release = (next: Cue): Cue[] => {
    const before = waiting;
    waiting = next;
    if (before === null) return [];
    next.startMs = Math.max(next.startMs, before.endMs);
    next.endMs = Math.max(next.endMs, next.startMs + 1);
    before.endMs = Math.max(before.endMs, Math.min(before.startMs + CUE_MS_MIN, next.startMs));
    return [before];
  };

  const cueOf = (words: readonly CueWord[]): Cue => {
    const startMs = Math.round(words[0]?.startMs ?? 0);
    const spokenMs = Math.round(words.at(-1)?.endMs ?? 0);
    const endMs = Math.max(startMs + 1, Math.min(spokenMs, startMs + CUE_MS_MAX));
    clockMs = Math.max(clockMs, endMs);
    return { startMs, endMs, lines: linesOf(words) };
  };

  return {
    of: function* (segment) {
      let cue: CueWord[] = [];
      for (const word of pieces(wordsOf(segment, clockMs))) {
        if (cue.length > 0 && endsBefore(cue, word)) {
          yield* release(cueOf(cue));
          cue = [];
        }
        cue.push(word);
      }
      if (cue.length > 0) yield* release(cueOf(cue));
    },
    rest: () => {
      if (waiting === null) return [];
      const last = waiting;
      waiting = null;
      return [{ ...last, endMs: Math.max(last.endMs, last.startMs + CUE_MS_MIN) }];
    },
  };
}

/** All cues of segments that are there already. */
function* cuesOf(segments: Iterable<SubtitleSegment>): Generator<Cue> {
  const cues = createCues();
  for (const segment of segments) yield* cues.of(segment);
  yield* cues.rest();
}

/** What a WebVTT file begins with. */
export const VTT_HEADER = "WEBVTT\n\n";

/** A cue as SubRip has it; cues count from 1. */
export function srtCue({ startMs, endMs, lines }: Cue, number: number): string {
  // The format knows no escapes, and an arrow would look like another cue's times.
  const text = lines.join("\n").replaceAll("-->", "→");
  return `${number}\n${clock(startMs, ",")} --> ${clock(endMs, ",")}\n${text}\n\n`;
}

/** A cue as WebVTT has it. */
export function vttCue({ startMs, endMs, lines }: Cue): string {
  const text = lines
    .join("\n")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  return `${clock(startMs, ".")} --> ${clock(endMs, ".")}\n${text}\n\n`;
}

/** Segments as one SubRip file. */
export function srtOf(segments: Iterable<SubtitleSegment>): string {
  return [...cuesOf(segments)].map((cue, at) => srtCue(cue, at + 1)).join("");
}

/** Segments as one WebVTT file. */
export function vttOf(segments: Iterable<SubtitleSegment>): string {
  return VTT_HEADER + [...cuesOf(segments)].map(vttCue).join("");
}

function clock(ms: number, separator: string): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const seconds = `${two((ms / 1000) % 60)}${separator}${String(ms % 1000).padStart(3, "0")}`;
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${seconds}`;
}

/** The words of a segment with their times, read as they are needed: a saved text can be long. */
function* wordsOf(
  segment: SubtitleSegment,
  clockMs: number,
): Generator<Omit<CueWord, "graphemes">> {
  const { text, words } = segment;
  if (words.length > 0) return yield* timedWords(segment);
  const isTimed = segment.endMs > 0;
  const startMs = isTimed ? segment.startMs : clockMs;
  const durationMs = isTimed
    ? Math.max(0, segment.endMs - segment.startMs)
    : (text.length / READ_CHARACTERS_PER_SECOND) * 1000;
  const perCharacterMs = text.length === 0 ? 0 : durationMs / text.length;
  for (const { 0: found, index } of visible(text).matchAll(/\S+/gu)) {
    const end = index + found.length;
    const [from, to] = [startMs + index * perCharacterMs, startMs + end * perCharacterMs];
    yield { text: found, startMs: from, endMs: to };
  }
}

/** Gives each word of the text the time of its recognised word, or its share of the gap. */
function timedWords({
  text,
  startMs,
  endMs,
  words,
}: SubtitleSegment): Omit<CueWord, "graphemes">[] {
  const found = visible(text).match(/\S+/gu) ?? [];
  const times = timesOf(found, words, startMs, endMs);
  return found.map((word, at) => ({
    text: word,
    startMs: times[at]?.startMs ?? startMs,
    endMs: times[at]?.endMs ?? endMs,
  }));
}

/** Control characters have no place on a screen. */
function visible(text: string): string {
  return text.replace(/(?!\s)\p{Cc}/gu, " ");
}

/** Whether a cue has to end before the next word. */
function endsBefore(cue: readonly CueWord[], next: CueWord): boolean {
  const [first, last] = [cue[0] ?? next, cue.at(-1) ?? next];
  if (next.endMs - first.startMs > CUE_MS_MAX) return true;
  if (next.startMs - last.endMs >= PAUSE_MS) return true;
  const isSentence = SENTENCE_END.test(last.text);
  if (isSentence && widthOfWords(cue) >= SENTENCE_GRAPHEMES_MIN) return true;
  return !fits([...cue, next]);
}
