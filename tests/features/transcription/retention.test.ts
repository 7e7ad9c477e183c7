import { afterEach, beforeEach, expect, test } from "bun:test";
import { checkSearch } from "../../../src/features/transcription/check.store.ts";
import { createEditStore } from "../../../src/features/transcription/edit.store.ts";
import { createTranscriptionRemoval } from "../../../src/features/transcription/retention.store.ts";
import { createSearchIndex } from "../../../src/features/transcription/search.store.ts";
import { createSessionStore } from "../../../src/features/transcription/session.store.ts";
import { createTranscriptionStore } from "../../../src/features/transcription/store.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";

let database: Database;
let at = 0;
const now = (): number => at;

beforeEach(async () => {
  database = openDatabase(":memory:");
  at = 1_000;
  await createSearchIndex(database).catchUp();
});
afterEach(() => database.close());

async function save(text: string): Promise<number> {
  const index = createSearchIndex(database);
  const store = createTranscriptionStore({ database, index, now });
  const row = { userId: 1, language: "en", transcription: text, processedText: text };
  return (await store.add({ ...row, wordCount: 1 })).id;
}

const ids = (table: string): number[] =>
  database.db.all<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`).map(({ id }) => id);

async function removeAll(before: number): Promise<number> {
  const removal = createTranscriptionRemoval(database, now);
  let count = 0;
  for (;;) {
    const removed = await removal.removeSome(before);
    count += removed.count;
    if (removed.isDone) return count;
  }
}

test("a transcription goes with its segments, what edits replaced and its place in the search", async () => {
  const old = await save("first");
  const edits = createEditStore({ database, index: createSearchIndex(database), now });
  const edit = { id: old, userId: 1, updatedAt: null, text: null };
  await edits.apply({ ...edit, title: "one" });
  expect(ids("revisions")).toHaveLength(1);
  at = 2_000;
  const young = await save("second");
  expect(await removeAll(2_000)).toBe(1);
  expect(ids("transcriptions")).toEqual([young]);
  expect(ids("segments")).toHaveLength(1);
  expect(ids("revisions")).toEqual([]);
  expect(checkSearch(database.db)).toEqual([]);
});

test("one that was edited since stays", async () => {
  const id = await save("first");
  at = 3_000;
  const edits = createEditStore({ database, index: createSearchIndex(database), now });
  await edits.apply({ id, userId: 1, updatedAt: null, text: null, title: "one" });
  expect(await removeAll(2_000)).toBe(0);
  expect(await removeAll(4_000)).toBe(1);
});

test("one that is being spoken, or waits for its words, stays until it is over", async () => {
  const sessions = createSessionStore({ database, processId: "one", now });
  const wishes = { language: "en", format: null, soundBytes: null, endpointingMs: 500 };
  const session = { sessionId: "s", userId: 1, userName: "ada", language: "en", wishes };
  const place = { room: null, title: null, expiresAt: 9_000 };
  const transcriptionId = await sessions.begin({ ...session, ...place });
  expect(await removeAll(2_000)).toBe(0);
  const hold = { sessionId: "s", transcriptionId, generation: 1 };
  const rest = { seq: 1, expiresAt: 9_000, hasFailed: true, durationMs: 1, isWhole: false };
  await sessions.rest(hold, rest);
  expect(await removeAll(2_000)).toBe(0);
  await sessions.finish(hold, { durationMs: 1, isWhole: true });
  expect(await removeAll(2_000)).toBe(1);
});
