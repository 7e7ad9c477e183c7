import { describe, expect, test } from "bun:test";
import { type Checked, compareCounts, drainQueue } from "../../../src/cli/simulate/check.ts";
import type { Service } from "../../../src/cli/simulate/service.ts";
import type { SourcePost } from "../../../src/cli/simulate/source.ts";
import { createTruth, distinctPosts } from "../../../src/cli/simulate/truth.ts";
import type { TopicMention } from "../../../src/text/topics.ts";

/** Every capitalised word is a place. */
function findTopics(text: string): TopicMention[] {
  const names = new Set(text.match(/\b[A-Z]\w+/g));
  return [...Map.groupBy(names, (name) => name.toLowerCase())].map(([key, spellings]) => ({
    label: "LOC",
    key,
    spellings,
  }));
}

function post(publication: string, content: string, externalId = content): SourcePost {
  return { content, publication, externalId, publishedAt: null };
}

const POSTS = [
  post("A", "Paris and Rome"),
  post("A", "PARIS twice, Paris"),
  post("A/B", "Rome"),
  post("A/B", "PARIS"),
];

interface CountedTopic {
  topic: string;
  label: string;
  count: number;
}

type Counted = Record<string, { posts: number; topics: CountedTopic[] }>;

/** What a service that counts well has, and of that all there is of A. */
function countWell() {
  // Two posts write Paris so, and two the other way: the first in code-point order is shown.
  const paris: CountedTopic = { topic: "PARIS", label: "LOC", count: 2 };
  const rome: CountedTopic = { topic: "Rome", label: "LOC", count: 1 };
  const a = { posts: 2, topics: [paris, rome] };
  const b = { posts: 2, topics: [{ ...paris, count: 1 }, rome] };
  const all: Counted = { A: a, "A/B": { ...b, topics: b.topics.map((topic) => ({ ...topic })) } };
  return { all, a, paris, rome };
}

type Change = (counted: ReturnType<typeof countWell>) => unknown;

/** A service that counted like this and gives one topic a page. */
function serviceOf(counted: Counted): Service {
  const answer = (path: string): unknown => {
    const url = new URL(path, "http://localhost");
    if (url.pathname === "/v1/publications") {
      return Object.entries(counted).map(([publication, { posts, topics }]) => ({
        publication,
        posts,
        topics: topics.length,
      }));
    }
    const [, name = ""] = /^\/v1\/publications\/([^/]+)\/topics$/.exec(url.pathname) ?? [];
    const topics = counted[decodeURIComponent(name)]?.topics ?? [];
    const from = Number(url.searchParams.get("after") ?? 0);
    const isAll = url.searchParams.get("own") === "include";
    return {
      topics: isAll ? topics.slice(from, from + 1) : [],
      next: from + 1 < topics.length ? String(from + 1) : null,
    };
  };
  return {
    ask: ({ path }) => Promise.resolve({ status: 200, json: answer(path), isRepeat: false }),
  };
}

async function check(
  change: Change = () => undefined,
  before = new Map<string, number>(),
): Promise<Checked & { lines: string[] }> {
  const truth = createTruth(findTopics);
  for (const one of POSTS) truth.add(one);
  const counted = countWell();
  change(counted);
  const lines: string[] = [];
  const checked = await compareCounts({
    service: serviceOf(counted.all),
    truth,
    before,
    onDifference: (line) => lines.push(line),
    onProgress: () => undefined,
  });
  expect(checked.differences).toBe(lines.length);
  return { ...checked, lines };
}

describe("a check", () => {
  test("finds nothing where all is right", async () => {
    expect(await check()).toEqual({ topics: 2, differences: 0, incomparable: [], lines: [] });
  });

  test.each<[string, Change, string[]]>([
    ["a count", ({ rome }) => (rome.count = 2), ["A: LOC rome has 2 posts, not 1"]],
    [
      "a topic that is missing",
      ({ a }) => a.topics.pop(),
      ["A: LOC rome is missing, 1 posts mention it"],
    ],
    [
      "a topic that nobody mentions",
      ({ a }) => a.topics.push({ topic: "Oslo", label: "LOC", count: 1 }),
      ["A: LOC oslo has 1 posts and no post mentions it"],
    ],
    [
      "a label",
      ({ rome }) => (rome.label = "ORG"),
      [
        "A: LOC rome is missing, 1 posts mention it",
        "A: ORG rome has 1 posts and no post mentions it",
      ],
    ],
    [
      "a topic that is there twice",
      ({ a }) => a.topics.push({ topic: "ROME", label: "LOC", count: 1 }),
      ["A: LOC rome is there 2 times"],
    ],
    [
      "a spelling",
      ({ paris }) => (paris.topic = "Paris"),
      ["A: LOC paris is written Paris, not PARIS"],
    ],
    ["posts", ({ a }) => (a.posts = 3), ["A: 3 posts, not 2"]],
    [
      "a publication that is missing",
      ({ all }) => delete all["A/B"],
      ["A/B is missing, with 2 posts"],
    ],
  ])("finds %s", async (_name, change, lines) => {
    expect((await check(change)).lines).toEqual(lines);
  });

  test("says nothing of publications that had other posts before", async () => {
    const change: Change = ({ a }) => (a.posts = 5);
    expect(await check(change, new Map([["A", 3]]))).toMatchObject({
      differences: 0,
      incomparable: ["A"],
    });
  });

  test("minds spellings only where the service has no other posts", async () => {
    const { lines } = await check(({ all, paris }) => {
      all["C"] = { posts: 1, topics: [] };
      paris.topic = "Paris";
    });
    expect(lines).toEqual([]);
  });
});

test("posts that come again under the same id of a publication are left out", async () => {
  const posts = [
    post("A", "x", "1"),
    post("B", "x", "1"),
    post("A", "y", "1"),
    post("A", "z", "2"),
  ];
  let repeats = 0;
  const left = await Array.fromAsync(
    distinctPosts(
      (async function* () {
        yield* posts;
      })(),
      () => repeats++,
    ),
  );
  expect(left.map((one) => one.content)).toEqual(["x", "x", "z"]);
  expect(repeats).toBe(1);
});

describe("the queue", () => {
  const wait = async (states: number[][], patienceMs: number): Promise<unknown> => {
    let asked = 0;
    let at = 0;
    return drainQueue({
      service: {
        ask: () => {
          const [queued, leased, done, dead] = states[Math.min(asked++, states.length - 1)] ?? [];
          return Promise.resolve({
            status: 200,
            json: { queued, leased, done, dead },
            isRepeat: false,
          });
        },
      },
      patienceMs,
      pauseMs: 0,
      now: () => at++,
      onProgress: () => undefined,
    });
  };

  test("is waited for until it is empty", async () => {
    const states = [
      [5, 2, 0, 0],
      [0, 3, 4, 0],
      [0, 0, 6, 1],
    ];
    expect(await wait(states, 10)).toEqual({ dead: 1 });
  });

  test("is given up when it stands still", async () => {
    expect(wait([[5, 2, 0, 0]], 10)).rejects.toThrow("7 posts have been waiting");
  });
});
