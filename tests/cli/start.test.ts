import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serve } from "../../src/cli/serve.ts";
import type { Environment } from "../../src/environment.ts";
import { QUIET, temporaryFolder } from "../support/app.ts";
import { runHere, trimmed } from "../support/command.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What somebody reads whose server does not start. */
async function read(settings: Environment) {
  const database = `sqlite:${join(folder, "earshot.db")}`;
  const env = { ...QUIET, PORT: "0", DATABASE_URL: database, ...settings };
  return trimmed(await runHere(() => serve([]), env));
}

/** One line on standard error that names the setting; nothing of the program's inside. */
function failsWith(line: string) {
  return { code: 1, out: "", err: `earshot could not start: ${line}` };
}

test("a port that is taken, and an address that is not here, are named", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = other;
  expect(await read({ PORT: String(port) })).toEqual(
    failsWith(`PORT: ${port} at 127.0.0.1 is taken; stop what listens there, or set another one`),
  );
  await other.stop(true);
  // Reserved for documentation, so nobody has it.
  expect(await read({ HOST: "192.0.2.1", JWT_SECRET: "x".repeat(32) })).toEqual(
    failsWith('HOST: "192.0.2.1" is no address of this machine'),
  );
});

test("a database that cannot be used is named with the reason", async () => {
  const [text, damaged, foreign] = ["text.db", "damaged.db", "foreign.db"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(text, "no database, but long enough to be looked into".repeat(20));
  const sqlite = new Sqlite(damaged);
  sqlite.run("CREATE TABLE things (name TEXT)");
  sqlite.close();
  const bytes = new Uint8Array(await Bun.file(damaged).arrayBuffer());
  writeFileSync(damaged, bytes.fill(0xff, 100));
  const others = new Sqlite(foreign);
  others.run("CREATE TABLE rooms (name TEXT)");
  others.close();
  mkdirSync(join(folder, "folder.db"));
  const cases = [
    [text, "it is no SQLite database"],
    [damaged, "it is damaged; `earshot check` says where"],
    [foreign, "it holds the tables of another program"],
    [join(folder, "folder.db"), "it is a folder"],
    [join(text, "earshot.db"), `its folder ${JSON.stringify(text)} cannot be made or used`],
  ] as const;
  for (const [path, reason] of cases) {
    const { code, out, err } = await read({ DATABASE_URL: `sqlite:${path}` });
    expect([code, out]).toEqual([1, ""]);
    const start = `earshot could not start: DATABASE_URL: ${JSON.stringify(path)} cannot be used: `;
    expect(err).toStartWith(start + reason);
    expect(err.split("\n")).toHaveLength(1);
  }
});

test("a model that is not here is named with its setting", async () => {
  const { code, out, err } = await read({
    SPEECH_ENGINE: "auto",
    SPEECH_MODEL: "missing",
    MODELS_DIR: folder,
  });
  expect([code, out]).toEqual([1, ""]);
  expect(err).toStartWith('earshot could not start: SPEECH_MODEL: there is no model "missing" in ');
});
