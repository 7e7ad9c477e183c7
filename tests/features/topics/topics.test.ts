import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { addCounts } from "../../../src/features/topics/count.store.ts";
import { openDatabase } from "../../../src/platform/database.ts";
import type { TestApp } from "../../support/app.ts";
import { createRandom } from "../../support/random.ts";
import {
  type ListedTopic,
  type SentPost,
  allTopics,
  answerOf,
  drained,
  get,
  sendAll,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

setDefaultTimeout(30_000);

const DAY_MS = 86_400_000;

/** Posts that each mention all of the lines. */
const posts = (
  count: number,
  publication: string,
  lines: string[],
  published_at?: string | number,
) =>
  Array.from({ length: count }, (): SentPost => ({
    content: ["a post", ...lines].join("\n"),
    publication,
    ...(published_at === undefined ? {} : { published_at }),
  }));

/** An app that has counted these posts. */
async function counting(sent: readonly SentPost[]): Promise<TestApp> {
  const app = await startToldApp();
  await sendAll(app, sent);
  await drained(app);
  return app;
}

const shown = (found: readonly ListedTopic[]): string[] =>
  found.map(({ label, topic, count }) => `${label} ${topic}: ${count}`);

describe("topics", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await counting([
      // Spellings of one topic.
      ...posts(2, "spelt", ["LOC U.S."]),
      ...posts(3, "spelt", ["LOC US", "LOC USA"]),
      ...posts(3, "spelt", ["LOC the United States"]),
      ...posts(2, "spelt", ["ORG US"]),
      ...posts(2, "spelt", ["PER émile zola", "PER Émile Zola"]),
      // Within one post each counts once, and a surname counts for its full name.
      ...posts(1, "once", ["PER Ada Lovelace", "PER Ada Lovelace", "PER Lovelace", "PER Ada"]),
      ...posts(1, "once", ["PER Lovelace"]),
      // Days.
      ...posts(1, "days", ["PER Ada Lovelace"], "2026-03-01T23:59:59.999Z"),
      ...posts(2, "days", ["PER Ada Lovelace"], "2026-03-02T00:00:00Z"),
      ...posts(4, "days", ["PER Ada Lovelace", "LOC Paris"], "2026-03-03T12:00:00Z"),
      ...posts(8, "days", ["PER Ada Lovelace"], "2026-03-04"),
      // Names of its own.
      ...posts(1, "The Daily Planet", ["ORG Daily Planet", "LOC daily planet", "PER Clark Kent"]),
      ...posts(1, "www.daily-bugle.co.uk", ["ORG Daily Bugle", "ORG Dailybugle", "PER Jameson"]),
      // Words.
      ...posts(1, "words", [
        "ORG Bank of America",
        "LOC South America",
        "PER Americo Vespucci",
        "ORG Panamerican",
        "LOC 100% Street_Name",
        "PER O'Brien-Smith",
        "LOC मुंबई",
      ]),
    ]);
  });
  afterAll(() => app.stop());

  test("are one by label and folded name, shown by the commonest spelling", async () => {
    expect(await talkOf(app, "spelt")).toEqual(["LOC US: 8", "PER Émile Zola: 2", "ORG US: 2"]);
  });

  test("are counted once a post, a surname for its full name", async () => {
    expect(await talkOf(app, "once")).toEqual(["PER Ada Lovelace: 1", "PER Lovelace: 1"]);
  });

  test("leave out a publication's own name unless asked for it, and count it all the same", async () => {
    expect(await talkOf(app, "The Daily Planet")).toEqual(["PER Clark Kent: 1"]);
    expect(await talkOf(app, "The Daily Planet", "own=exclude")).toEqual(["PER Clark Kent: 1"]);
    expect(await talkOf(app, "The Daily Planet", "own=include")).toEqual([
      "PER Clark Kent: 1",
      "LOC daily planet: 1",
      "ORG Daily Planet: 1",
    ]);
    expect(await talkOf(app, "www.daily-bugle.co.uk")).toEqual(["PER Jameson: 1"]);
    expect(shown(await allTopics(app, "/v1/topics?q=planet"))).toEqual([
      "LOC daily planet: 1",
      "ORG Daily Planet: 1",
    ]);
  });

  test("may be asked for by label", async () => {
    expect(await talkOf(app, "spelt", "label=ORG")).toEqual(["ORG US: 2"]);
    expect(await talkOf(app, "spelt", "label=LOC&limit=1")).toEqual(["LOC US: 8"]);
  });

  test.each([
    ["america", ["LOC South America: 1", "ORG Bank of America: 1"]],
    ["AMERIC", ["LOC South America: 1", "ORG Bank of America: 1", "PER Americo Vespucci: 1"]],
    ["bank of am", ["ORG Bank of America: 1"]],
    ["The Bank", ["ORG Bank of America: 1"]],
    ["merica", []],
    ["ank", []],
    ["obrien", ["PER O'Brien-Smith: 1"]],
    ["O’Brien", ["PER O'Brien-Smith: 1"]],
    ["smith", ["PER O'Brien-Smith: 1"]],
    ["मुंब", ["LOC मुंबई: 1"]],
    ["%", []],
    ["_", []],
    ["*", []],
    ["100%", ["LOC 100% Street_Name: 1"]],
    ["1_0", []],
    ["' OR 1=1 --", []],
    ['"', []],
    ["🤷", []],
    ["mr vespucci", ["PER Americo Vespucci: 1"]],
  ])("may be asked for by how a word begins: %j", async (q, expected) => {
    const found = await talkOf(app, "words", `q=${encodeURIComponent(q)}`);
    expect(found.sort()).toEqual([...expected].sort());
  });

  test.each(["United States", "USA", "U.S.", "the united states of america"])(
    "are found under each of their variants, also without a label: %j",
    async (name) => {
      const q = encodeURIComponent(name);
      expect(await talkOf(app, "spelt", `q=${q}`)).toEqual(["LOC US: 8", "ORG US: 2"]);
      expect(await talkOf(app, "spelt", `q=${q}&label=ORG`)).toEqual(["ORG US: 2"]);
      const days = await get<{ count: number }[]>(app, `/v1/topics/timeline?topic=${q}`);
      expect(days.map(({ count }) => count)).toEqual([8]);
      const other = await get<{ count: number }[]>(app, `/v1/topics/timeline?topic=${q}&label=ORG`);
      expect(other.map(({ count }) => count)).toEqual([2]);
    },
  );

  test.each<[string, number, number]>([
    ["", 15, 4],
    ["since=2026-03-02", 14, 4],
    ["since=2026-03-02T23:59:59Z", 14, 4],
    ["until=2026-03-01", 1, 0],
    ["since=2026-03-02&until=2026-03-03", 6, 4],
    [`since=${Date.UTC(2026, 2, 2)}&until=${Date.UTC(2026, 2, 4) - 1}`, 6, 4],
    [`since=${Date.UTC(2026, 2, 2) - 1}`, 15, 4],
    ["since=2026-03-03T02:00:00%2B05:30&until=2026-03-02", 2, 0],
    ["since=2026-03-05", 0, 0],
    ["since=2026-03-04&until=2026-03-01", 0, 0],
    ["since=0&until=9999-12-31", 15, 4],
  ])("may be asked for by days: %s", async (query, ada, paris) => {
    const expected = [`PER Ada Lovelace: ${ada}`, `LOC Paris: ${paris}`];
    expect(await talkOf(app, "days", query)).toEqual(
      expected.filter((line) => !line.endsWith(": 0")),
    );
    const days = await get<{ day: string; count: number }[]>(
      app,
      `/v1/topics/timeline?topic=ada%20lovelace&publication=days&${query}`,
    );
    expect(days.reduce((sum, { count }) => sum + count, 0)).toBe(ada);
  });

  test("have a timeline of whole days in UTC, of all publications or of one", async () => {
    const path = "/v1/topics/timeline?topic=ADA+LOVELACE&interval=day";
    const own = [
      { day: "2026-03-01", count: 1 },
      { day: "2026-03-02", count: 2 },
      { day: "2026-03-03", count: 4 },
      { day: "2026-03-04", count: 8 },
    ];
    expect(await get<unknown>(app, `${path}&publication=days`)).toEqual(own);
    expect(await get<unknown>(app, `${path}&publication=days&label=PER`)).toEqual(own);
    const all = await get<unknown[]>(app, path);
    expect(all.slice(0, 4)).toEqual(own);
    expect(all).toHaveLength(5);
    expect(await get<unknown>(app, `${path}&publication=words`)).toEqual([]);
  });

  test("of all publications say how many mention them", async () => {
    const found = await allTopics(app, "/v1/topics?q=ada");
    expect(found).toEqual([{ topic: "Ada Lovelace", label: "PER", count: 16, publications: 2 }]);
    const days = await allTopics(app, "/v1/topics?q=ada&since=2026-03-01&until=2026-03-04");
    expect(days).toEqual([{ topic: "Ada Lovelace", label: "PER", count: 15, publications: 1 }]);
  });

  test("are 404 where the publication or the topic is not there", async () => {
    for (const path of [
      "/v1/publications/nobody/topics",
      "/v1/publications/SPELT/topics",
      "/v1/publications/spelt%20/topics",
      "/v1/publications/%27%20OR%201%3D1/topics",
      "/v1/publications/%zz/topics",
      "/v1/publications/a%00b/topics",
      "/v1/topics/timeline?topic=nobody",
      "/v1/topics/timeline?topic=Paris&label=PER",
      "/v1/topics/timeline?topic=Paris&publication=nobody",
    ]) {
      const { status, json } = await answerOf(await fetch(app.url + path));
      expect([path, status, json["code"]]).toEqual([path, 404, "not_found"]);
    }
  });

  test.each([
    "limit=0",
    "limit=-1",
    "limit=1001",
    "limit=x",
    "limit=1.5",
    "limit=1e9",
    "label=XXX",
    "label=per",
    "label=",
    "sort=name",
    "sort=",
    "own=maybe",
    "unknown=1",
    "since=yesterday",
    "since=2026-02-30",
    "since=-5",
    "since=Jan 1 2026 Z",
    "until=99999999999999999999",
    "until=2026-1-1",
    "until=NaN",
    "after=x",
    "after=%00",
    "after=bnVsbA",
    "after=e30",
    "after=WzEsMl0",
    `after=${Buffer.from('["1","a","PER"]').toString("base64url")}`,
    `after=${Buffer.from('[1,"a","XXX"]').toString("base64url")}`,
    `q=${"a".repeat(401)}`,
  ])("cannot be asked for with %s: 422", async (query) => {
    const paths = [`/v1/publications/spelt/topics?${query}`];
    if (!query.startsWith("own")) paths.push(`/v1/topics?${query}`);
    for (const path of paths) {
      const { status, json } = await answerOf(await fetch(app.url + path));
      expect([status, json["code"]]).toEqual([422, "invalid"]);
    }
  });

  test.each([
    ["nothing", ""],
    ["punctuation", "topic=!!!"],
    ["an empty name", "topic="],
    ["a long name", `topic=${"a".repeat(401)}`],
    ["another interval", "topic=Paris&interval=week"],
    ["a bad label", "topic=Paris&label=X"],
    ["a bad day", "topic=Paris&since=2026-13-01"],
    ["more", "topic=Paris&limit=1"],
  ])("have no timeline of %s: 422", async (_, query) => {
    const { status, json } = await answerOf(await fetch(`${app.url}/v1/topics/timeline?${query}`));
    expect([status, json["code"]]).toEqual([422, "invalid"]);
  });

  test("stand whatever a cursor, a name or a wish holds", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.constantFrom("'; DROP TABLE topics; --", "%", "_", "\\", "\u0000", "../..", "1e999"),
    );
    const cursor = fc
      .tuple(
        fc.oneof(fc.double(), fc.constant(1e308)),
        text,
        fc.constantFrom("PER", "ORG", "LOC", "X"),
      )
      .map((place) => Buffer.from(JSON.stringify(place)).toString("base64url"));
    await fc.assert(
      fc.asyncProperty(
        text,
        text,
        fc.oneof(text, cursor),
        fc.constantFrom("count", "lift"),
        async (name, q, after, sort) => {
          const query = new URLSearchParams({ q, after, sort }).toString();
          const paths = [
            `/v1/publications/${encodeURIComponent(name)}/topics?${query}`,
            `/v1/publications/spelt/topics?${query}`,
            `/v1/topics?${query}`,
            `/v1/topics/timeline?${new URLSearchParams({ topic: name, publication: q }).toString()}`,
            `/v1/publications?after=${encodeURIComponent(name)}`,
          ];
          for (const path of paths) {
            const { status } = await fetch(app.url + path);
            expect([200, 404, 422]).toContain(status);
          }
        },
      ),
      { seed: 3, numRuns: 60 },
    );
    expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});

