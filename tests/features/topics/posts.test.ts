import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PostStore } from "../../../src/features/topics/post.store.ts";
import { createPostService } from "../../../src/features/topics/posts.ts";
import { WritesFull } from "../../../src/platform/commit.ts";
import { Problem } from "../../../src/http/problem.ts";
import { type TestApp, startTestApp, temporaryFolder } from "../../support/app.ts";
import {
  answerOf,
  drained,
  get,
  queueOf,
  rowsIn,
  send,
  sendBulk,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

setDefaultTimeout(30_000);

const CHARACTERS_MAX = 100_000;
const NAME_MAX = 200;
const EMOJI = "😀";

let app: TestApp;
let names = 0;
const newPublication = (): string => `publication ${++names}`;

beforeAll(async () => {
  app = await startToldApp();
});

afterAll(() => app.stop());

const postsOf = async (server: { url: string }, publication: string): Promise<number> => {
  const all = await get<{ publication: string; posts: number }[]>(server, "/v1/publications");
  return all.find((one) => one.publication === publication)?.posts ?? 0;
};

describe("a post", () => {
  test("is 201 with an id of its own, and counts", async () => {
    const publication = newPublication();
    const first = await send(app, { content: "PER Ada Lovelace", publication });
    const second = await send(app, { content: "PER Ada Lovelace", publication });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(Number(second.json["id"])).toBeGreaterThan(Number(first.json["id"]));
    expect(Object.keys(first.json)).toEqual(["id"]);
    await drained(app);
    expect(await talkOf(app, publication)).toEqual(["PER Ada Lovelace: 2"]);
    expect(await postsOf(app, publication)).toBe(2);
  });

  test("with an external_id that was there is 200 with the first id, whatever it says now", async () => {
    const publication = newPublication();
    const first = await send(app, { content: "PER Ada", publication, external_id: "1" });
    const again = await send(app, { content: "PER Grace", publication, external_id: "1" });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json).toEqual(first.json);
    await drained(app);
    const late = await send(app, { content: "PER Grace", publication, external_id: "1" });
    expect([late.status, late.json]).toEqual([200, first.json]);
    await drained(app);
    expect(await talkOf(app, publication)).toEqual(["PER Ada: 1"]);
  });

  test("is one post when it is sent a hundred times at once", async () => {
    const publication = newPublication();
    const post = { content: "PER Ada", publication, external_id: "once" };
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        send(app, post, at % 2 === 0 ? "/v1/posts" : "/post/enqueue"),
      ),
    );
    expect(new Set(answers.map(({ json }) => json["id"])).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(99);
    await drained(app);
    expect(await postsOf(app, publication)).toBe(1);
  });

  test("of another publication may have the same external_id", async () => {
    const [one, other] = [newPublication(), newPublication()];
    const first = await send(app, { content: "a", publication: one, external_id: "1" });
    const second = await send(app, { content: "a", publication: other, external_id: "1" });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.json["id"]).not.toBe(first.json["id"]);
  });

  test("without an external_id, or with null, is new every time", async () => {
    const publication = newPublication();
    const posts = [
      { content: "a", publication },
      { content: "a", publication, external_id: null },
    ];
    const ids = [];
    for (const post of [...posts, ...posts]) ids.push((await send(app, post)).json["id"]);
    expect(new Set(ids).size).toBe(4);
  });

  test("comes in at the path of older uploaders as well, and is the same there", async () => {
    const publication = newPublication();
    const post = { content: "a", publication, external_id: "1" };
    const first = await send(app, post, "/post/enqueue");
    const again = await send(app, post, "/v1/posts");
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json).toEqual(first.json);
  });

  test("is counted for the day on which it was published, in UTC", async () => {
    const publication = newPublication();
    const times = [
      Date.UTC(2026, 0, 5, 23, 59, 59, 999),
      "2026-01-05",
      "2026-01-05T12:00:00",
      "2026-01-05 12:00:00.5",
      "2026-01-05T12:00:00Z",
      "2026-01-06T00:30:00+01:00",
      "2026-01-04T20:00:00-0500",
      "2024-02-29T00:00:00Z",
      0,
    ];
    for (const [at, published_at] of times.entries()) {
      const answer = await send(app, {
        content: `PER Ada ${at}x\nPER Day`,
        publication,
        published_at,
      });
      expect([at, answer.status]).toEqual([at, 201]);
    }
    await drained(app);
    const path = `/v1/topics/timeline?topic=Day&publication=${encodeURIComponent(publication)}`;
    expect(await get<unknown>(app, path)).toEqual([
      { day: "1970-01-01", count: 1 },
      { day: "2024-02-29", count: 1 },
      { day: "2026-01-05", count: 7 },
    ]);
  });

  test("that says no time is counted for today", async () => {
    const publication = newPublication();
    const before = new Date().toISOString().slice(0, 10);
    await send(app, { content: "PER Nowadays", publication });
    await send(app, { content: "PER Nowadays", publication, published_at: null });
    const after = new Date().toISOString().slice(0, 10);
    await drained(app);
    const days = await get<{ day: string; count: number }[]>(
      app,
      "/v1/topics/timeline?topic=Nowadays",
    );
    expect(days.reduce((sum, { count }) => sum + count, 0)).toBe(2);
    for (const { day } of days) expect([before, after]).toContain(day);
  });
});

