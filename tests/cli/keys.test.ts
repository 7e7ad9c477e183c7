import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keys } from "../../src/cli/keys.ts";
import type { Environment } from "../../src/environment.ts";
import { installationSecret } from "../../src/http/secret.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { temporaryFolder } from "../support/app.ts";
import { type Run, endOf, runCommand, trimmed } from "../support/command.ts";
import { runEarshot } from "../support/server.ts";

let folder = "";
let path = "";

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "data/earshot.db");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const onDatabase = (settings: Environment): Environment => ({
  DATABASE_URL: `sqlite:${path}`,
  ...settings,
});

/** Runs `earshot keys ARGUMENTS` on the test's database. */
async function run(args: string[], settings: Environment = {}): Promise<Run> {
  return trimmed(await runCommand(keys, args, onDatabase(settings)));
}

/** The same in a process of its own. */
async function runAlone(args: string[]): Promise<Run> {
  return trimmed(await endOf(runEarshot(["keys", ...args], onDatabase({}), folder)));
}

const listed = async (): Promise<Record<string, unknown>[]> =>
  JSON.parse((await run(["list", "--json"])).out) as Record<string, unknown>[];

test("keys create prints the key alone, once; keys list never does", async () => {
  const before = Date.now();
  const made = await runAlone(["create", "uploader"]);
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^ek_[\w-]{43}$/);
  expect(made.err).toContain("uploader");
  expect(made.err).not.toContain(made.out.slice(12));

  const hint = made.out.slice(0, 8);
  const rows = await listed();
  expect(rows).toEqual([
    {
      id: 1,
      name: "uploader",
      hint,
      scopes: ["posts", "audio"],
      created_at: expect.any(Number),
      used_at: null,
      revoked_at: null,
    },
  ]);
  expect(rows[0]?.["created_at"]).toBeWithin(before, Date.now() + 1);
  const table = await runAlone(["list"]);
  expect(table.code).toBe(0);
  expect(table.out.split("\n")).toHaveLength(2);
  expect(table.out).toMatch(
    /^ID +NAME +KEY +SCOPES +CREATED +LAST USED +REVOKED\n1 +uploader +ek_.{5}… +posts,audio +20/,
  );
  expect(table.out).toEndWith("never");
});

test("keys revoke takes ids and names, and goes on after one that is not there", async () => {
  for (const name of ["one", "two", "three words"]) await run(["create", name]);
  const revoked = await run(["revoke", "three words", "four", "1"]);
  expect(revoked.code).toBe(1);
  expect(revoked.out.split("\n")).toHaveLength(2);
  expect(revoked.err).toContain('"four"');
  expect((await listed()).map(({ revoked_at }) => revoked_at !== null)).toEqual([
    true,
    false,
    true,
  ]);

  const again = await run(["revoke", "1"]);
  expect(again.code).toBe(0);
  expect(again.out).toContain("already");
  expect((await run(["revoke", "one"])).code).toBe(1);
});

test("a name is for one valid key at a time", async () => {
  await run(["create", "uploader"]);
  const second = await run(["create", "uploader"]);
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err.split("\n")).toHaveLength(1);
  expect(await listed()).toHaveLength(1);
  await run(["revoke", "uploader"]);
  expect((await run(["create", "uploader"])).code).toBe(0);
});

test("a key is made for what it is told", async () => {
  for (const scopes of ["posts", "audio", "audio,posts"]) {
    expect((await run(["create", scopes, "--scopes", scopes])).code).toBe(0);
  }
  expect((await listed()).map(({ scopes }) => scopes)).toEqual([
    ["posts"],
    ["audio"],
    ["posts", "audio"],
  ]);
});

test("without keys there is an empty list", async () => {
  expect(await listed()).toEqual([]);
  expect(await run(["list"])).toMatchObject({ code: 0, out: expect.stringContaining("no keys") });
});

describe("wrong usage", () => {
  const wrong: string[][] = [
    [],
    ["create"],
    ["create", "one", "two"],
    ["create", "x", "--json"],
    ["create", "x", "--scopes", "posts,everything"],
    ["create", "x", "--scopes", ""],
    ["list", "--scopes", "posts"],
    ["create", "12"],
    ["create", "two\nlines"],
    ["list", "--all"],
    ["revoke"],
  ];
  test("ends with 2 and a line that says why", async () => {
    for (const args of wrong) {
      const { code, out, err } = await run(args);
      expect([args, code, out]).toEqual([args, 2, ""]);
      expect(err.split("\n")).toHaveLength(1);
    }
  });

  test("is a database that no other process can see, and a wrong setting", async () => {
    const memory = await run(["create", "x"], { DATABASE_URL: "sqlite::memory:" });
    expect(memory).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("DATABASE_URL"),
    });
    const wrongPort = await run(["list"], { PORT: "x" });
    expect(wrongPort).toMatchObject({ code: 2, err: expect.stringContaining("PORT") });
  });
});

test("a database that cannot be opened ends it with 1 and one line", async () => {
  mkdirSync(join(folder, "data"));
  writeFileSync(path, "no database, but a text that is long enough to look into".repeat(20));
  for (const at of [path, folder]) {
    const { code, out, err } = await run(["list"], { DATABASE_URL: `sqlite:${at}` });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith(`cannot open ${at}: `);
    expect(err.split("\n")).toHaveLength(1);
  }
});

test("keys are made while a server and others write to the same file", async () => {
  const database = openDatabase(path);
  let isDone = false;
  const writing = (async () => {
    while (!isDone) await installationSecret(database, () => "x");
  })();
  const made = await Promise.all(["a", "b", "c", "d"].map((name) => runAlone(["create", name])));
  isDone = true;
  await writing;
  await database.close();
  expect(made.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  expect((await listed()).map(({ name }) => String(name)).sort()).toEqual(["a", "b", "c", "d"]);
});