describe("publications", () => {
  test("come by name in pages, with the posts that are counted and their topics", async () => {
    const app = await startToldApp();
    expect(await get<unknown>(app, "/v1/publications")).toEqual([]);
    for (const path of ["/v1/topics", "/v1/topics?sort=lift&since=2026-01-01"]) {
      expect(await get<unknown>(app, path)).toEqual({ topics: [], next: null });
    }
    const names = ["b", "A", "a", "é", "😀", "\uffee", "z/z"];
    await sendAll(
      app,
      names.flatMap((name, at) => posts(at + 1, name, ["PER Ada", `ORG ${name} x`])),
    );
    await drained(app);
    const all = await get<{ publication: string; posts: number; topics: number }[]>(
      app,
      "/v1/publications",
    );
    // In code-point order, which JavaScript's own is not.
    expect(all.map(({ publication }) => publication)).toEqual([
      "A",
      "a",
      "b",
      "z/z",
      "é",
      "\uffee",
      "😀",
    ]);
    expect(all[0]).toEqual({ publication: "A", posts: 2, topics: 2 });
    const paged = [];
    for (let after = ""; ;) {
      const page: typeof all = await get(
        app,
        `/v1/publications?limit=2&after=${encodeURIComponent(after)}`,
      );
      paged.push(...page);
      if (page.length < 2) break;
      after = page.at(-1)?.publication ?? "";
    }
    expect(paged).toEqual(all);
    for (const query of ["limit=0", "limit=10001", "limit=x", "more=1"]) {
      expect((await fetch(`${app.url}/v1/publications?${query}`)).status).toBe(422);
    }
    await app.stop();
  });
});

