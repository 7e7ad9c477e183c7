import { Database as Sqlite } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import { temporaryFolder } from "../support/app.ts";

const PROJECT = join(import.meta.dir, "../..");
const CHILD = join(PROJECT, "tests/support/open-child.ts");
const RACERS = 6;

let folder: string;
let path: string;
const opened: Database[] = [];

function open(): Database {
  const database = openDatabase(path);
  opened.push(database);
  return database;
}

function pragma(database: Database, name: string): unknown {
  return Object.values(database.db.get<object>(`PRAGMA ${name}`))[0];
}

function addSecret(database: Database, name: string): Promise<void> {
  return database.commit(
    () => void database.db.run(`INSERT INTO secrets (name, value) VALUES ('${name}', 'x')`),
  );
}

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "earshot.db");
});

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("an open database", () => {
  test("is as durable and strict as it should be", () => {
    const database = open();
    expect(pragma(database, "synchronous")).toBe(2);
    expect(pragma(database, "journal_mode")).toBe("wal");
    expect(pragma(database, "foreign_keys")).toBe(1);
    expect(pragma(database, "busy_timeout")).toBe(0);
  });

  test("keeps what was committed when it is closed and opened again", async () => {
    const first = openDatabase(path);
    await addSecret(first, "a");
    await first.close();
    expect(open().db.all("SELECT name FROM secrets")).toEqual([{ name: "a" }]);
  });

  test("is made together with its folder", () => {
    path = join(folder, "not", "there", "earshot.db");
    open().check();
    expect(existsSync(path)).toBe(true);
  });

  test("may be in memory only", async () => {
    const database = openDatabase(":memory:");
    await addSecret(database, "a");
    expect(database.db.all("SELECT name FROM secrets")).toEqual([{ name: "a" }]);
    await database.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("holds everything in its one file once it is closed", async () => {
    const database = openDatabase(path);
    await addSecret(database, "a");
    await database.close();
    const copy = join(folder, "copy.db");
    cpSync(path, copy);
    path = copy;
    expect(open().db.all("SELECT name FROM secrets")).toEqual([{ name: "a" }]);
  });

  test("says when it cannot be read", () => {
    const database = open();
    database.check();
    const vandal = new Sqlite(path);
    vandal.run("DROP TABLE migrations");
    vandal.close();
    expect(() => database.check()).toThrow("no such table: migrations");
  });
});

test("processes that race to open the same new file all succeed and migrate it once", async () => {
  const racers = Array.from({ length: RACERS }, () =>
    Bun.spawn([process.execPath, CHILD, path], { stdin: "pipe", stdout: "pipe", stderr: "pipe" }),
  );
  const outputs = racers.map(async ({ stdout }) => {
    const decoder = new TextDecoder();
    const reader = stdout.getReader();
    const first = await reader.read();
    let output = decoder.decode(first.value, { stream: true });
    return async (): Promise<string> => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        output += decoder.decode(next.value, { stream: true });
      }
      return output;
    };
  });
  // Everybody is there before anybody may open it.
  const rests = await Promise.all(outputs);
  for (const racer of racers) await racer.stdin.end();
  const said = await Promise.all(rests.map((rest) => rest()));
  const errors = await Promise.all(racers.map((racer) => racer.stderr.text()));
  expect(errors).toEqual(racers.map(() => ""));
  expect(said).toEqual(racers.map(() => "here\nopened\n"));
  const applied = open().db.all<{ name: string }>("SELECT name FROM migrations");
  expect(applied).toEqual([
    { name: "0000_first" },
    { name: "0001_kept" },
    { name: "0002_entities" },
    { name: "0003_topics" },
    { name: "0004_accounts" },
  ]);
});

describe("migrations", () => {
  test("are applied once however often the file is opened", async () => {
    await openDatabase(path).close();
    const read = (): unknown[] => open().db.all("SELECT * FROM migrations");
    const first = read();
    expect(first).toHaveLength(5);
    expect(read()).toEqual(first);
  });

  test("of a newer version are refused with their name, and nothing is changed", async () => {
    await openDatabase(path).close();
    const newer = new Sqlite(path, { strict: true });
    newer.run("INSERT INTO migrations VALUES ('9999_from_the_future', 0)");
    const before = newer.query("SELECT * FROM migrations").all();
    expect(() => openDatabase(path)).toThrow(
      "the database was changed by a newer version (9999_from_the_future)",
    );
    expect(newer.query("SELECT * FROM migrations").all()).toEqual(before);
    // Nor is the refused one still holding the file.
    newer.run("BEGIN EXCLUSIVE");
    newer.run("ROLLBACK");
    newer.close();
  });

  test("hold everything the schema says", async () => {
    const generated = Bun.spawnSync(
      [process.execPath, join(PROJECT, "node_modules/drizzle-kit/bin.cjs"), "generate"],
      { cwd: copyForGenerating(), stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/bin:/bin" } },
    );
    expect(generated.stderr.toString()).toBe("");
    expect(generated.stdout.toString()).toContain("No schema changes, nothing to migrate");
    const names = readdirSync(join(PROJECT, "src/platform/migrations/meta"));
    const generatedNames = readdirSync(join(folder, "src/platform/migrations/meta"));
    expect(new Set(generatedNames)).toEqual(new Set(names));
  });
});

/** What `bun run migration` needs, where it may write. */
function copyForGenerating(): string {
  mkdirSync(join(folder, "src"));
  for (const file of ["drizzle.config.ts", "src/schema.ts", "src/platform/migrations"]) {
    cpSync(join(PROJECT, file), join(folder, file), { recursive: true });
  }
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

test("a change elsewhere is another connection's commit, and is told of once", async () => {
  const here = open();
  const there = open();
  expect(here.changedElsewhere()).toBe(false);
  await addSecret(here, "own");
  expect(here.changedElsewhere()).toBe(false);
  await addSecret(there, "other");
  expect(here.changedElsewhere()).toBe(true);
  expect(here.changedElsewhere()).toBe(false);
  // What is undone changes nothing.
  const undecided = new Sqlite(path);
  undecided.run("BEGIN IMMEDIATE");
  undecided.run("INSERT INTO secrets (name, value) VALUES ('undone', 'x')");
  expect(here.changedElsewhere()).toBe(false);
  undecided.run("ROLLBACK");
  undecided.close();
  expect(here.changedElsewhere()).toBe(false);
});

test("writes of two connections wait for each other and are all kept", async () => {
  const databases = [open(), open()];
  await Promise.all(
    databases.flatMap((database, at) =>
      Array.from({ length: 50 }, (_, number) => addSecret(database, `${at}-${number}`)),
    ),
  );
  const [row] = databases.map(({ db }) => db.all("SELECT count(*) AS count FROM secrets")[0]);
  expect(row).toEqual({ count: 100 });
});
