/** A word of a subtitle; its width is counted once. */
export interface CueWord {
  text: string;
  graphemes: number;
  startMs: number;
  endMs: number;
}

export const LINE_GRAPHEMES_MAX = 42;
const CLAUSE_END = /[,;:.!?…।॥—–]["'”’)\]]*$/u;

/** The graphemes of words with a space between. */
export function widthOfWords(words: readonly CueWord[]): number {
  return words.reduce((sum, { graphemes }) => sum + graphemes, words.length - 1);
}

/** Whether words fill no more than two lines. */
export function fits(words: readonly CueWord[]): boolean {
  let lines = 1;
  let width = -1;
  for (const { graphemes } of words) {
    width += 1 + graphemes;
    if (width <= LINE_GRAPHEMES_MAX) continue;
    lines++;
    width = graphemes;
  }
  return lines <= 2;
}

/** One line when there is room; else two of much the same length, the first ending where a clause does. */
export function linesOf(words: readonly CueWord[]): string[] {
  const join = (some: readonly CueWord[]): string => some.map(({ text }) => text).join(" ");
  if (widthOfWords(words) <= LINE_GRAPHEMES_MAX) return [join(words)];
  let best = 1;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let at = 1; at < words.length; at++) {
    const [upper, lower] = [widthOfWords(words.slice(0, at)), widthOfWords(words.slice(at))];
    if (Math.max(upper, lower) > LINE_GRAPHEMES_MAX) continue;
    const cost =
      Math.abs(lower - upper) -
      (CLAUSE_END.test(words[at - 1]?.text ?? "") ? LINE_GRAPHEMES_MAX / 4 : 0);
    if (cost >= bestCost) continue;
    [best, bestCost] = [at, cost];
  }
  return [join(words.slice(0, best)), join(words.slice(best))];
}