test("lift is the share in the publication by the share in all, from five posts up", async () => {
  // One: 10 posts, 6 with Ada, 5 with Paris, 4 with Bob; other: 30 posts, 3 with Ada, 30 with Paris.
  const app = await counting([
    ...posts(4, "one", ["PER Ada", "LOC Paris", "PER Bob"], "2026-01-01"),
    ...posts(1, "one", ["PER Ada", "LOC Paris"], "2026-01-02"),
    ...posts(1, "one", ["PER Ada"], "2026-01-02"),
    ...posts(4, "one", [], "2026-01-02"),
    ...posts(3, "other", ["PER Ada", "LOC Paris"], "2026-01-01"),
    ...posts(27, "other", ["LOC Paris"], "2026-01-02"),
  ]);
  const rounded = (lift: number): number => Number(lift.toFixed(4));
  const ada = rounded(6 / 10 / (9 / 40));
  const paris = rounded(5 / 10 / (35 / 40));
  const listed = (query: string) => allTopics(app, `/v1/publications/one/topics?${query}`);
  expect(await listed("")).toEqual([
    { topic: "Ada", label: "PER", count: 6, lift: ada },
    { topic: "Paris", label: "LOC", count: 5, lift: paris },
    { topic: "Bob", label: "PER", count: 4 },
  ]);
  expect(await listed("sort=lift")).toEqual([
    { topic: "Ada", label: "PER", count: 6, lift: ada },
    { topic: "Paris", label: "LOC", count: 5, lift: paris },
  ]);
  // Among all, the highest of any publication.
  expect(await allTopics(app, "/v1/topics?sort=lift")).toEqual([
    { topic: "Ada", label: "PER", count: 9, lift: ada, publications: 2 },
    { topic: "Paris", label: "LOC", count: 35, lift: rounded(1 / (35 / 40)), publications: 2 },
  ]);
  // Of a day only that day's posts count, everywhere: 5 of other's 27 would be 30 posts.
  expect(await listed("sort=lift&since=2026-01-02")).toEqual([]);
  expect(await allTopics(app, "/v1/topics?sort=lift&since=2026-01-02")).toEqual([
    {
      topic: "Paris",
      label: "LOC",
      count: 28,
      lift: rounded(27 / 27 / (28 / 33)),
      publications: 2,
    },
  ]);
  await app.stop();
});

