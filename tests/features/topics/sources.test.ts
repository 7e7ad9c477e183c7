import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { roomSource, transcriptionSource } from "../../../src/features/topics/said.ts";
import { followSources } from "../../../src/features/topics/sources.ts";
import { createPostStore } from "../../../src/features/topics/post.store.ts";
import { createLog } from "../../../src/platform/log.ts";
import { openDatabase } from "../../../src/platform/database.ts";
import { type TestApp, postJson, temporaryFolder, until } from "../../support/app.ts";
import {
  type Served,
  answerOf,
  drained,
  get,
  queueOf,
  rowsIn,
  send,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

setDefaultTimeout(30_000);

const ALL = "posts,rooms,transcriptions";

let said = 0;

/** A folder for one test and the apps that run on it. */
interface Place {
  folder: string;
  start(topicsFrom: string): Promise<TestApp>;
  stop(app: TestApp): Promise<void>;
}

/** Gives each test a folder of its own, so that they need not wait for each other. */
async function inPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const apps = new Set<TestApp>();
  const stop = async (app: TestApp): Promise<void> => {
    if (apps.delete(app)) await app.stop();
  };
  try {
    await run({
      folder,
      start: async (topicsFrom) => {
        const database = `sqlite:${join(folder, "earshot.db")}`;
        const app = await startToldApp({ DATABASE_URL: database, TOPICS_FROM: topicsFrom });
        apps.add(app);
        return app;
      },
      stop,
    });
  } finally {
    for (const app of apps) await stop(app);
    rmSync(folder, { recursive: true });
  }
}

