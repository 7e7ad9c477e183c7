/** A stretch of two texts in words: the same in both, or one in place of the other. */
export interface Block {
  isSame: boolean;
  beforeStart: number;
  beforeEnd: number;
  afterStart: number;
  afterEnd: number;
}

/** Texts that differ in more words than this are taken as different from their first difference on. */
const DIFFERENCES_MAX = 1_000;

/**
 * Aligns the words of two texts: blocks in order that cover both. Words are the same when only case
 * and punctuation differ. Takes time with the length and the square of the differences.
 *
 * What both begin and end with is set aside, the rest is Myers' greedy algorithm ("An O(ND)
 * difference algorithm", 1986).
 */
export function alignWords(before: readonly string[], after: readonly string[]): Block[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isSame(before[start], after[start])) start++;
  let tail = 0;
  while (tail < shorter - start && isSame(before.at(-1 - tail), after.at(-1 - tail))) tail++;

  const numbers = new Map<string, number>();
  const numbered = (words: readonly string[]): number[] =>
    words.slice(start, words.length - tail).map((word) => {
      const key = keyOf(word);
      const number = numbers.get(key) ?? numbers.size;
      numbers.set(key, number);
      return number;
    });
  const pairs = commonPairs(numbered(before), numbered(after));

  const blocks: Block[] = [];
  let [atBefore, atAfter] = [0, 0];
  const add = (beforeEnd: number, afterEnd: number, same: boolean): void => {
    if (beforeEnd === atBefore && afterEnd === atAfter) return;
    const last = blocks.at(-1);
    if (last !== undefined && last.isSame === same) {
      last.beforeEnd = beforeEnd;
      last.afterEnd = afterEnd;
    } else {
      const [beforeStart, afterStart] = [atBefore, atAfter];
      blocks.push({ isSame: same, beforeStart, beforeEnd, afterStart, afterEnd });
    }
    [atBefore, atAfter] = [beforeEnd, afterEnd];
  };
  add(start, start, true);
  for (const [inBefore, inAfter] of pairs) {
    add(start + inBefore, start + inAfter, false);
    add(start + inBefore + 1, start + inAfter + 1, true);
  }
  add(before.length - tail, after.length - tail, false);
  add(before.length, after.length, true);
  return blocks;
}

/** The words of a text: what stands between spaces. */
export function splitWords(text: string): string[] {
  return text.match(/\S+/gu) ?? [];
}

function isSame(one: string | undefined, other: string | undefined): boolean {
  return one === other || keyOf(one ?? "") === keyOf(other ?? "");
}

function keyOf(word: string): string {
  const bare = word.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]/gu, "");
  return bare === "" ? word : bare;
}

/** Pairs of positions of a longest common subsequence, in order; none when too much differs. */
function commonPairs(before: readonly number[], after: readonly number[]): [number, number][] {
  const most = Math.min(before.length + after.length, DIFFERENCES_MAX);
  // The furthest position in `before` on each diagonal, and what it was after each difference.
  const furthest = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const history: Int32Array[] = [];
  for (let differences = 0; differences <= most; differences++) {
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      const [left, right] = [
        furthest[middle + diagonal - 1] ?? 0,
        furthest[middle + diagonal + 1] ?? 0,
      ];
      let x = cameDown(left, right, diagonal, differences) ? right : left + 1;
      while (
        x < before.length &&
        x - diagonal < after.length &&
        before[x] === after[x - diagonal]
      ) {
        x++;
      }
      furthest[middle + diagonal] = x;
      if (x < before.length || x - diagonal < after.length) continue;
      return tracedBack(history, before.length, after.length);
    }
    history.push(furthest.slice(middle - differences, middle + differences + 1));
  }
  return [];
}

/** Whether the best way to a diagonal inserts a word, or else leaves one out. */
function cameDown(left: number, right: number, diagonal: number, differences: number): boolean {
  return diagonal === -differences || (diagonal !== differences && left < right);
}

function tracedBack(
  history: readonly Int32Array[],
  beforeLength: number,
  afterLength: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [beforeLength, afterLength];
  for (let differences = history.length; differences > 0; differences--) {
    const row = history[differences - 1] ?? new Int32Array();
    const diagonal = x - y;
    const left = row[diagonal - 1 + differences - 1] ?? 0;
    const right = row[diagonal + 1 + differences - 1] ?? 0;
    const isDown = cameDown(left, right, diagonal, differences);
    const fromX = isDown ? right : left;
    const fromY = fromX - (isDown ? diagonal + 1 : diagonal - 1);
    const stepX = isDown ? fromX : fromX + 1;
    while (x > stepX) pairs.push([--x, --y]);
    [x, y] = [fromX, fromY];
  }
  while (x > 0 && y > 0) pairs.push([--x, --y]);
  return pairs.reverse();
}