/** Posts with many topics that share counts, lifts and beginnings. */
function crowded(): SentPost[] {
  const random = createRandom(21);
  return Array.from({ length: 240 }, (_, at) => {
    const names = Array.from({ length: 6 }, () => {
      const label = ["PER", "ORG", "LOC"][Math.floor(random() * 3)];
      const name = `Name ${String.fromCodePoint(0x61 + Math.floor(random() * 20))}x`;
      const spelling = [name, name.toUpperCase(), name.replace(" ", "-")][Math.floor(random() * 3)];
      return `${label} ${spelling}`;
    });
    return {
      content: names.join("\n"),
      publication: ["one", "two", "three"][at % 3] ?? "",
      published_at: (20_000 + (at % 4)) * DAY_MS,
    };
  });
}

/** All answers of an app about its topics, as the bytes that were sent. */
async function everything(app: TestApp): Promise<string[]> {
  const answers: string[] = [];
  const read = async (path: string): Promise<void> => {
    for (let from = ""; ;) {
      const text = await (await fetch(app.url + path + from)).text();
      answers.push(text);
      const { next } = JSON.parse(text) as { next: string | null };
      if (next === null) return;
      from = `&after=${next}`;
    }
  };
  for (const sort of ["count", "lift"]) {
    await read(`/v1/topics?limit=7&sort=${sort}`);
    await read(`/v1/topics?limit=7&sort=${sort}&since=${20_001 * DAY_MS}`);
    await read(`/v1/publications/two/topics?limit=7&sort=${sort}&own=include`);
    await read(`/v1/publications/two/topics?limit=7&sort=${sort}&until=${20_002 * DAY_MS}`);
  }
  answers.push(await (await fetch(`${app.url}/v1/publications`)).text());
  answers.push(await (await fetch(`${app.url}/v1/topics/timeline?topic=name+ax`)).text());
  return answers;
}

