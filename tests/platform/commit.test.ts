import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type GroupCommit, WritesFull, createGroupCommit } from "../../src/platform/commit.ts";
import { temporaryFolder } from "../support/app.ts";

const CHILD = join(import.meta.dir, "../support/commit-child.ts");
/** A page of 4,096 bytes and what the log says of it. */
const WAL_FRAME_BYTES = 4_120;
const WAITING_WRITES_MAX = 20_000;
const KILLED_AFTER_COMMITS = 2_000;

let folder: string;
let path: string;
let sqlite: Database;
let other: Database;
let group: GroupCommit;

function openFile(): Database {
  const opened = new Database(path, { create: true, strict: true });
  opened.run("PRAGMA busy_timeout=0");
  opened.run("PRAGMA journal_mode=WAL");
  return opened;
}

function insert(number: number): void {
  sqlite.prepare("INSERT INTO numbers (number) VALUES (?)").run(number);
}

/** What a second connection reads. */
function kept(): number[] {
  return other
    .query<{ number: number }, []>("SELECT number FROM numbers ORDER BY id")
    .all()
    .map((row) => row.number);
}

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "numbers.db");
  sqlite = openFile();
  sqlite.run("CREATE TABLE numbers (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE)");
  other = openFile();
  group = createGroupCommit(sqlite);
});