describe("a post is refused", () => {
  const fine = { content: "a", publication: "refused" };
  test.each<[string, unknown]>([
    ["no object", "text"],
    ["null", null],
    ["an array", [fine]],
    ["nothing in it", {}],
    ["no content", { publication: "refused" }],
    ["no publication", { content: "a" }],
    ["an unknown field", { ...fine, title: "x" }],
    ["a number as content", { ...fine, content: 1 }],
    ["empty content", { ...fine, content: "" }],
    ["blank content", { ...fine, content: " \n\t\u00a0" }],
    ["an empty publication", { ...fine, publication: "" }],
    ["a blank publication", { ...fine, publication: "  " }],
    ["an empty external_id", { ...fine, external_id: "" }],
    ["a blank external_id", { ...fine, external_id: " " }],
    ["a number as external_id", { ...fine, external_id: 7 }],
    ["half a character in content", { ...fine, content: "a\ud83d" }],
    ["half a character in publication", { ...fine, publication: "a\ude00" }],
    ["half a character in external_id", { ...fine, external_id: "\ud83d" }],
    ["a long publication", { ...fine, publication: "p".repeat(NAME_MAX + 1) }],
    ["a publication long in characters", { ...fine, publication: EMOJI.repeat(NAME_MAX + 1) }],
    ["a long external_id", { ...fine, external_id: EMOJI.repeat(NAME_MAX + 1) }],
    ["the name of what is transcribed", { ...fine, publication: "transcriptions" }],
    ["the same with spaces", { ...fine, publication: " transcriptions " }],
    ["the name of a room", { ...fine, publication: "room:lobby" }],
    ["a time that is none", { ...fine, published_at: "yesterday" }],
    ["a day that there is not", { ...fine, published_at: "2026-02-30" }],
    ["a thirteenth month", { ...fine, published_at: "2026-13-01T00:00:00Z" }],
    ["an hour that there is not", { ...fine, published_at: "2026-01-01T25:00:00Z" }],
    ["something after a time", { ...fine, published_at: "2026-01-01T12:00:00 or so" }],
    ["half a millisecond", { ...fine, published_at: 1.5 }],
    ["a time before 1970", { ...fine, published_at: -1 }],
    ["a date before 1970", { ...fine, published_at: "1969-12-31" }],
    ["microseconds", { ...fine, published_at: Date.UTC(2026, 0) * 1000 }],
    ["a time as a truth value", { ...fine, published_at: true }],
  ])("with %s: 422, and says why without repeating it", async (_, post) => {
    const { accepted } =
      rowsIn<{ accepted: number }>(app.folder, "SELECT accepted FROM post_totals")[0] ?? {};
    for (const path of ["/v1/posts", "/post/enqueue"]) {
      const { status, json } = await send(app, post, path);
      expect({ status, code: json["code"] }).toEqual({ status: 422, code: "invalid" });
      expect(String(json["detail"]).length).toBeGreaterThan(5);
      expect(JSON.stringify(json)).not.toContain("yesterday");
    }
    expect(rowsIn(app.folder, "SELECT accepted FROM post_totals")).toEqual([{ accepted }]);
  });

  test("when its content has more than 100,000 characters: 413", async () => {
    const content = EMOJI.repeat(CHARACTERS_MAX);
    const publication = newPublication();
    expect((await send(app, { content, publication })).status).toBe(201);
    const { status, json } = await send(app, { content: `${content}a`, publication });
    expect([status, json["code"]]).toEqual([413, "too_large"]);
    const ascii = "a".repeat(CHARACTERS_MAX);
    expect((await send(app, { content: ascii, publication })).status).toBe(201);
    expect((await send(app, { content: `${ascii}a`, publication })).status).toBe(413);
    await drained(app);
    expect(await postsOf(app, publication)).toBe(2);
  });

  test("when it is no JSON, and the server goes on", async () => {
    const headers = { "content-type": "application/json" };
    for (const body of ['{"content":', "", "\u0000", "]", '{"content":"a","publication":"p"} x']) {
      const init = { method: "POST", body, headers };
      const { status, json } = await answerOf(await fetch(`${app.url}/v1/posts`, init));
      expect([400, 422]).toContain(status);
      expect(json["code"]).toBe("invalid");
    }
    expect((await send(app, { content: "a", publication: newPublication() })).status).toBe(201);
  });
});

