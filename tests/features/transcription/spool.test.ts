import { afterEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Spools, createSpools } from "../../../src/features/transcription/spool.ts";
import { createLog } from "../../../src/platform/log.ts";
import { temporaryFolder } from "../../support/app.ts";
import { createRandom } from "../../support/random.ts";

const MEBIBYTE = 1024 * 1024;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function databaseFile(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return join(folder, "some.db");
}

/** Bytes that tell where in the sound they are. */
function sound(from: number, to: number): Uint8Array {
  return Uint8Array.from({ length: to - from }, (_, at) => ((from + at) * 31 + 7) % 251);
}

const twins: [string, () => Spools][] = [
  ["a file", () => createSpools(databaseFile())],
  ["memory", () => createSpools(":memory:")],
];

describe.each(twins)("a spool in %s", (_, create) => {
  test("gives back what was put in, from any place on", () => {
    const spool = create().create("one", 1, 0);
    spool.append(sound(0, 5));
    spool.append(sound(5, 5));
    spool.append(sound(5, 1_000));
    expect([spool.begin(), spool.end()]).toEqual([0, 1_000]);
    for (const from of [0, 1, 5, 6, 999, 1_000, 5_000]) {
      expect(Buffer.from(spool.read(from))).toEqual(
        Buffer.from(sound(Math.min(from, 1_000), 1_000)),
      );
    }
    spool.remove();
  });

  test("keeps what it was given, whatever becomes of the array", () => {
    const spool = create().create("one", 1, 0);
    const piece = sound(0, 100);
    spool.append(piece);
    piece.fill(0);
    expect(Buffer.from(spool.read(0))).toEqual(Buffer.from(sound(0, 100)));
    spool.remove();
  });

  test("can begin in the middle of a sound", () => {
    const spool = create().create("one", 1, 777);
    expect([spool.begin(), spool.end()]).toEqual([777, 777]);
    spool.append(sound(777, 900));
    expect(Buffer.from(spool.read(0))).toEqual(Buffer.from(sound(777, 900)));
    spool.remove();
  });

  test("forgets what is settled, and nothing behind it", () => {
    const random = createRandom(20_241_122);
    const spool = create().create("one", 1, 0);
    let settled = 0;
    for (let times = 0; times < 200; times++) {
      const end = spool.end();
      spool.append(sound(end, end + Math.floor(random() * 100_000)));
      settled += Math.floor(random() * (spool.end() - settled));
      spool.settle(settled);
      expect(spool.begin()).toBeLessThanOrEqual(settled);
      expect(spool.end() - spool.begin()).toBeLessThan(spool.end() - settled + 2 * MEBIBYTE);
      expect(Buffer.compare(spool.read(settled), sound(settled, spool.end()))).toBe(0);
    }
    expect(spool.begin()).toBeGreaterThan(MEBIBYTE);
    // Nonsense moves nothing.
    spool.settle(0);
    spool.settle(-5);
    expect(Buffer.compare(spool.read(settled), sound(settled, spool.end()))).toBe(0);
    spool.remove();
  });

  test("is adopted with everything that is not settled", () => {
    const spools = create();
    const first = spools.create("one", 1, 0);
    first.append(sound(0, 5_000));
    first.close();
    const second = spools.adopt("one", 2, 3_000);
    expect(second.end()).toBe(5_000);
    expect(second.begin()).toBeLessThanOrEqual(3_000);
    expect(Buffer.from(second.read(3_000))).toEqual(Buffer.from(sound(3_000, 5_000)));
    second.append(sound(5_000, 6_000));
    second.close();
    const third = spools.adopt("one", 3, 4_000);
    expect(Buffer.from(third.read(4_000))).toEqual(Buffer.from(sound(4_000, 6_000)));
    third.remove();
    expect(spools.names()).toEqual([]);
  });

  test("that is gone is adopted empty, where the words end", () => {
    const spools = create();
    const spool = spools.adopt("one", 4, 3_000);
    expect([spool.begin(), spool.end(), spool.read(0).length]).toEqual([3_000, 3_000, 0]);
    spool.remove();
  });

  test("is one of many, and removed alone", () => {
    const spools = create();
    const names = ["one", "two", "one-more"];
    const opened = names.map((name) => spools.create(name, 1, 0));
    for (const [at, spool] of opened.entries()) spool.append(sound(at, at + 10));
    expect(spools.names().toSorted()).toEqual(names.toSorted());
    spools.remove("one");
    expect(spools.names().toSorted()).toEqual(["one-more", "two"]);
    expect(Buffer.from(opened[1]?.read(0) ?? [])).toEqual(Buffer.from(sound(1, 11)));
    opened[0]?.remove();
    for (const name of names) spools.remove(name);
    expect(spools.names()).toEqual([]);
  });
});

