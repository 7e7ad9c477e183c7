import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { users } from "../../src/cli/users.ts";
import type { Environment } from "../../src/environment.ts";
import { createAccountStore } from "../../src/features/accounts/account.store.ts";
import { createPasswords } from "../../src/features/accounts/passwords.ts";
import { createAuthSessionStore } from "../../src/features/accounts/session.store.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { temporaryFolder, until } from "../support/app.ts";
import { type Run, endOf, runCommand, trimmed } from "../support/command.ts";
import { runEarshot } from "../support/server.ts";

const CHILD = join(import.meta.dir, "../support/users-child.ts");
const PASSWORD = "correct horse";

let folder = "";
let path = "";

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "data/earshot.db");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = (settings: Environment = {}): Environment => ({
  PATH: process.env["PATH"],
  DATABASE_URL: `sqlite:${path}`,
  ...settings,
});

/** Runs `earshot users ARGUMENTS` on the test's database with a text on its standard input. */
async function run(args: string[], input = "", settings: Environment = {}): Promise<Run> {
  return trimmed(await runCommand(users, args, environment(settings), input));
}

/** The same in a process of its own. */
async function runAlone(args: string[], input: string): Promise<Run> {
  return trimmed(await endOf(runEarshot(["users", ...args], environment(), folder, input)));
}

const listed = async (): Promise<Record<string, unknown>[]> =>
  JSON.parse((await run(["list", "--json"])).out) as Record<string, unknown>[];

/** Whether it is the password of the account that has this folded name. */
async function isPassword(key: string, password: string): Promise<boolean> {
  const database = openDatabase(path);
  const kept = await createAccountStore(database).findByName(key);
  await database.close();
  return createPasswords().verify(password, kept?.passwordHash ?? null);
}

test("users add makes accounts and admins with a password from standard input", async () => {
  const made = await runAlone(["add", "Ada Lovelace", "--admin"], `${PASSWORD}\nmore\n`);
  expect(made).toEqual({ code: 0, out: "added admin 1000001, Ada Lovelace", err: "" });
  expect((await run(["add", "bob"], `${PASSWORD} `)).code).toBe(0);
  expect(await isPassword("ada lovelace", PASSWORD)).toBe(true);
  // Spaces belong to it.
  expect(await isPassword("bob", PASSWORD)).toBe(false);
  const known = { created_at: expect.any(Number), sessions: 0, used_at: null };
  expect(await listed()).toEqual([
    { id: 1_000_001, name: "Ada Lovelace", role: "admin", ...known },
    { id: 1_000_002, name: "bob", role: "user", ...known },
  ]);
  const table = (await run(["list"])).out.split("\n");
  expect(table[0]).toMatch(/^ID +NAME +ROLE +CREATED +SESSIONS +LAST SEEN$/);
  expect(table[1]).toMatch(/^1000001 +Ada Lovelace +admin +20\d\d-\S+ \S+Z +0$/);
});

test("users passwd gives a new password and ends every session", async () => {
  await run(["add", "ada"], PASSWORD);
  const database = openDatabase(path);
  const kept = await createAccountStore(database).findByName("ada");
  const sessions = createAuthSessionStore(database);
  const opened = await sessions.open({
    userId: kept?.id ?? 0,
    passwordHash: kept?.passwordHash ?? "",
    familyHash: "a",
    tokenHash: "b",
    at: Date.now(),
    expiresAt: Date.now() + 60_000,
    userAgent: "",
  });
  expect(await listed()).toMatchObject([{ sessions: 1, used_at: expect.any(Number) }]);
  const changed = await run(["passwd", "ADA"], "another horse\r\n");
  expect(changed).toMatchObject({ code: 0, out: expect.stringContaining("1000001, ada") });
  expect(await sessions.holder(opened?.id ?? 0, Date.now())).toBeNull();
  await database.close();
  expect(await isPassword("ada", "another horse")).toBe(true);
  expect(await isPassword("ada", PASSWORD)).toBe(false);
});

test("a password that is typed is asked for twice and never shown", async () => {
  /** Types lines, each when it is asked for, and gives what the terminal showed. */
  const typed = async (
    args: string[],
    lines: string[],
  ): Promise<{ code: number; screen: string }> => {
    let screen = "";
    const decoder = new TextDecoder();
    const child = Bun.spawn([process.execPath, CHILD, ...args], {
      env: environment(),
      cwd: folder,
      terminal: { data: (_, bytes) => void (screen += decoder.decode(bytes, { stream: true })) },
    });
    for (const [at, line] of lines.entries()) {
      await until(() => screen.split(/password: |again: /).length === at + 2);
      child.terminal?.write(line);
    }
    const code = await child.exited;
    child.terminal?.close();
    return { code, screen };
  };
  const made = await typed(
    ["add", "ada"],
    [`wrong\u0015correct hoss\u007f\u007frse\r`, `${PASSWORD}\r`],
  );
  expect(made.screen).toContain("added user 1000001, ada");
  expect(made.code).toBe(0);
  for (const part of ["correct", "horse", "wrong", "*"]) expect(made.screen).not.toContain(part);
  expect(await isPassword("ada", PASSWORD)).toBe(true);

  const unlike = await typed(["passwd", "ada"], ["another horse\r", "another hoarse\r"]);
  expect(unlike.code).toBe(1);
  expect(unlike.screen).toContain("not the same");
  const given = await typed(["passwd", "ada"], ["another\u0003"]);
  expect(given.code).toBe(1);
  expect(await isPassword("ada", PASSWORD)).toBe(true);
});

describe("users refuses, in one line,", () => {
  const refusals: [string, string[], string, number][] = [
    ["no command", [], "", 2],
    ["an unknown one", ["remove", "ada"], "", 2],
    ["no name", ["add"], "", 2],
    ["two names", ["add", "ada", "bob"], "", 2],
    ["a password as an argument", ["add", "ada", "--password", PASSWORD], "", 2],
    ["a name that accounts cannot have", ["add", "two\nlines"], PASSWORD, 2],
    ["a name that is taken", ["add", "TAKEN"], PASSWORD, 1],
    ["a password that is too short", ["add", "ada"], "short", 2],
    ["no password", ["add", "ada"], "", 1],
    ["a new password for nobody", ["passwd", "nobody"], PASSWORD, 1],
    ["to make somebody an admin by a new password", ["passwd", "taken", "--admin"], PASSWORD, 2],
    ["to list one", ["list", "taken"], "", 2],
  ];
  test("what it cannot do", async () => {
    await run(["add", "taken"], PASSWORD);
    for (const [what, args, input, expected] of refusals) {
      const { code, out, err } = await run(args, input);
      expect([what, code, out, err.split("\n").length]).toEqual([what, expected, "", 1]);
      expect(err).not.toBe("");
      expect(err).not.toContain(PASSWORD);
    }
    expect(await listed()).toHaveLength(1);
  });

  test("a database that no other process can see, and a wrong setting", async () => {
    const memory = await run(["list"], "", { DATABASE_URL: "sqlite::memory:" });
    expect(memory).toMatchObject({ code: 2, err: expect.stringContaining("DATABASE_URL") });
    const wrong = await run(["list"], "", { REGISTRATION: "maybe" });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("REGISTRATION") });
  });
});

test("without users there is an empty list", async () => {
  expect(await listed()).toEqual([]);
  expect(await run(["list"])).toMatchObject({ code: 0, out: expect.stringContaining("no users") });
});