test("names may have 200 characters, whatever these take to write", async () => {
  const publication = EMOJI.repeat(NAME_MAX);
  const external_id = EMOJI.repeat(NAME_MAX);
  expect((await send(app, { content: "PER Ada", publication, external_id })).status).toBe(201);
  await drained(app);
  expect(await talkOf(app, publication)).toEqual(["PER Ada: 1"]);
});

test.each([
  "with/slashes/",
  "50%",
  "%2F%zz",
  "a?b#c&d=e;f",
  "' OR 1=1 --",
  '"quoted"',
  "दैनिक भास्कर",
  "日本の新聞 😀",
  "a\\b",
  "a+b c",
  "a\tb\u0001c",
  "\u202Eright to left",
  "Transcriptions",
  "rooms:lobby",
])("a publication may be called %j", async (publication) => {
  expect((await send(app, { content: "PER Ada", publication })).status).toBe(201);
  await drained(app);
  expect(await talkOf(app, publication)).toEqual(["PER Ada: 1"]);
  const listed = await get<{ publication: string }[]>(app, "/v1/publications");
  expect(listed.map((one) => one.publication)).toContain(publication);
});

test("spaces around a publication's name are no part of it", async () => {
  const publication = newPublication();
  const post = { content: "a", publication, external_id: "1" };
  expect((await send(app, post)).status).toBe(201);
  expect((await send(app, { ...post, publication: `\n ${publication}  ` })).status).toBe(200);
});

test("a full queue is 429 with Retry-After, and takes posts again when it has drained", async () => {
  const folder = temporaryFolder();
  const gate = join(folder, "open");
  const small = await startToldApp({ QUEUED_POSTS_MAX: "3" });
  const publication = newPublication();
  for (const content of [`gate ${gate}`, "PER Ada", "PER Ada"]) {
    expect((await send(small, { content, publication })).status).toBe(201);
  }
  for (const path of ["/v1/posts", "/post/enqueue"]) {
    const full = await send(small, { content: "PER Ada", publication }, path);
    expect([full.status, full.json["code"]]).toEqual([429, "queue_full"]);
    expect(Number(full.retryAfter)).toBeGreaterThan(0);
  }
  expect(await queueOf(small)).toMatchObject({ done: 0, dead: 0 });
  expect(rowsIn(small.folder, "SELECT id FROM posts")).toHaveLength(3);
  writeFileSync(gate, "");
  await drained(small);
  expect((await send(small, { content: "PER Ada", publication })).status).toBe(201);
  await drained(small);
  expect(await talkOf(small, publication)).toEqual(["PER Ada: 3"]);
  await small.stop();
  rmSync(folder, { recursive: true });
});

test("a server that counts no posts takes none", async () => {
  const closed = await startTestApp({ TOPICS_FROM: "rooms" });
  for (const path of ["/v1/posts", "/post/enqueue"]) {
    const { status, json } = await send(closed, { content: "a", publication: "p" }, path);
    expect([status, json["code"]]).toEqual([403, "forbidden"]);
  }
  const bulk = await sendBulk(closed, '{"content":"a","publication":"p"}');
  expect([bulk.status, bulk.json["code"]]).toEqual([403, "forbidden"]);
  expect(rowsIn(closed.folder, "SELECT id FROM posts")).toEqual([]);
  await closed.stop();
});

describe("what is answered when a post cannot be kept now", () => {
  const post = { content: "a", publication: "p" };
  const failing = (error: Error): PostStore => ({
    add: async () => {
      throw error;
    },
    reached: async () => 0,
    addFromSource: async () => false,
  });
  const problemOf = (work: Promise<unknown>): Promise<Problem> =>
    work.then(
      () => {
        throw new Error("it was taken");
      },
      (error: unknown) => error as Problem,
    );

  test("draining is 503 with Retry-After, and the store is not asked", async () => {
    const service = createPostService({
      store: failing(new Error("asked")),
      isOpen: true,
      draining: () => true,
      onAdded: () => undefined,
    });
    const single = await problemOf(service.add(post));
    expect(single).toMatchObject({ code: "draining" });
    expect(single.extras.retryAfterMs).toBeGreaterThan(0);
  });

  test("too many writes are told by a bulk with what it had taken in", async () => {
    const service = createPostService({
      store: failing(new WritesFull("too many writes are waiting")),
      isOpen: true,
      draining: () => false,
      onAdded: () => undefined,
    });
    const bulk = problemOf(service.addAll([Buffer.from(JSON.stringify(post))] as never));
    expect(await bulk).toMatchObject({
      code: "queue_full",
      extras: { members: { accepted: 0, duplicates: 0, rejected: [], rejected_count: 0 } },
    });
  });
});
