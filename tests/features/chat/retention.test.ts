import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join as joinPath } from "node:path";
import { createMessageRemoval } from "../../../src/features/chat/retention.store.ts";
import { createChatStore } from "../../../src/features/chat/store.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { startTestServer } from "../../support/server.ts";
import { temporaryFolder, until } from "../../support/app.ts";

const OLD = Date.now() - 40 * 86_400_000;

let folder = "";
let path = "";
let database: Database;

beforeEach(() => {
  folder = temporaryFolder();
  path = joinPath(folder, "earshot.db");
  database = openDatabase(path);
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Fills a room with a message at each of the times. */
async function fill(room: string, times: readonly number[]) {
  const store = createChatStore({ database, newId: () => "epoch", now: Date.now });
  const user = { id: 1, name: "ada" };
  await Promise.all(
    times.map((at, number) =>
      store.add(room, { clientId: `${number}`, user, kind: "text", text: `${number + 1}`, at }),
    ),
  );
  return store;
}

async function removeAll(before: number): Promise<number> {
  const removal = createMessageRemoval(database);
  let count = 0;
  for (;;) {
    const removed = await removal.removeSome(before);
    count += removed.count;
    if (removed.isDone) return count;
  }
}

test("the oldest messages of every room go, however many there are", async () => {
  for (let room = 0; room < 60; room++) await fill(`room ${room}`, [1, 2, 300]);
  const store = await fill(
    "large",
    Array.from({ length: 1_000 }, (_, at) => at),
  );
  expect(await removeAll(300)).toBe(60 * 2 + 300);
  expect(await store.after("room 59", 0, 10)).toMatchObject([{ offset: 3 }]);
  expect((await store.after("large", 0, 1_000)).length).toBe(700);
  expect(await removeAll(300)).toBe(0);
});

test("one transaction removes only so many", async () => {
  await fill(
    "large",
    Array.from({ length: 1_000 }, () => 1),
  );
  const removal = createMessageRemoval(database);
  expect(await removal.removeSome(300)).toEqual({ count: 100, isDone: false });
});

test("no hole is left where clocks went back", async () => {
  const store = await fill("lobby", [1, 2, 500, 3, 600]);
  expect(await removeAll(300)).toBe(2);
  expect((await store.after("lobby", 0, 10)).map(({ offset }) => offset)).toEqual([3, 4, 5]);
});

test("a room that is empty keeps its epoch and goes on counting", async () => {
  const store = await fill("lobby", [1, 2, 3]);
  expect(await removeAll(300)).toBe(3);
  expect(await store.find("lobby")).toMatchObject({ epoch: "epoch", head: 3 });
  const user = { id: 1, name: "ada" };
  const said = { clientId: "new", user, kind: "text" as const, text: "new", at: 400 };
  expect((await store.add("lobby", said)).message.offset).toBe(4);
});

test("whoever comes back after what is gone is told that it is not all", async () => {
  await fill("lobby", [...Array.from({ length: 100 }, () => OLD), Date.now(), Date.now()]);
  await fill("quiet", [OLD, OLD]);
  await database.close();
  const server = await startTestServer({ RETENTION_DAYS: "30" }, folder);
  try {
    await until(() => server.output().includes("removed for their age"));
    expect(await join("lobby", { epoch: "epoch", offset: 5 })).toMatchObject({
      recovered: false,
      offset: 102,
      messages: [{ offset: 101 }, { offset: 102 }],
    });
    expect(await join("lobby", { epoch: "epoch", offset: 100 })).toMatchObject({
      recovered: true,
      messages: [{ offset: 101 }, { offset: 102 }],
    });
    const nothing = { offset: 2, messages: [], more: false };
    const gone = await join("quiet", { epoch: "epoch", offset: 1 });
    expect(gone).toMatchObject({ ...nothing, recovered: false });
    const missedNothing = await join("quiet", { epoch: "epoch", offset: 2 });
    expect(missedNothing).toMatchObject({ ...nothing, recovered: true });
    const address = `${server.url}/v1/rooms/lobby/messages?user_id=1&before=101`;
    expect(await (await fetch(address)).json()).toMatchObject({ messages: [], next: null });
  } finally {
    await server.dispose();
    database = openDatabase(path);
  }

  /** The answer to somebody who was there up to a place. */
  async function join(room: string, after: { epoch: string; offset: number }): Promise<object> {
    const socket = new WebSocket(`${server.wsUrl}/v1/ws/chat?user_id=2`);
    const answer = Promise.withResolvers<object>();
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ type: "join", room, after }));
    });
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string };
      if (frame.type === "joined") answer.resolve(frame);
    });
    const joined = await answer.promise;
    socket.close();
    return joined;
  }
});
