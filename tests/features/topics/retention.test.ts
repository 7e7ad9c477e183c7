import { afterEach, beforeEach, expect, test } from "bun:test";
import { checkTopics } from "../../../src/features/topics/check.store.ts";
import { createPostStore } from "../../../src/features/topics/post.store.ts";
import { createQueueStore } from "../../../src/features/topics/queue.store.ts";
import { createPostRemoval } from "../../../src/features/topics/retention.store.ts";
import { findTopics } from "../../../src/features/topics/topic.store.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";

let database: Database;
let at = 0;
const now = (): number => at;

beforeEach(() => {
  database = openDatabase(":memory:");
  at = 1_000;
});
afterEach(() => database.close());

const queue = () => createQueueStore({ database, processId: "one", now });

async function add(count: number, content = "Ada was there."): Promise<number[]> {
  const posts = createPostStore({ database, queuedMax: 10_000, now });
  const incoming = Array.from({ length: count }, (_, number) => ({
    content,
    publication: "The Daily",
    externalId: `${at} ${number}`,
    publishedAt: 0,
  }));
  return ((await posts.add(incoming)) ?? []).map(({ id }) => id);
}

async function work(limit = 10_000): Promise<void> {
  const taken = await queue().take(limit);
  const topics = [{ label: "PER" as const, key: "ada", spellings: ["Ada"] }];
  await queue().finish(taken.map((post) => ({ ...post, topics })));
}

const left = (): number[] =>
  database.db.all<{ id: number }>("SELECT id FROM posts ORDER BY id").map(({ id }) => id);

async function removeAll(before: number): Promise<number> {
  const removal = createPostRemoval(database);
  let count = 0;
  for (;;) {
    const removed = await removal.removeSome(before);
    count += removed.count;
    if (removed.isDone) return count;
  }
}

test("counted posts go when they are too old, and what was counted stays", async () => {
  await add(500);
  at = 2_000;
  const young = await add(10);
  await work();
  expect(await removeAll(2_000)).toBe(500);
  expect(left()).toEqual(young);
  const every = { publication: null, label: null, prefixes: null, days: null, hidden: [] };
  const found = findTopics(database.db, { ...every, sort: "count", after: null, limit: 1 });
  expect(found).toMatchObject({ found: [{ topic: "Ada", count: 510 }] });
  expect(await queue().state()).toMatchObject({ queued: 0, done: 510 });
  expect(checkTopics(database.db)).toEqual([]);
});

test("what waits, is being worked or is dead stays, and is not in the way", async () => {
  const [dead = 0, taken = 0] = await add(2);
  await queue().take(2);
  for (const _ of [1, 2, 3]) {
    await queue().fail(dead, "it cannot be read");
    at += 60_000;
    await queue().take(2);
  }
  const later = at;
  at = 1_001;
  const waiting = await add(300);
  at = later;
  expect(await removeAll(2_000)).toBe(0);
  expect(left()).toEqual([dead, taken, ...waiting]);
  at += 60_000;
  await work();
  expect(await removeAll(2_000)).toBe(301);
  expect(left()).toEqual([dead]);
});

test("one transaction removes only so many, and fewer when they are long", async () => {
  await add(30, "a".repeat(50_000));
  at = 1_001;
  await add(300);
  await work();
  await work();
  const removal = createPostRemoval(database);
  const { count, isDone } = await removal.removeSome(2_000);
  expect(count).toBeLessThan(10);
  expect(count).toBeGreaterThan(0);
  expect(isDone).toBe(false);
  expect(await removeAll(2_000)).toBe(330 - count);
});

test("one that was removed may come in again, as a new post", async () => {
  const [first = 0] = await add(1);
  expect(await add(1)).toEqual([first]);
  await work();
  await removeAll(2_000);
  const [again = 0] = await add(1);
  expect(again).toBeGreaterThan(first);
});