async function ask(server: Served, method: string, path: string, body?: unknown) {
  const response = await fetch(`${server.url}${path}?user_id=1&name=One`, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const answer = await answerOf(response);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer.json;
}

async function say(server: Served, room: string, text: string): Promise<number> {
  const body = { client_id: `said ${++said}`, text };
  const { id } = await ask(server, "POST", `/v1/rooms/${encodeURIComponent(room)}/messages`, body);
  return Number(id);
}

async function transcribe(server: Served, transcription: string): Promise<number> {
  const body = { user_id: 1, language: "en", transcription };
  const answer = await answerOf(await postJson(`${server.url}/v1/transcriptions/save`, body));
  expect(answer.status).toBe(201);
  return Number(answer.json["id"]);
}

/** Waits until so many posts are counted and nothing waits. */
async function counted(server: Served, posts: number): Promise<void> {
  await until(async () => (await queueOf(server)).done >= posts);
  expect(await drained(server)).toMatchObject({ done: posts, dead: 0 });
}

const sizesOf = async (server: Served): Promise<Record<string, number>> => {
  const all = await get<{ publication: string; posts: number }[]>(server, "/v1/publications");
  return Object.fromEntries(all.map(({ publication, posts }) => [publication, posts]));
};

/** Puts what a speaker said into a room, as a session does that is transcribed into it. */
async function caption(folder: string, room: string, text: string): Promise<void> {
  const database = openDatabase(join(folder, "earshot.db"));
  await database.commit(() => {
    database.db.run(`INSERT INTO messages
      (room_id, offset, client_id, user_id, user_name, kind, text, at)
      SELECT id, 1000, 'segment', 1, 'One', 'caption', '${text}', 0 FROM rooms WHERE name = '${room}'`);
    database.db
      .run(`INSERT INTO transcriptions (id, user_id, language, created_at, updated_at, room)
      VALUES (1000, 1, 'en', 0, 0, '${room}')`);
    database.db.run(`INSERT INTO segments
      (transcription_id, segment_id, seq, text, language, start_ms, end_ms, words)
      VALUES (1000, 'segment', 1, '${text}', 'en', 0, 0, '[]')`);
  });
  await database.close();
}

describe("what is said in rooms and transcriptions", () => {
  test.concurrent("counts under its own names, but what is private never; captions as their room's", () =>
    inPlace(async ({ folder, start }) => {
      const app = await start(ALL);
      await ask(app, "POST", "/v1/rooms", { room: "secret", private: true });
      await say(app, "secret", "PER Grace");
      await say(app, "lobby", "PER Ada");
      await say(app, "lobby", "PER Ada\nLOC Paris");
      await say(app, "tea & cake/50%", "PER Ada");
      await say(app, "secret", "PER Grace");
      await caption(folder, "lobby", "PER Ada");
      await transcribe(app, "PER Ada");
      await send(app, { content: "PER Ada", publication: "news" });
      await counted(app, 6);
      expect(await talkOf(app, "room:lobby")).toEqual(["PER Ada: 3", "LOC Paris: 1"]);
      expect(await sizesOf(app)).toEqual({
        news: 1,
        "room:lobby": 3,
        "room:tea & cake/50%": 1,
        transcriptions: 1,
      });
      expect(await get<unknown>(app, "/v1/topics")).toMatchObject({
        topics: [
          { topic: "Ada", count: 6, publications: 4 },
          { topic: "Paris", count: 1, publications: 1 },
        ],
      });
      expect(rowsIn(folder, "SELECT id FROM posts WHERE content LIKE '%Grace%'")).toEqual([]);
      // Who said it may take it back, so no copy stays once it is counted.
      const kept = "SELECT content FROM posts WHERE content <> ''";
      expect(rowsIn(folder, kept)).toEqual([{ content: "PER Ada" }]);
    }));

  test.concurrent("counts once each, whoever reads along, and not again after a restart", () =>
    inPlace(async ({ start, stop }) => {
      const [one, other] = [await start(ALL), await start(ALL)];
      for (let at = 0; at < 130; at++) await say(at % 2 === 0 ? one : other, "lobby", "PER Ada");
      for (let at = 0; at < 20; at++) await transcribe(at % 2 === 0 ? one : other, "PER Ada");
      await counted(one, 150);
      await stop(one);
      await stop(other);

      const next = await start(ALL);
      const newest = await transcribe(next, "PER Grace");
      const message = await say(next, "lobby", "PER Grace");
      await counted(next, 152);
      // What was counted stays so, and what comes after it does not take its place.
      await ask(next, "DELETE", `/v1/transcriptions/${newest}`);
      await ask(next, "DELETE", `/v1/rooms/lobby/messages/${message}`);
      await transcribe(next, "PER Grace");
      await say(next, "lobby", "PER Grace");
      await counted(next, 154);
      expect(await talkOf(next, "room:lobby")).toEqual(["PER Ada: 130", "PER Grace: 2"]);
      expect(await talkOf(next, "transcriptions")).toEqual(["PER Ada: 20", "PER Grace: 2"]);
      expect(next.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    }));

  test.concurrent("counts from when it was said, whenever its source is chosen", () =>
    inPlace(async ({ start, stop }) => {
      const before = await start("posts");
      const edited = await say(before, "lobby", "PER Ada");
      const removed = await say(before, "lobby", "PER Grace");
      const lobby = "/v1/rooms/lobby/messages";
      await ask(before, "PATCH", `${lobby}/${edited}`, { text: "PER Ada\nLOC Paris" });
      await ask(before, "DELETE", `${lobby}/${removed}`);
      await transcribe(before, "PER Ada");
      await stop(before);

      const rooms = await start("rooms");
      await counted(rooms, 1);
      // What was counted is not counted anew when it is edited.
      await ask(rooms, "PATCH", `${lobby}/${edited}`, { text: "PER Bob" });
      await say(rooms, "lobby", "no names here");
      await counted(rooms, 2);
      expect(await sizesOf(rooms)).toEqual({ "room:lobby": 2 });
      await stop(rooms);

      const all = await start(ALL);
      await counted(all, 3);
      expect(await sizesOf(all)).toEqual({ "room:lobby": 2, transcriptions: 1 });
      const talk = await talkOf(all, "room:lobby");
      expect(talk).toContain("PER Ada: 1");
      expect(talk.join()).not.toMatch(/Grace|Bob/);
    }));
});

test("what a room says are its messages and captions, and nothing is no post", async () => {
  const rows = [
    { id: 1, room: "lobby", text: "typed", at: 5 },
    { id: 2, room: "lobby", text: "spoken", at: 6 },
    { id: 3, room: "lobby", text: " \n", at: 7 },
  ] as const;
  const read = async (after: number) =>
    after < 4 ? { reached: 4, said: rows.filter(({ id }) => id > after) } : null;
  const typed = { content: "typed", publication: "room:lobby", externalId: "1", publishedAt: 5 };
  const spoken = { content: "spoken", publication: "room:lobby", externalId: "2", publishedAt: 6 };
  expect(await roomSource(read)(0, 50)).toEqual({ reached: 4, posts: [typed, spoken] });
  expect(await roomSource(read)(3, 50)).toEqual({ reached: 4, posts: [] });
  expect(await roomSource(read)(4, 50)).toBeNull();
  expect(await transcriptionSource(read)(1, 50)).toEqual({
    reached: 4,
    posts: [{ ...spoken, publication: "transcriptions" }],
  });
});

test("what one process has taken in, another that read the same does not take in again", async () => {
  const database = openDatabase(":memory:");
  const make = () => createPostStore({ database, queuedMax: 1, now: Date.now });
  const [one, other] = [make(), make()];
  const said = (id: string) => [
    { content: id, publication: "room:lobby", externalId: null, publishedAt: 1 },
  ];
  expect(await one.reached("rooms")).toBe(0);
  const taken = await Promise.all(
    [one, other].map((store) => store.addFromSource("rooms", { from: 0, to: 5 }, said("a"))),
  );
  expect(taken).toEqual([true, false]);
  expect(await other.reached("rooms")).toBe(5);
  expect(await one.addFromSource("rooms", { from: 0, to: 7 }, said("b"))).toBe(false);
  // Not even a full queue keeps out what was said, and each source has its own place.
  expect(await other.addFromSource("rooms", { from: 5, to: 7 }, said("c"))).toBe(true);
  expect(await other.reached("transcriptions")).toBe(0);
  const kept = database.db.all<{ content: string }>("SELECT content FROM posts ORDER BY id");
  expect(kept.map(({ content }) => content)).toEqual(["a", "c"]);
  await database.close();
});

test("an end does not wait for a read that hangs, and what that finds is not written any more", async () => {
  const hanging = Promise.withResolvers<{ reached: number; posts: [] }>();
  const asked = Promise.withResolvers<void>();
  const database = openDatabase(":memory:");
  const store = createPostStore({ database, queuedMax: 10, now: Date.now });
  const end = followSources({
    store,
    sources: {
      rooms: () => {
        asked.resolve();
        return hanging.promise;
      },
    },
    onAdded: () => undefined,
    log: createLog("silent"),
  });
  await asked.promise;
  await end(1);
  hanging.resolve({ reached: 7, posts: [] });
  await Bun.sleep(1);
  expect(await store.reached("rooms")).toBe(0);
  await database.close();
});

test("that one source can be read does not end the trouble of the other", async () => {
  const database = openDatabase(":memory:");
  const lines: { source?: string; msg: string }[] = [];
  const rounds = [0, 0];
  let isBroken = true;
  const followed = {
    store: createPostStore({ database, queuedMax: 10, now: Date.now }),
    sources: {
      rooms: async () => {
        rounds[0] = (rounds[0] ?? 0) + 1;
        if (isBroken) throw new Error("broken");
        return null;
      },
      transcriptions: async () => {
        rounds[1] = (rounds[1] ?? 0) + 1;
        return null;
      },
    },
    onAdded: () => undefined,
    log: createLog("info", (line) => lines.push(JSON.parse(line) as { msg: string })),
    everyMs: 1,
  };
  const end = followSources(followed);
  await until(() => (rounds[1] ?? 0) > 3);
  expect(lines).toMatchObject([{ source: "rooms", error: "Error: broken" }]);
  isBroken = false;
  await until(() => lines.length > 1);
  expect(lines[1]?.msg).toContain("again");
  await end(1_000);
  await database.close();
});