afterEach(async () => {
  await group.close();
  sqlite.close();
  other.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("writes that arrive together", () => {
  test("share commits and come back in order", async () => {
    const before = statSync(`${path}-wal`).size;
    const answered: number[] = [];

    await Promise.all(
      Array.from({ length: 50 }, async (_, number) => {
        const answer = await group.commit(() => {
          insert(number);
          return number;
        });
        answered.push(answer);
      }),
    );

    const inOrder = Array.from({ length: 50 }, (_, number) => number);
    expect(answered).toEqual(inOrder);
    expect(kept()).toEqual(inOrder);
    // Every commit writes at least the page of the table and the page of its index. A machine that is
    // busy cuts a transaction that has lasted long enough, so a few are allowed.
    expect(statSync(`${path}-wal`).size - before).toBeLessThan(10 * 2 * WAL_FRAME_BYTES);
  });

  test("see what the ones before them wrote", async () => {
    const count = (): number =>
      sqlite.query<{ count: number }, []>("SELECT count(*) AS count FROM numbers").get()?.count ??
      -1;
    const counts = await Promise.all(
      [10, 11, 12].map((number) =>
        group.commit(() => {
          insert(number);
          return count();
        }),
      ),
    );
    expect(counts).toEqual([1, 2, 3]);
  });

  test("are all kept when they take longer than one transaction may", async () => {
    const writes = Array.from({ length: 4 }, (_, number) =>
      group.commit(() => {
        Bun.sleepSync(6);
        insert(number);
      }),
    );
    await writes[0];
    // The first transaction was ended after it; a reader needs not wait for the rest.
    expect(kept()).toEqual([0]);
    await Promise.all(writes);
    expect(kept()).toEqual([0, 1, 2, 3]);
  });
});

describe("a write that fails", () => {
  test("undoes and fails only itself when it throws", async () => {
    const outcomes = await Promise.allSettled([
      group.commit(() => insert(1)),
      group.commit(() => {
        insert(2);
        throw new RangeError("changed its mind");
      }),
      group.commit(() => insert(3)),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(outcomes[1]).toMatchObject({ reason: new RangeError("changed its mind") });
    expect(kept()).toEqual([1, 3]);
  });

  test("undoes and fails only itself when the database refuses it", async () => {
    const outcomes = await Promise.allSettled([
      group.commit(() => insert(1)),
      group.commit(() => {
        insert(2);
        insert(1);
      }),
      group.commit(() => insert(3)),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "SQLITE_CONSTRAINT_UNIQUE" } });
    expect(kept()).toEqual([1, 3]);
  });
});

test("nothing is answered before a second connection can read it", async () => {
  const late: number[] = [];
  await Promise.all(
    Array.from({ length: 200 }, async (_, number) => {
      // Some arrive while others are being committed.
      if (number % 3 === 0) await Bun.sleep(number % 5);
      await group.commit(() => insert(number));
      if (!kept().includes(number)) late.push(number);
    }),
  );
  expect(late).toEqual([]);
});

test("another connection's lock is waited for while the event loop goes on", async () => {
  other.run("BEGIN IMMEDIATE");
  other.run("INSERT INTO numbers (number) VALUES (100)");
  let isDone = false;
  const writes = Promise.all([1, 2, 3].map((number) => group.commit(() => insert(number)))).then(
    () => (isDone = true),
  );
  let ticks = 0;
  await new Promise<void>((resolve) => {
    const ticking = setInterval(() => {
      if (++ticks < 10) return;
      clearInterval(ticking);
      resolve();
    }, 5);
  });
  expect(isDone).toBe(false);
  other.run("COMMIT");
  await writes;
  expect(kept()).toEqual([100, 1, 2, 3]);
});

test("a write that waited long for its turn is not refused at the first lock it meets", async () => {
  const { now } = performance;
  let laterMs = 0;
  performance.now = () => now.call(performance) + laterMs;
  try {
    const first = group.commit(() => {
      insert(1);
      // What takes so long leaves the rest to the next transaction.
      laterMs = 60_000;
    });
    const second = group.commit(() => insert(2));
    await first;
    other.run("BEGIN IMMEDIATE");
    await Bun.sleep(20);
    other.run("COMMIT");
    await second;
  } finally {
    performance.now = now;
  }
  expect(kept()).toEqual([1, 2]);
});

test("more writes than may wait are refused, those that wait are done", async () => {
  const writes = Array.from({ length: WAITING_WRITES_MAX }, () => group.commit(() => 1));
  const refused = await group.commit(() => insert(1)).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(WritesFull);
  expect(await Promise.all(writes)).toHaveLength(WAITING_WRITES_MAX);
  expect(kept()).toEqual([]);
  await group.commit(() => insert(2));
  expect(kept()).toEqual([2]);
});

describe("closing", () => {
  test("waits for what was handed in and refuses what comes later", async () => {
    const answered: number[] = [];
    for (const number of [1, 2, 3]) {
      void group.commit(() => insert(number)).then(() => answered.push(number));
    }
    const closed = group.close();
    const late = group.commit(() => insert(4));
    expect(await late.catch((error: unknown) => error)).toBeInstanceOf(WritesFull);
    await closed;
    expect(kept()).toEqual([1, 2, 3]);
    expect(answered).toEqual([1, 2, 3]);
  });

  test("waits while another connection holds the lock", async () => {
    other.run("BEGIN IMMEDIATE");
    const write = group.commit(() => insert(1));
    const closed = group.close();
    await Bun.sleep(10);
    other.run("COMMIT");
    await closed;
    expect(kept()).toEqual([1]);
    await write;
  });

  test("may be asked for twice", async () => {
    const write = group.commit(() => insert(1));
    await Promise.all([group.close(), group.close()]);
    expect(kept()).toEqual([1]);
    await write;
  });
});

test("a process that is killed loses nothing that it acknowledged", async () => {
  const file = join(folder, "killed.db");
  const child = Bun.spawn([process.execPath, CHILD, file], { stdout: "pipe", stderr: "inherit" });
  const decoder = new TextDecoder();
  let output = "";
  for await (const bytes of child.stdout) {
    output += decoder.decode(bytes, { stream: true });
    if (output.split("\n", KILLED_AFTER_COMMITS + 1).length > KILLED_AFTER_COMMITS) {
      child.kill("SIGKILL");
    }
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");

  // The last line may be cut short; the others were acknowledged.
  const acknowledged = output.split("\n").slice(0, -1).map(Number);
  expect(acknowledged.length).toBeGreaterThanOrEqual(KILLED_AFTER_COMMITS);
  const survivor = new Database(file, { strict: true });
  const found = new Set(
    survivor
      .query<{ number: number }, []>("SELECT number FROM numbers")
      .all()
      .map((row) => row.number),
  );
  survivor.close();
  expect(acknowledged.filter((number) => !found.has(number))).toEqual([]);
});
