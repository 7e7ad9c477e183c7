import {
  type PlacedWord,
  type SearchTerm,
  beginningsOf,
  isBeginning,
  placedWords,
} from "./search-text.ts";

/** Words that a snippet shows. */
const SNIPPET_WORDS = 30;
/** Longer stretches between two cuts lose their far end. */
const PIECE_CHARACTERS_MAX = 240;
/** A grapheme that is longer is cut. */
const GRAPHEME_CHARACTERS_MAX = 64;

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export interface Snippet {
  /** Safe as HTML: everything of the text is escaped, and the only tags are `<mark>` around hits. */
  html: string;
  /** How many of the terms it shows. */
  termsShown: number;
}

interface Hit {
  term: number;
  first: number;
  last: number;
}

/**
 * Shows where a text holds what was looked for: some thirty words around the place where the most
 * terms stand together, the first of such places. Without a hit it is the text's beginning.
 */
export function createSnippet(text: string, terms: readonly SearchTerm[]): Snippet {
  const { words, hits } = findHits(text, terms);
  const cluster = bestCluster(hits, words);
  const [first = 0, last = 0] = [cluster.at(0)?.first, cluster.at(-1)?.last];
  const room = Math.max(0, SNIPPET_WORDS - (last - first + 1));
  const from = Math.max(0, Math.min(first - Math.floor(room / 2), words.length - SNIPPET_WORDS));
  const to = Math.min(words.length - 1, from + SNIPPET_WORDS - 1);

  const start = from === 0 ? 0 : (words[from]?.start ?? 0);
  const isRest = to >= words.length - 1;
  const end = isRest ? text.length : (words[to]?.end ?? text.length);
  let html = start === 0 ? "" : "…";
  let at = start;
  for (const hit of hits) {
    const [markStart, markEnd] = [words[hit.first]?.start ?? 0, words[hit.last]?.end ?? 0];
    if (markStart < at || markEnd > end) continue;
    // What stands before the first mark keeps the end that touches it.
    html += escaped(
      at === start ? tail(text.slice(at, markStart)) : head(text.slice(at, markStart)),
    );
    html += `<mark>${escaped(head(text.slice(markStart, markEnd)))}</mark>`;
    at = markEnd;
  }
  html += escaped(head(text.slice(at, end)));
  if (end < text.length) html += "…";
  return { html: html.trim(), termsShown: new Set(cluster.map(({ term }) => term)).size };
}

/** All hits, or those up to the end of the first snippet that shows every term. */
function findHits(
  text: string,
  terms: readonly SearchTerm[],
): { words: PlacedWord[]; hits: Hit[] } {
  const matchers = terms.map(matcherOf);
  const words: PlacedWord[] = [];
  const hits: Hit[] = [];
  const lastSeen = terms.map(() => Number.NEGATIVE_INFINITY);
  let enough = Number.POSITIVE_INFINITY;
  for (const word of placedWords(text)) {
    const at = words.push(word) - 1;
    if (at > enough) break;
    for (const [term, matches] of matchers.entries()) {
      const count = terms[term]?.words.length ?? 1;
      const first = at - count + 1;
      if (first < 0 || !matches(words, first)) continue;
      hits.push({ term, first, last: at });
      lastSeen[term] = first;
    }
    const isWhole = Math.min(...lastSeen) > at - SNIPPET_WORDS;
    if (isWhole) enough = Math.min(enough, at + SNIPPET_WORDS);
  }
  hits.sort((a, b) => a.first - b.first || b.last - a.last);
  return { words, hits };
}

type Matcher = (words: readonly PlacedWord[], first: number) => boolean;

function matcherOf({ words: wanted, isExact }: SearchTerm): Matcher {
  const last = wanted.at(-1) ?? "";
  const beginnings = beginningsOf(last);
  const isLast =
    isExact || !isBeginning(last)
      ? (form: string): boolean => form === last
      : (form: string): boolean => beginnings.some((beginning) => form.startsWith(beginning));
  return (words, first) =>
    wanted.every((want, at) => {
      const form = words[first + at]?.form ?? "";
      return at === wanted.length - 1 ? isLast(form) : form === want;
    });
}

/** The hits of the window with the most different terms. */
function bestCluster(hits: readonly Hit[], words: readonly PlacedWord[]): Hit[] {
  let best: Hit[] = [];
  let bestTerms = 0;
  let from = 0;
  const inside = new Map<number, number>();
  for (const [at, hit] of hits.entries()) {
    inside.set(hit.term, (inside.get(hit.term) ?? 0) + 1);
    for (let left = hits[from]; left !== undefined && from < at; left = hits[from]) {
      if (hit.last - left.first < SNIPPET_WORDS && isNear(words, left, hit)) break;
      const count = (inside.get(left.term) ?? 1) - 1;
      if (count === 0) inside.delete(left.term);
      else inside.set(left.term, count);
      from++;
    }
    if (inside.size <= bestTerms) continue;
    bestTerms = inside.size;
    best = hits.slice(from, at + 1);
  }
  return best;
}

/** Words may have anything between them; what is too far away would be cut out. */
function isNear(words: readonly PlacedWord[], left: Hit, right: Hit): boolean {
  const distance = (words[right.last]?.end ?? 0) - (words[left.first]?.start ?? 0);
  return distance <= SNIPPET_WORDS * PIECE_CHARACTERS_MAX;
}

/** The beginning of a piece, cut between graphemes. */
function head(piece: string): string {
  if (piece.length <= PIECE_CHARACTERS_MAX) return piece;
  const read = piece.slice(0, PIECE_CHARACTERS_MAX + GRAPHEME_CHARACTERS_MAX);
  let end = 0;
  for (const { index } of graphemesOf(read)) if (index <= PIECE_CHARACTERS_MAX) end = index;
  return `${piece.slice(0, end)}…`;
}

/** The end of a piece, cut between graphemes. */
function tail(piece: string): string {
  if (piece.length <= PIECE_CHARACTERS_MAX) return piece;
  const read = piece.slice(-PIECE_CHARACTERS_MAX - GRAPHEME_CHARACTERS_MAX);
  for (const { index } of graphemesOf(read)) {
    // The first ones may be the rest of one that was cut.
    if (index >= GRAPHEME_CHARACTERS_MAX) return `…${read.slice(index)}`;
  }
  return "…";
}

function graphemesOf(text: string): Intl.Segments {
  return new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text);
}

function escaped(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/[&<>"']/g, (found) => ENTITIES[found] ?? "");
}
