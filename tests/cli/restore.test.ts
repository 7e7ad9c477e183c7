import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../src/platform/database.ts";
import { postJson, temporaryFolder, until } from "../support/app.ts";
import { type Run, endOf, trimmed } from "../support/command.ts";
import { type TestServer, runEarshot, startTestServer } from "../support/server.ts";

const PASSWORD = "correct horse";
const JWT_SECRET = "s".repeat(32);

let folder = "";
let path = "";

/** In a process of its own: what this one had open it may not have closed yet. */
const run = async (...args: string[]): Promise<Run> =>
  trimmed(await endOf(runEarshot(args, { DATABASE_URL: `sqlite:${path}` }, folder)));

const kept = (): string[] => readdirSync(folder).filter((name) => name.includes(".replaced-"));

describe("restoring an older state", () => {
  let server: TestServer;
  let file = "";
  const start = async (): Promise<void> => {
    server = await startTestServer({ JWT_SECRET }, folder);
  };

  beforeAll(() => {
    folder = temporaryFolder();
    path = join(folder, "earshot.db");
    file = join(folder, "backup");
  });
  afterAll(async () => {
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const register = async (name: string): Promise<number> => {
    const answer = await postJson(`${server.url}/v1/auth/register`, { name, password: PASSWORD });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: number }).id;
  };

  const login = async (name: string): Promise<{ access_token: string; refresh_token: string }> => {
    const answer = await postJson(`${server.url}/v1/auth/login`, { name, password: PASSWORD });
    expect(answer.status).toBe(200);
    return (await answer.json()) as { access_token: string; refresh_token: string };
  };

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  const say = async (token: string, text: string): Promise<void> => {
    const said = { client_id: text, text };
    const address = `${server.url}/v1/rooms/lobby/messages`;
    expect((await postJson(address, said, bearer(token))).status).toBe(201);
  };

  const history = async (token: string) => {
    const address = `${server.url}/v1/rooms/lobby/messages`;
    const answer = await fetch(address, { headers: bearer(token) });
    return (await answer.json()) as { epoch: string; messages: { text: string }[] };
  };

  test("brings its messages back, and nothing that was taken from anybody since", async () => {
    await start();
    await register("ada");
    const bob = await register("bob");
    const ada = await login("ada");
    await say(ada.access_token, "first");
    const key = (await run("keys", "create", "uploader")).out;
    expect((await run("backup", file)).code).toBe(0);

    await say(ada.access_token, "second");
    const before = await history(ada.access_token);
    expect(before.messages.map(({ text }) => text)).toEqual(["first", "second"]);
    expect((await run("keys", "revoke", "uploader")).code).toBe(0);
    const { access_token: bobs } = await login("bob");
    await say(bobs, "of bob");
    const closing = await fetch(`${server.url}/v1/auth/me`, {
      method: "DELETE",
      headers: { ...bearer(bobs), "content-type": "application/json" },
      body: JSON.stringify({ password: PASSWORD }),
    });
    expect(closing.status).toBeLessThan(300);
    const carol = await register("carol");
    const { access_token: carols } = await login("carol");

    // While the server runs there is no way, and nothing changes.
    const refused = await run("restore", file);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("stop the servers") });
    expect((await history(carols)).epoch).toBe(before.epoch);
    expect(kept()).toEqual([]);

    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
    const restored = await run("restore", file);
    expect(restored.code).toBe(0);
    expect(restored.out).toContain("begin anew: 1");
    expect(restored.out).toContain("API keys that were revoked since, and stay so: 1");
    expect(restored.out).toContain("accounts that were closed since, and are again: 1");
    expect(readdirSync(folder).filter((name) => name.includes("unfinished"))).toEqual([]);
    const [replaced = ""] = kept().filter((name) => !name.endsWith("-spool"));
    expect((await run("check", join(folder, replaced))).code).toBe(0);
    expect((await run("check")).code).toBe(0);

    await start();
    for (const { access_token: token } of [ada, { access_token: carols }]) {
      const answer = await fetch(`${server.url}/v1/auth/me`, { headers: bearer(token) });
      expect(answer.status).toBe(401);
    }
    const refresh = { refresh_token: ada.refresh_token };
    expect((await postJson(`${server.url}/v1/auth/refresh`, refresh)).status).toBe(401);
    const post = { content: "A post.", publication: "The Daily" };
    const posted = await postJson(`${server.url}/v1/posts`, post, { "x-api-key": key });
    expect(posted.status).toBe(401);
    const wrong = { name: "bob", password: PASSWORD };
    expect((await postJson(`${server.url}/v1/auth/login`, wrong)).status).toBe(401);

    // Nobody gets a number that somebody has had since.
    expect(await register("dora")).toBeGreaterThan(Math.max(bob, carol));
    const again = await login("ada");
    expect((await fetch(`${server.url}/v1/auth/me`, { headers: bearer(carols) })).status).toBe(401);
    const after = await history(again.access_token);
    expect(after.messages.map(({ text }) => text)).toEqual(["first"]);
    expect(after.epoch).not.toBe(before.epoch);
  });

  test("can be taken back by restoring what it replaced", async () => {
    const [replaced = ""] = kept().filter((name) => !name.endsWith("-spool"));
    server.signal("SIGTERM");
    await server.exited;
    expect((await run("restore", join(folder, replaced))).code).toBe(0);
    await start();
    const { access_token: token } = await login("ada");
    const texts = (await history(token)).messages.map(({ text }) => text);
    expect(texts.slice(0, 2)).toEqual(["first", "second"]);
  });
});

