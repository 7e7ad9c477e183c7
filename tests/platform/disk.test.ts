import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { asProblem } from "../../src/http/errors.ts";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import { createLog } from "../../src/platform/log.ts";
import { temporaryFolder } from "../support/app.ts";

let folder = "";
let lines: string[] = [];
let database: Database;

beforeEach(() => {
  folder = temporaryFolder();
  lines = [];
  const log = createLog("info", (line) => lines.push(line));
  database = openDatabase(join(folder, "earshot.db"), log);
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Lets the file grow by some pages only: SQLite answers as it does when a disk is full. */
function leaveRoomFor(pages: number): void {
  const [row] = database.db.all<{ page_count: number }>("PRAGMA page_count");
  database.db.run(`PRAGMA max_page_count=${(row?.page_count ?? 0) + pages}`);
}

const keep = (name: string): Promise<void> =>
  database.commit(
    () => void database.db.run(`INSERT INTO secrets VALUES ('${name}', '${"x".repeat(3_000)}')`),
  );

const names = (): string[] =>
  database.db
    .all<{ name: string }>("SELECT name FROM secrets ORDER BY rowid")
    .map(({ name }) => name);

test("a full disk refuses what has no room, keeps what was kept, and takes more when there is room", async () => {
  leaveRoomFor(3);
  const outcomes = [];
  for (let count = 0; count < 10; count++) {
    outcomes.push(
      await keep(`${count}`).then(
        () => "kept",
        (error: unknown) => error,
      ),
    );
  }
  const kept = outcomes.filter((outcome) => outcome === "kept").length;
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(10);
  expect(names()).toHaveLength(kept);
  const problem = asProblem(outcomes.at(-1));
  expect(problem).toMatchObject({ code: "internal", extras: { status: 507 } });
  expect(problem?.extras.retryAfterMs).toBeGreaterThan(0);

  leaveRoomFor(100);
  await Promise.all([keep("a"), keep("b")]);
  expect(names().slice(-2)).toEqual(["a", "b"]);
  expect(database.db.all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
});

test("writes that share a commit with one that has no room fail with it, or are kept", async () => {
  leaveRoomFor(3);
  const settled = await Promise.allSettled(Array.from({ length: 10 }, (_, at) => keep(`${at}`)));
  const kept = settled.flatMap(({ status }, at) => (status === "fulfilled" ? [`${at}`] : []));
  expect(kept.length).toBeLessThan(10);
  expect(names()).toEqual(kept);
});

test("a full disk is told of once, and so is that there is room again", async () => {
  leaveRoomFor(1);
  await Promise.allSettled(Array.from({ length: 10 }, (_, at) => keep(`${at}`)));
  await keep("later").catch(() => undefined);
  leaveRoomFor(100);
  await keep("last");
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    {
      level: "error",
      path: join(folder, "earshot.db"),
      code: "SQLITE_FULL",
      msg: "the disk is full: nothing is kept until there is room",
    },
    { level: "info", msg: "the database is written again" },
  ]);
});
