import { hashJoint } from "./hash.ts";
import { MATCH_LAST, NAME_KINDS } from "./names.ts";
import { CASE_LOWER, CASE_NONE, CASE_UPPER, type Word } from "./word.ts";

/** A token has no more features that join two or more words than this. */
export const JOINT_FEATURES_MAX = 48;

/** Whether a sentence's capitals tell anything. */
const MODE_MIXED = 0;
const MODE_LOWER = 1;
const MODE_UPPER = 2;
const MODE_TITLE = 3;

/** Sentences of fewer words with letters are not judged by their capitals. */
const JUDGED_WORDS_MIN = 3;
const TITLE_SHARE_MIN = 0.75;

/** Tells how a sentence of `count` words is written, which stand from `first` in a padded row. */
export function modeOf(words: readonly Word[], first: number, count: number): number {
  let lower = 0;
  let upper = 0;
  let title = 0;
  for (let at = first; at < first + count; at++) {
    const { casing } = words[at] as Word;
    if (casing === CASE_NONE) continue;
    if (casing === CASE_LOWER) lower++;
    else if (casing === CASE_UPPER) upper++;
    else title++;
  }
  const all = lower + upper + title;
  if (lower === all) return MODE_LOWER;
  if (all < JUDGED_WORDS_MIN) return MODE_MIXED;
  if (upper >= TITLE_SHARE_MIN * all) return MODE_UPPER;
  return all > JUDGED_WORDS_MIN && title + upper >= TITLE_SHARE_MIN * all ? MODE_TITLE : MODE_MIXED;
}

/**
 * Writes the features that join words around `at` into `out` and returns how many there are.
 * `words` is padded with two edges on both sides, `matches` says what `matchNames` found.
 */
export function joinFeatures(
  words: readonly Word[],
  at: number,
  first: number,
  mode: number,
  matches: Uint16Array,
  out: Int32Array,
): number {
  const word = words[at] as Word;
  const left = words[at - 1] as Word;
  const left2 = words[at - 2] as Word;
  const right = words[at + 1] as Word;
  const right2 = words[at + 2] as Word;
  const isFirst = at === first || (at === first + 1 && !left.mayOpen) ? 1 : 0;
  const lower = word.lower;
  const shape = word.shape;
  const leftLower = left.lower;
  const rightLower = right.lower;
  const leftShape = left.shape;
  const rightShape = right.shape;
  out[0] = hashJoint(101, leftLower, lower, 0);
  out[1] = hashJoint(102, rightLower, lower, 0);
  out[2] = hashJoint(103, left2.lower, leftLower, 0);
  out[3] = hashJoint(104, rightLower, right2.lower, 0);
  out[4] = hashJoint(105, leftLower, rightLower, 0);
  out[5] = hashJoint(106, leftShape, shape, 0);
  out[6] = hashJoint(107, rightShape, shape, 0);
  out[7] = hashJoint(108, leftShape, shape, rightShape);
  out[8] = hashJoint(111, leftLower, shape, 0);
  out[9] = hashJoint(112, rightLower, shape, 0);
  out[10] = hashJoint(113, shape, isFirst * 4 + mode, 0);
  let count = 11;
  if (isFirst === 1) out[count++] = hashJoint(114, lower, 0, 0);
  const { cluster } = word;
  if ((cluster | left.cluster | right.cluster) !== 0) {
    out[count++] = hashJoint(115, left.cluster, cluster, 0);
    out[count++] = hashJoint(116, right.cluster, cluster, 0);
  }
  if ((word.names | left.names | right.names) !== 0) {
    const own = word.names * 8 + word.casing;
    out[count++] = hashJoint(118, left.names, own, 0);
    out[count++] = hashJoint(119, right.names, own, 0);
    out[count++] = hashJoint(120, leftLower, own, 0);
  }
  if (mode !== MODE_MIXED) {
    out[count++] = hashJoint(121, lower, mode, 0);
    out[count++] = hashJoint(122, cluster, mode, 0);
    out[count++] = hashJoint(123, word.names, mode, 0);
    out[count++] = hashJoint(124, leftLower, mode, 0);
    out[count++] = hashJoint(125, rightLower, mode, 0);
    out[count++] = hashJoint(126, word.casing * 8 + word.prior, mode, 0);
    out[count++] = hashJoint(127, cluster, word.prior, 0);
  }
  return count + joinNames(matches, at, word, leftLower, mode, out, count);
}

/** Writes the features of names of several words from `from` on and returns how many there are. */
function joinNames(
  matches: Uint16Array,
  at: number,
  { casing, shape }: Word,
  leftLower: number,
  mode: number,
  out: Int32Array,
  from: number,
): number {
  const before = matches[at - 1] as number;
  const match = matches[at] as number;
  const after = matches[at + 1] as number;
  let count = from;
  if (match !== 0) {
    out[count++] = hashJoint(130, match, casing, 0);
    out[count++] = hashJoint(131, match, leftLower, 0);
    out[count++] = hashJoint(132, match, mode, 0);
    const place = match >> NAME_KINDS;
    for (let bit = 0; bit < NAME_KINDS; bit++) {
      if (((match >> bit) & 1) === 1) out[count++] = hashJoint(133, bit * 4 + place, casing, 0);
    }
  }
  if (before >= MATCH_LAST) out[count++] = hashJoint(134, before, shape, 0);
  if (after !== 0) out[count++] = hashJoint(135, after, shape, 0);
  return count - from;
}
