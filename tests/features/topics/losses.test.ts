import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type TestApp, postJson, until } from "../../support/app.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";
import {
  type ListedTopic,
  allTopics,
  drained,
  queueOf,
  rowsIn,
  send,
  sendAll,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

// Four ways in which a pipeline like this one has lost data.

setDefaultTimeout(30_000);

test("no cache is flushed once and never again: every wave of posts arrives in the counts", async () => {
  const app = await startToldApp();
  for (let wave = 1; wave <= 5; wave++) {
    await sendAll(
      app,
      Array.from({ length: 120 }, () => ({
        content: `PER Ada\nORG Wave ${wave}`,
        publication: `p${wave % 2}`,
      })),
    );
    expect(await drained(app)).toMatchObject({ done: 120 * wave, dead: 0 });
    const [ada, ...waves] = await allTopics(app, "/v1/topics");
    expect(ada).toMatchObject({ topic: "Ada", count: 120 * wave });
    expect(waves.map(({ count }) => count)).toEqual(Array<number>(wave).fill(120));
  }
  await app.stop();
});

test.concurrent("what is acknowledged while the server stops is never dropped", async () => {
  const server = await startTestServer();
  const acknowledged: number[] = [];
  const refused: unknown[][] = [];
  const loading = Promise.all(
    Array.from({ length: 10 }, async () => {
      for (;;) {
        try {
          const post = { content: "Angela Merkel", publication: "p" };
          const { status, json, retryAfter } = await send(server, post);
          if (status === 201) acknowledged.push(Number(json["id"]));
          else refused.push([status, json["code"], retryAfter !== null]);
        } catch {
          return;
        }
      }
    }),
  );
  await until(() => acknowledged.length >= 100);
  server.signal("SIGTERM");
  await loading;
  expect(await server.exited).toBe(0);
  for (const answer of refused) expect(answer).toEqual([503, "draining", true]);
  // Handed back at the stop: the next one need not wait for a lease.
  const held = rowsIn(server.folder, "SELECT post_id FROM post_queue WHERE holder IS NOT NULL");
  expect(held).toEqual([]);
  const next = await startTestServer({}, server.folder);
  const { done } = await drained(next);
  const kept = new Set(
    rowsIn<{ id: number }>(server.folder, "SELECT id FROM posts").map(({ id }) => id),
  );
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  expect(done).toBe(kept.size);
  expect(await talkOf(next, "p")).toEqual([`PER Angela Merkel: ${kept.size}`]);
  await next.dispose();
  await server.dispose();
});

describe("no name past the two-thousandth is cut", () => {
  const NAMES = 2_600;
  let app: TestApp;
  beforeAll(async () => {
    app = await startToldApp();
  });
  afterAll(() => app.stop());

  const nameOf = (n: number): string => `ORG Name ${n.toString(36)}q`;
  const everyName = Array.from({ length: NAMES }, (_, n) => nameOf(n).slice("ORG ".length)).sort();

  test.each([
    ["over many posts", 13],
    ["in one post", NAMES],
  ])("%s", async (publication, perPost) => {
    const posts = Array.from({ length: NAMES / perPost }, (_, at) => ({
      content: Array.from({ length: perPost }, (__, name) => nameOf(at * perPost + name)).join(
        "\n",
      ),
      publication,
    }));
    // Twice, so that each flush has all of them.
    for (const count of [1, 2]) {
      await sendAll(app, posts);
      await drained(app);
      const path = `/v1/publications/${encodeURIComponent(publication)}/topics?limit=1000`;
      const found = await allTopics(app, path);
      expect(found.map(({ topic }) => topic).sort()).toEqual(everyName);
      expect(found.filter((topic) => topic.count !== count)).toEqual([]);
    }
  });
});

test.concurrent("keys are the same after a restart", async () => {
  const texts = [
    "Angela Merkel met Barack Obama in Berlin.",
    "The United States and the U.S. are one. Côte d'Ivoire is another.",
    "प्रधानमंत्री नरेंद्र मोदी ने दिल्ली में भाषण दिया।",
    "Shares of Apple Inc. rose, said Procter & Gamble.",
  ];
  const identities = (folder: string) =>
    rowsIn<{ id: number; key: string; label: string; count: number }>(
      folder,
      "SELECT id, key, label, count FROM topics ORDER BY id",
    );
  let server: TestServer = await startTestServer();
  const { folder } = server;
  const first = server;
  let before: ReturnType<typeof identities> = [];
  let listed: ListedTopic[] = [];
  for (const run of [1, 2]) {
    for (const content of texts) {
      const { status } = await postJson(`${server.url}/v1/posts`, { content, publication: "p" });
      expect(status).toBe(201);
    }
    await until(async () => (await queueOf(server)).done === texts.length * run);
    const now = identities(folder);
    expect(now.length).toBeGreaterThan(6);
    expect(now.map(({ count }) => count)).toEqual(now.map(() => run));
    const topics = await allTopics(server, "/v1/topics");
    if (run === 1) {
      [before, listed] = [now, topics];
      server.signal("SIGKILL");
      await server.exited;
      server = await startTestServer({}, folder);
      expect(await allTopics(server, "/v1/topics")).toEqual(listed);
    } else {
      expect(now).toEqual(before.map((topic) => ({ ...topic, count: 2 })));
      expect(topics).toEqual(listed.map((topic) => ({ ...topic, count: 2 })));
    }
  }
  await server.dispose();
  await first.dispose();
});