test("sound that is taken does not end the trouble of a session that cannot begin", () => {
  const file = databaseFile();
  const lines: { level: string; msg: string }[] = [];
  const log = createLog("info", (line) =>
    lines.push(JSON.parse(line) as { level: string; msg: string }),
  );
  const spools = createSpools(file, log);
  const one = spools.create("one", 1, 0);
  // Nothing can be written where a folder has the name.
  const obstacle = join(`${file}-spool`, "two.1.sound.new");
  mkdirSync(obstacle);
  for (let times = 0; times < 3; times++) {
    expect(() => spools.create("two", 1, 0)).toThrow("EISDIR");
    one.append(sound(0, 10));
  }
  expect(lines.map(({ level }) => level)).toEqual(["error"]);
  rmdirSync(obstacle);
  const two = spools.create("two", 1, 0);
  expect(lines.map(({ msg }) => msg)).toEqual([
    "sound of new sessions cannot be kept: their speakers are sent away until it can",
    "sound of new sessions is kept again",
  ]);
  for (const spool of [one, two]) spool.remove();
});

describe("a spool file", () => {
  const open = (): { spools: Spools; folder: string; path(generation: number): string } => {
    const database = databaseFile();
    const folder = `${database}-spool`;
    return {
      spools: createSpools(database),
      folder,
      path: (generation) => join(folder, `one.${generation}.sound`),
    };
  };

  test("is for its owner only", () => {
    const { spools, folder, path } = open();
    const spool = spools.create("one", 1, 0);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(path(1)).mode & 0o777).toBe(0o600);
    spool.remove();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("outlives whoever wrote it", () => {
    const { spools, path } = open();
    spools.create("one", 1, 100).append(sound(100, 5_000));
    // Nobody has closed it, as when a process is killed.
    const next = spools.adopt("one", 2, 2_000);
    expect(Buffer.from(next.read(2_000))).toEqual(Buffer.from(sound(2_000, 5_000)));
    expect(statSync(path(2)).isFile()).toBe(true);
    next.remove();
  });

  test("that was torn is good up to the tear", () => {
    const bytes = 8 + 1_000;
    for (const left of [0, 1, 7, 8, 9, 500, bytes]) {
      const { spools, path } = open();
      const spool = spools.create("one", 1, 0);
      spool.append(sound(0, 1_000));
      spool.close();
      truncateSync(path(1), left);
      const there = Math.max(0, left - 8);
      for (const [generation, position] of [0, 300].entries()) {
        const next = spools.adopt("one", 2 + generation, position);
        const end = Math.max(position, there);
        expect([next.begin(), next.end()]).toEqual([position, end]);
        expect(Buffer.from(next.read(0))).toEqual(Buffer.from(sound(position, end)));
        next.close();
      }
      spools.remove("one");
    }
  });

  test("that was half written by an adoption is not taken for the sound", () => {
    const { spools, folder, path } = open();
    const spool = spools.create("one", 1, 0);
    spool.append(sound(0, 1_000));
    spool.close();
    writeFileSync(`${path(2)}.new`, readFileSync(path(1)).subarray(0, 300));
    const next = spools.adopt("one", 3, 0);
    expect(Buffer.from(next.read(0))).toEqual(Buffer.from(sound(0, 1_000)));
    expect(readdirSync(folder)).toEqual(["one.3.sound"]);
    next.remove();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of the newest owner counts", () => {
    const { spools, folder } = open();
    for (const generation of [2, 10, 9]) {
      const spool = spools.create("one", generation, generation);
      spool.append(sound(generation, 100));
      spool.close();
    }
    const next = spools.adopt("one", 11, 0);
    expect(next.begin()).toBe(10);
    expect(readdirSync(folder)).toEqual(["one.11.sound"]);
    next.remove();
  });

  test("is not touched any more once it was let go", () => {
    const { spools, path } = open();
    const spool = spools.create("one", 1, 0);
    spool.append(sound(0, 10));
    spool.close();
    spool.close();
    // Its number may belong to this one now.
    const other = spools.create("two", 1, 0);
    expect(() => spool.append(sound(10, 20))).toThrow();
    expect(() => spool.read(0)).toThrow();
    expect(other.read(0)).toHaveLength(0);
    expect(readFileSync(path(1))).toHaveLength(18);
    other.remove();
  });

  test("stays when somebody else adopts it while it is written", () => {
    const { spools, folder } = open();
    const first = spools.create("one", 1, 0);
    first.append(sound(0, 100));
    const second = spools.adopt("one", 2, 0);
    first.append(sound(100, 200));
    first.settle(200);
    second.append(sound(100, 150));
    expect(Buffer.from(second.read(0))).toEqual(Buffer.from(sound(0, 150)));
    first.close();
    second.close();
    spools.remove("one");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("leaves other files of the folder alone", () => {
    const { spools, folder } = open();
    appendFileSync(join(folder, "onerous.1.sound"), "x");
    spools.create("one", 1, 0).close();
    spools.remove("one");
    expect(readdirSync(folder)).toEqual(["onerous.1.sound"]);
  });
});
