import { expect, test } from "bun:test";
import {
  TAGS,
  TAGS_BEFORE,
  spansOfNames,
  spansOfTags,
  tagsOfSpans,
} from "../../../src/text/entities/labels.ts";
import { createMarginals } from "../../../src/text/entities/marginals.ts";
import { createRandom } from "../../../src/text/entities/random.ts";
import { createLattice, decode } from "../../../src/text/entities/viterbi.ts";

const WIDTH = TAGS.length;

/** Tries every way through. */
function bestByHand(scores: Float32Array, count: number, pairs: Float32Array): number[] {
  let best: { score: number; tags: number[] } = { score: -Infinity, tags: [] };
  const go = (tags: number[], score: number): void => {
    if (tags.length === count) {
      if (score > best.score) best = { score, tags };
      return;
    }
    const before = tags.at(-1) ?? WIDTH;
    for (let tag = 0; tag < WIDTH; tag++) {
      if (TAGS_BEFORE[tag]?.includes(before) !== true) continue;
      const own = scores[tags.length * WIDTH + tag] ?? 0;
      go([...tags, tag], score + own + (pairs[before * WIDTH + tag] ?? 0));
    }
  };
  go([], 0);
  return best.tags;
}

test("decoding finds what trying every way finds", () => {
  const random = createRandom(5);
  for (let round = 0; round < 40; round++) {
    const count = 1 + Math.floor(random() * 5);
    const lattice = createLattice(count);
    lattice.scores.set(Float32Array.from(lattice.scores, () => random() * 4 - 2));
    const pairs = Float32Array.from({ length: (WIDTH + 1) * WIDTH }, () => random() * 4 - 2);
    const wanted = bestByHand(lattice.scores, count, pairs);
    decode(lattice, count, pairs);
    expect([...lattice.tags]).toEqual(wanted);
  }
});

test("marginals are the shares of all ways that use a tag or a pair", () => {
  const random = createRandom(6);
  for (let round = 0; round < 20; round++) {
    const count = 1 + Math.floor(random() * 4);
    const scores = Float32Array.from({ length: count * WIDTH }, () => random() * 4 - 2);
    const pairs = Float32Array.from({ length: (WIDTH + 1) * WIDTH }, () => random() * 4 - 2);
    const tagSums = new Float64Array(count * WIDTH);
    const pairSums = new Float64Array(pairs.length);
    let all = 0;
    const go = (tags: number[], score: number): void => {
      if (tags.length === count) {
        const weight = Math.exp(score);
        all += weight;
        for (const [at, tag] of tags.entries()) {
          const pair = (tags[at - 1] ?? WIDTH) * WIDTH + tag;
          tagSums[at * WIDTH + tag] = (tagSums[at * WIDTH + tag] ?? 0) + weight;
          pairSums[pair] = (pairSums[pair] ?? 0) + weight;
        }
        return;
      }
      const before = tags.at(-1) ?? WIDTH;
      for (let tag = 0; tag < WIDTH; tag++) {
        if (TAGS_BEFORE[tag]?.includes(before) !== true) continue;
        const own = scores[tags.length * WIDTH + tag] ?? 0;
        go([...tags, tag], score + own + (pairs[before * WIDTH + tag] ?? 0));
      }
    };
    go([], 0);
    const marginals = createMarginals(count);
    marginals.compute(scores, count, pairs);
    for (const [at, sum] of tagSums.entries()) {
      expect(marginals.tags[at]).toBeCloseTo(sum / all, 6);
    }
    for (const [at, sum] of pairSums.entries()) {
      expect(marginals.pairs[at]).toBeCloseTo(sum / all, 6);
    }
  }
});

test("an entity never goes on from nothing or from another type", () => {
  expect(TAGS).toEqual(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]);
  const inside = TAGS_BEFORE[TAGS.indexOf("I-ORG")];
  expect([...(inside ?? [])].map((tag) => TAGS[tag])).toEqual(["B-ORG", "I-ORG"]);
});

test("spans and tags say the same", () => {
  const names = ["B-PER", "I-PER", "O", "B-MISC", "B-LOC", "B-LOC", "I-ORG", "I-ORG"];
  const spans = spansOfNames(names);
  expect(spans).toEqual([
    { start: 0, end: 2, label: "PER" },
    { start: 4, end: 5, label: "LOC" },
    { start: 5, end: 6, label: "LOC" },
    { start: 6, end: 8, label: "ORG" },
  ]);
  expect(spansOfTags(tagsOfSpans(spans, names.length), names.length)).toEqual(spans);
});
