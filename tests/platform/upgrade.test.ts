import { Database as Sqlite } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../src/cli/check.ts";
import { runCommand } from "../support/command.ts";
import { temporaryFolder, until } from "../support/app.ts";
import { startTestServer } from "../support/server.ts";

const MIGRATIONS = join(import.meta.dir, "../../src/platform/migrations");

test("a database of an older version is brought up to date, and everything in it is there", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "earshot.db");
  makeOld(path);
  const server = await startTestServer({}, folder);
  try {
    const get = async (address: string): Promise<unknown> => {
      const separator = address.includes("?") ? "&" : "?";
      return (await fetch(`${server.url}${address}${separator}user_id=7&name=ada`)).json();
    };
    expect(await get("/v1/transcriptions")).toMatchObject([
      { id: 3, user_id: 7, transcription: "so it was", status: "done" },
      { id: 5, user_id: 7, transcription: "and spoken" },
    ]);
    // Nobody speaks in it any more.
    await until(async () => {
      const { status } = (await get("/v1/transcriptions/5")) as { status: string };
      return status === "interrupted";
    });
    // What was kept before there was a search is indexed after the start.
    await until(async () => {
      const found = (await get("/v1/transcriptions/search?q=spoken")) as { results: unknown[] };
      return found.results.length === 1;
    });
    expect(await get("/v1/rooms/lobby/messages")).toMatchObject({
      epoch: "of old",
      messages: [
        { id: 11, offset: 1, text: "one" },
        { id: 12, offset: 2, text: "two" },
      ],
    });
    const said = { method: "POST", body: JSON.stringify({ client_id: "c", text: "three" }) };
    const headers = { "content-type": "application/json" };
    const address = `${server.url}/v1/rooms/lobby/messages?user_id=7`;
    const answer = await fetch(address, { ...said, headers });
    expect(await answer.json()).toMatchObject({ offset: 3 });
    expect(await get("/v1/rooms")).toMatchObject([{ room: "lobby", head: 3 }]);
    const settings = { DATABASE_URL: `sqlite:${path}` };
    expect((await runCommand(check, [], settings)).code).toBe(0);
  } finally {
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A database as the version before topics and accounts left it when it was killed. */
function makeOld(path: string): void {
  const sqlite = new Sqlite(path, { create: true });
  sqlite.run("PRAGMA journal_mode=WAL");
  sqlite.run("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)");
  for (const name of ["0000_first", "0001_kept", "0002_entities"]) {
    sqlite.run(readFileSync(join(MIGRATIONS, `${name}.sql`), "utf8"));
    sqlite.run("INSERT INTO migrations VALUES (?, 1)", [name]);
  }
  sqlite.run("INSERT INTO secrets VALUES ('tokens', 'a key that was made then')");
  sqlite.run(`INSERT INTO transcriptions (id, user_id, transcription, processed_text, word_count, language,
    created_at, updated_at, session_id, status) VALUES
    (3, 7, 'so it was', 'So it was.', 3, 'en', 1, 1, NULL, 'done'),
    (5, 7, 'and spoken', 'And spoken.', 2, 'en', 2, 2, 's', 'live')`);
  sqlite.run(`INSERT INTO segments (transcription_id, segment_id, seq, text, processed_text, word_count,
    language, start_ms, end_ms, words) VALUES
    (3, 't3-1', 1, 'so it was', 'So it was.', 3, 'en', 0, 0, '[]'),
    (5, 's-1', 1, 'and spoken', 'And spoken.', 2, 'en', 0, 900, '[]')`);
  sqlite.run(
    "INSERT INTO rooms (id, name, epoch, head, created_at) VALUES (2, 'lobby', 'of old', 2, 1)",
  );
  sqlite.run(`INSERT INTO messages (id, room_id, "offset", client_id, user_id, user_name, kind, text, at)
    VALUES (11, 2, 1, 'a', 7, 'ada', 'text', 'one', 1), (12, 2, 2, 'b', 7, 'ada', 'text', 'two', 2)`);
  sqlite.run(`INSERT INTO reads (room_id, user_id, "offset") VALUES (2, 7, 1)`);
  sqlite.close();
}
