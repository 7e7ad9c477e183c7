import { Database as Sqlite } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backup } from "../../src/cli/backup.ts";
import type { Environment } from "../../src/environment.ts";
import { postJson, temporaryFolder } from "../support/app.ts";
import { type Run, endOf, runCommand, trimmed } from "../support/command.ts";
import { type TestServer, runEarshot, startTestServer } from "../support/server.ts";

let server: TestServer;
let folder = "";
let settings: Environment = {};

beforeAll(async () => {
  folder = temporaryFolder();
  settings = { DATABASE_URL: `sqlite:${join(folder, "earshot.db")}` };
  server = await startTestServer({}, folder);
});
afterAll(async () => {
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const run = async (...args: string[]): Promise<Run> =>
  trimmed(await runCommand(backup, args, settings));

async function say(text: string): Promise<number> {
  const said = { client_id: text, text };
  const answer = await postJson(`${server.url}/v1/rooms/lobby/messages?user_id=1`, said);
  return answer.status;
}

function messagesIn(file: string): string[] {
  const sqlite = new Sqlite(file, { readonly: true });
  const query = sqlite.query<{ text: string }, []>(`SELECT text FROM messages ORDER BY "offset"`);
  const found = query.all().map(({ text }) => text);
  query.finalize();
  sqlite.close();
  return found;
}

test("a backup holds everything that was kept when it began, though the server goes on writing", async () => {
  for (let count = 0; count < 20; count++) expect(await say(`before ${count}`)).toBe(201);
  let isOver = false;
  const writing = (async () => {
    for (let count = 0; !isOver; count++) expect(await say(`during ${count}`)).toBe(201);
  })();
  const file = join(folder, "live.backup");
  const made = trimmed(await endOf(runEarshot(["backup", file], settings, folder)));
  isOver = true;
  await writing;
  expect(made).toEqual({ code: 0, out: "", err: expect.stringContaining(file) });

  const messages = messagesIn(file);
  expect(messages.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, at) => `before ${at}`));
  // What came meanwhile is there up to one moment.
  expect(messages.slice(20)).toEqual(messages.slice(20).map((_, at) => `during ${at}`));
  const checked = await endOf(runEarshot(["check", file], settings, folder));
  expect(trimmed(checked)).toEqual({ code: 0, out: `${file} is whole`, err: "" });
});

test("it is one file that only its owner may read", async () => {
  const place = join(folder, "place");
  mkdirSync(place);
  expect((await run(join(place, "one"))).code).toBe(0);
  expect(readdirSync(place)).toEqual(["one"]);
  expect(statSync(join(place, "one")).mode & 0o777).toBe(0o600);
});

describe("what is there already", () => {
  test("is kept, unless --force is given", async () => {
    const file = join(folder, "precious");
    writeFileSync(file, "precious");
    expect(await run(file)).toMatchObject({ code: 1, err: expect.stringContaining("--force") });
    expect(readFileSync(file, "utf8")).toBe("precious");
    expect((await run(file, "--force")).code).toBe(0);
    expect(messagesIn(file)).toContain("before 0");
  });

  test("is never the database itself", async () => {
    const answer = await run(join(folder, "earshot.db"), "--force");
    expect(answer).toMatchObject({ code: 1, err: expect.stringContaining("itself") });
    expect(await say("still here")).toBe(201);
  });
});

test("what cannot be done is said in one line, and leaves nothing", async () => {
  expect(await run()).toMatchObject({ code: 2 });
  expect(await run("a", "b")).toMatchObject({ code: 2 });
  expect(await run("a", "--quickly")).toMatchObject({ code: 2 });
  const nowhere = await run(join(folder, "not/there"));
  expect(nowhere.code).toBe(1);
  expect(nowhere.err.split("\n").at(-1)).toContain("ENOENT");
  const elsewhere = { DATABASE_URL: `sqlite:${join(folder, "other.db")}` };
  const missing = trimmed(await runCommand(backup, [join(folder, "x")], elsewhere));
  expect(missing).toMatchObject({ code: 1, err: expect.stringContaining("no database") });
  const rubbish = join(folder, "rubbish.db");
  writeFileSync(rubbish, "rubbish ".repeat(1_000));
  const broken = { DATABASE_URL: `sqlite:${rubbish}` };
  expect((await runCommand(backup, [join(folder, "x")], broken)).code).toBe(1);
  expect(readdirSync(folder).filter((name) => /unfinished|^x$|^other/.test(name))).toEqual([]);
});