/** No page of any size has a hole or a double. */
async function expectWholePages(app: TestApp): Promise<void> {
  for (const path of [
    "/v1/topics?",
    "/v1/topics?sort=lift&",
    "/v1/topics?since=2024-10-05&",
    "/v1/topics?sort=lift&since=2024-10-05&",
    "/v1/topics?label=PER&q=name&",
    "/v1/publications/one/topics?",
    "/v1/publications/one/topics?sort=lift&",
    "/v1/publications/one/topics?sort=lift&since=2024-10-05&",
  ]) {
    const whole = await allTopics(app, `${path}limit=1000`);
    expect(whole.length).toBeGreaterThan(10);
    const values = whole.map(({ count, lift }) => (path.includes("lift") ? (lift ?? 0) : count));
    expect(values).toEqual([...values].sort((one, other) => other - one));
    for (const limit of [1, 3, 10]) {
      expect(await allTopics(app, `${path}limit=${limit}`)).toEqual(whole);
    }
  }
}

test("answers are the same bytes in whatever order the same posts came, on pages of any size", async () => {
  const random = createRandom(22);
  const apps = [];
  for (const order of ["as made", "backwards", "shuffled"]) {
    const sent = crowded();
    if (order === "backwards") sent.reverse();
    if (order === "shuffled") {
      const places = new Map(sent.map((post) => [post, random()]));
      sent.sort((one, other) => (places.get(one) ?? 0) - (places.get(other) ?? 0));
    }
    apps.push(await counting(sent));
  }
  const [first, ...others] = await Promise.all(apps.map((app) => everything(app)));
  expect(first?.length).toBeGreaterThan(40);
  for (const other of others) expect(other).toEqual(first ?? []);
  for (const app of apps.slice(0, 1)) await expectWholePages(app);
  for (const app of apps) await app.stop();
});

test("counts hold whatever characters a spelling has", async () => {
  const database = openDatabase(":memory:");
  const names = fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(names, names, async (keys, written) => {
      const [distinct, spellings] = [[...new Set(keys)], [...new Set(written)]];
      await database.commit(() => {
        for (const table of ["topics", "topic_spellings", "topic_counts", "topic_days"]) {
          database.db.run(`DELETE FROM ${table}`);
        }
        const topics = distinct.map((key) => ({ label: "PER" as const, key, spellings }));
        const post = { publicationId: 1, day: 1, isSaid: false, topics };
        addCounts(database.db, [
          { ...post, id: 1 },
          { ...post, id: 2 },
        ]);
      });
      const counted = database.db.all<{ key: string; count: number }>(
        "SELECT key, count FROM topics",
      );
      expect(new Map(counted.map(({ key, count }) => [key, count]))).toEqual(
        new Map(distinct.map((key) => [key, 2])),
      );
      const kept = database.db.all<{ spelling: string; count: number }>(
        "SELECT DISTINCT spelling, count FROM topic_spellings",
      );
      expect(new Map(kept.map(({ spelling, count }) => [spelling, count]))).toEqual(
        new Map(spellings.map((spelling) => [spelling, 2])),
      );
    }),
    { seed: 9, numRuns: 200 },
  );
  await database.close();
});