describe("a backup", () => {
  let file = "";

  beforeEach(async () => {
    folder = temporaryFolder();
    path = join(folder, "data/earshot.db");
    file = join(folder, "backup");
    await openDatabase(join(folder, "source.db")).close();
    cpSync(join(folder, "source.db"), file);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("makes a database where there is none", async () => {
    expect((await run("restore", file)).code).toBe(0);
    expect((await run("check")).code).toBe(0);
    // Reading it opens a log beside it.
    const names = readdirSync(join(folder, "data")).filter((name) => !/-(wal|shm)$/.test(name));
    expect(names).toEqual(["earshot.db"]);
  });

  test("gets the rights of what it replaces; one that is damaged, or none of ours, changes nothing", async () => {
    mkdirSync(join(folder, "data"));
    cpSync(file, path);
    chmodSync(path, 0o640);
    expect((await run("restore", file)).code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    const before = readFileSync(path);
    const names = readdirSync(join(folder, "data"));
    writeFileSync(join(folder, "rubbish"), "rubbish ".repeat(1_000));
    for (const [name, said] of [
      ["rubbish", "is damaged"],
      ["nothing", "there is no"],
      ["data/earshot.db", "is the database itself"],
    ] as const) {
      const answer = await run("restore", join(folder, name));
      expect(answer).toMatchObject({ code: 1, err: expect.stringContaining(said) });
    }
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(join(folder, "data"))).toEqual(names);
  });

  test("takes the place of a broken database only when it is said that nothing runs on it", async () => {
    mkdirSync(join(folder, "data"));
    writeFileSync(path, "rubbish ".repeat(1_000));
    const refused = await run("restore", file);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("--force") });
    expect((await run("restore", file, "--force")).code).toBe(0);
    expect((await run("check")).code).toBe(0);
    const [replaced = ""] = readdirSync(join(folder, "data")).filter((name) =>
      name.includes("replaced"),
    );
    expect(readFileSync(join(folder, "data", replaced), "utf8")).toStartWith("rubbish ");
  });

  test("is waited for by a start in its middle, which finds the new database", async () => {
    mkdirSync(join(folder, "data"));
    cpSync(file, path);
    const holder = Bun.spawn([process.execPath, "-e", HOLD, path], {
      stdin: "pipe",
      stdout: "pipe",
      cwd: import.meta.dir,
    });
    const reader = holder.stdout.getReader();
    await reader.read();
    const waiting = Bun.spawn([process.execPath, "-e", LOOK, path], {
      stdout: "pipe",
      cwd: import.meta.dir,
    });
    // It has the old file open by now, since nothing else stands between its word and that.
    const waited = waiting.stdout.getReader();
    await waited.read();
    await Bun.sleep(100);
    await holder.stdin.write("go\n");
    await holder.stdin.end();
    const { value } = await waited.read();
    expect(new TextDecoder().decode(value).trim()).toBe("new");
    await Promise.all([holder.exited, waiting.exited]);
    await until(() => !existsSync(`${path}-wal`));
  });
});

/** Holds a database alone, then puts another one in its place as a restore does. */
const HOLD = `
  const { holdAlone } = await import("../../src/platform/alone.ts");
  const { openDatabase } = await import("../../src/platform/database.ts");
  const { renameSync } = await import("node:fs");
  const path = process.argv.at(-1);
  const other = openDatabase(path + ".new");
  await other.commit(() => other.db.run("INSERT INTO secrets VALUES ('which', 'new')"));
  await other.close();
  const held = holdAlone(path);
  console.log(held === null ? "refused" : "held");
  for await (const line of console) break;
  renameSync(path + ".new", path);
  held.release();
`;

const LOOK = `
  const { openDatabase } = await import("../../src/platform/database.ts");
  console.log("waiting");
  const database = openDatabase(process.argv.at(-1));
  const [row] = database.db.all("SELECT value FROM secrets WHERE name = 'which'");
  console.log(row?.value ?? "old");
  await database.close();
`;
