import { expect, test } from "bun:test";
import { createGenerator } from "../../../src/cli/simulate/generate.ts";
import { createRandom } from "../../../src/cli/simulate/random.ts";
import type { SourcePost } from "../../../src/cli/simulate/source.ts";

const COUNT = 4_000;
const make = createGenerator(7);
const posts = Array.from({ length: COUNT }, (_, at) => make(at + 1));

function share(isSo: (post: SourcePost) => boolean): number {
  return posts.filter(isSo).length / COUNT;
}

test("a seed gives the same posts, in whatever order they are made", () => {
  const again = createGenerator(7);
  for (const n of [COUNT, 1, 2_000, 3]) expect(again(n)).toEqual(posts[n - 1] as SourcePost);
  expect(createGenerator(8)(1).content).not.toBe(make(1).content);
  expect(make(5).externalId).toBe("sim-7-5");
});

test("posts have 80 to 3,000 bytes, about 1,200 on average", () => {
  const bytes = posts.map(({ content }) => Buffer.byteLength(content));
  expect(Math.min(...bytes)).toBeGreaterThanOrEqual(80);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(3_000);
  const mean = bytes.reduce((sum, length) => sum + length, 0) / COUNT;
  expect(mean).toBeGreaterThan(1_100);
  expect(mean).toBeLessThan(1_300);
});

test("no two posts are the same, and no slot is left empty", () => {
  expect(new Set(posts.map(({ content }) => content)).size).toBe(COUNT);
  expect(posts.filter(({ content }) => /[{}]|undefined| {2}/.test(content))).toEqual([]);
});

test("a tenth is Hindi, in publications of its own", () => {
  const hindi = /[\u0900-\u097F]/;
  const part = share(({ content }) => hindi.test(content));
  expect(part).toBeGreaterThan(0.08);
  expect(part).toBeLessThan(0.12);
  expect(
    posts.every(({ content, publication }) => hindi.test(content) === hindi.test(publication)),
  ).toBe(true);
});

test("40 publications, some large and most small, over 30 days", () => {
  const sizes = Map.groupBy(posts, ({ publication }) => publication);
  expect(sizes.size).toBe(40);
  const sorted = [...sizes.values()].map(({ length }) => length).sort((one, other) => other - one);
  expect(sorted[0]).toBeGreaterThan(5 * (sorted[30] ?? 0));
  const days = new Set(posts.map(({ publishedAt }) => Math.floor((publishedAt ?? 0) / 86_400_000)));
  expect(days.size).toBe(30);
});

test("publications have interests: the names of one are seldom those of another", () => {
  const names = (publication: string): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const { content } of posts.filter((post) => post.publication === publication)) {
      for (const [name] of content.matchAll(/[A-Z]\w+ [A-Z][\w']+/g)) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    return counts;
  };
  const largest = [...Map.groupBy(posts, ({ publication }) => publication)]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([name]) => name);
  const tops = largest.slice(0, 3).map((publication) =>
    [...names(publication)]
      .sort(([, one], [, other]) => other - one)
      .slice(0, 10)
      .map(([name]) => name),
  );
  expect(new Set(tops.flat()).size).toBeGreaterThan(12);
});

test("numbers repeat for a seed, and neighbours differ", () => {
  const take = (seed: number, place: number): number[] => {
    const random = createRandom(seed, place);
    return Array.from({ length: 5 }, () => random.next());
  };
  expect(take(1, 2)).toEqual(take(1, 2));
  expect(new Set([take(1, 2), take(1, 3), take(2, 2), take(2, 3)].flat()).size).toBe(20);
  const random = createRandom(3);
  const ranks = Array.from({ length: 10_000 }, () => random.ranked(100));
  expect(Math.min(...ranks)).toBe(0);
  expect(Math.max(...ranks)).toBeLessThan(100);
  const of = (rank: number): number => ranks.filter((one) => one === rank).length;
  expect(of(0)).toBeGreaterThan(3 * of(9));
});
