import { Database as Sqlite } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { closeSync, cpSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../src/cli/check.ts";
import { createChatStore } from "../../src/features/chat/store.ts";
import { createPostStore } from "../../src/features/topics/post.store.ts";
import { createQueueStore } from "../../src/features/topics/queue.store.ts";
import { createSearchIndex } from "../../src/features/transcription/search.store.ts";
import { createTranscriptionStore } from "../../src/features/transcription/store.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { temporaryFolder } from "../support/app.ts";
import { type Run, runCommand, trimmed } from "../support/command.ts";

let folder = "";
let path = "";

beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "earshot.db");
  await fill();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = async (...args: string[]): Promise<Run> =>
  trimmed(await runCommand(check, args, { DATABASE_URL: `sqlite:${path}` }));

/** Some of everything that is counted. */
async function fill(): Promise<void> {
  const database = openDatabase(path);
  const now = Date.now;
  const chat = createChatStore({ database, newId: crypto.randomUUID.bind(crypto), now });
  for (const clientId of ["a", "b", "c"]) {
    const user = { id: 1, name: "ada" };
    await chat.add("lobby", { clientId, user, kind: "text", text: clientId, at: now() });
  }
  const index = createSearchIndex(database);
  await index.catchUp();
  const row = { userId: 1, language: "en", transcription: "so it is", processedText: "So it is." };
  await createTranscriptionStore({ database, index, now }).add({ ...row, wordCount: 3 });
  const posts = createPostStore({ database, queuedMax: 10, now });
  const post = { publication: "The Daily", externalId: null, publishedAt: 0 };
  await posts.add(["one", "two"].map((content) => ({ ...post, content })));
  const queue = createQueueStore({ database, processId: "one", now });
  const [taken] = await queue.take(1);
  if (taken === undefined) throw new Error("nothing was queued");
  const topics = [{ label: "PER" as const, key: "ada", spellings: ["Ada"] }];
  await queue.finish([{ ...taken, topics }]);
  await database.close();
}

function vandalise(...statements: string[]): void {
  const sqlite = new Sqlite(path);
  for (const statement of statements) sqlite.run(statement);
  sqlite.close();
}

test("a database that is whole is said to be, also while it is open", async () => {
  const database = openDatabase(path);
  expect(await run()).toEqual({ code: 0, out: `${path} is whole`, err: "" });
  await database.close();
  const copy = join(folder, "copy");
  cpSync(path, copy);
  expect(await run(copy)).toEqual({ code: 0, out: `${copy} is whole`, err: "" });
});

const VANDALISM: readonly [what: string, said: string, ...statements: string[]][] = [
  ["a message is missing", "rooms have holes", `DELETE FROM messages WHERE "offset" = 2`],
  ["a room's newest offset is wrong", "rooms have holes", "UPDATE rooms SET head = 9"],
  ["a segment is not indexed", "segments have no entry", "DELETE FROM segment_search"],
  [
    "an entry is left",
    "entries of segments that are not there",
    "PRAGMA foreign_keys=OFF",
    "DELETE FROM segments",
  ],
  [
    "a row refers to nothing",
    "segments: 1 rows of a transcriptions that is not there",
    "PRAGMA foreign_keys=OFF",
    "DELETE FROM transcriptions",
  ],
  ["a topic's count is wrong", "topics:", "UPDATE topics SET count = 7"],
  ["a publication's count is wrong", "topic_counts:", "UPDATE topic_counts SET count = 7"],
  ["a day's posts are wrong", "publication_days:", "UPDATE publication_days SET posts = 7"],
  ["a queued post has gone", "post_totals:", "DELETE FROM post_queue"],
  ["dead posts are miscounted", "dead_posts:", "UPDATE post_totals SET dead = 1"],
];

for (const [what, said, ...statements] of VANDALISM) {
  test(`it is told that ${what}`, async () => {
    vandalise(...statements);
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain(said);
    expect(out.split("\n").at(-1)).toBe(`${path} is not whole`);
  });
}

test("a page of an index that was overwritten is told of", async () => {
  const sqlite = new Sqlite(path);
  const { at } = sqlite
    .query("SELECT (rootpage - 1) * 4096 AS at FROM sqlite_schema WHERE name = 'messages_once'")
    .get() as { at: number };
  sqlite.close();
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(4_096, 0xaa), 0, 4_096, at);
  closeSync(file);
  expect((await run()).code).toBe(1);
});

test("what is no database of Earshot is not whole, and what is not there cannot be checked", async () => {
  const other = join(folder, "other");
  writeFileSync(other, "rubbish ".repeat(1_000));
  expect(await run(other)).toMatchObject({ code: 1, out: expect.stringContaining("not whole") });
  const foreign = new Sqlite(join(folder, "foreign"));
  foreign.run("CREATE TABLE things (a)");
  foreign.close();
  expect(await run(join(folder, "foreign"))).toMatchObject({
    code: 1,
    out: expect.stringContaining("no database of Earshot"),
  });
  expect(await run(join(folder, "nothing"))).toMatchObject({ code: 1 });
  expect(await run("a", "b")).toMatchObject({ code: 2 });
});
