import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type KeyStore, createKeyStore } from "../../src/http/keys.store.ts";
import { type Keys, createKeys } from "../../src/http/keys.ts";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import { temporaryFolder, until } from "../support/app.ts";

const CONFIGURED = "a-key-of-the-settings";
const MINUTE_MS = 60_000;

let folder = "";
let path = "";
let database: Database;
let store: KeyStore;
let time = 0;
let keys: Keys;

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "earshot.db");
  database = openDatabase(path);
  store = createKeyStore(database);
  time = 1_700_000_000_000;
  keys = createKeys({ store, configured: [], now: () => time });
});

afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Keys as another process on the same file sees them. */
async function elsewhere<T>(use: (keys: Keys) => Promise<T>): Promise<T> {
  const other = openDatabase(path);
  try {
    return await use(createKeys({ store: createKeyStore(other), configured: [], now: () => time }));
  } finally {
    await other.close();
  }
}

/** The code of the problem that it rejects with. */
function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "nothing",
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

describe("a key", () => {
  test("is long, random and tells what it is", async () => {
    const made = await Promise.all(
      ["a", "b", "c"].map(async (name) => (await keys.create(name)).key),
    );
    for (const key of made) expect(key).toMatch(/^ek_[\w-]{43}$/);
    expect(new Set(made).size).toBe(3);
  });

  test("is kept as a hash only", async () => {
    const { key, kept } = await keys.create("uploader");
    expect(kept).toEqual({
      id: 1,
      name: "uploader",
      hint: key.slice(0, 8),
      scopes: ["posts", "audio"],
      createdAt: time,
      usedAt: null,
      revokedAt: null,
    });
    expect(await keys.list()).toEqual([kept]);
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
    const text = files.join();
    expect(text).toContain(new Bun.CryptoHasher("sha256").update(key).digest("hex"));
    expect(text).not.toContain(key.slice(3, 20));
    expect(text).not.toContain(key.slice(-20));
  });

  test("opens until it is revoked, by id or by name, here or in another process", async () => {
    for (const revoke of [
      (id: number) => keys.revoke(String(id)),
      () => keys.revoke("uploader"),
      () => elsewhere((others) => others.revoke("uploader")),
    ]) {
      const { key, kept } = await keys.create("uploader");
      expect(await keys.verify(key)).toMatchObject({ name: "uploader" });
      expect(await elsewhere((others) => others.verify(key))).toMatchObject({ name: "uploader" });
      expect(await keys.anyExist()).toBe(true);
      const revoked = await revoke(kept.id);
      expect(revoked).toMatchObject({ kept: { id: kept.id, revokedAt: time }, isNew: true });
      expect(await keys.verify(key)).toBeNull();
      expect(await elsewhere((others) => others.verify(key))).toBeNull();
      expect(await keys.anyExist()).toBe(false);
    }
    expect((await keys.list()).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test("stays revoked since the first time", async () => {
    await keys.create("uploader");
    await keys.revoke("1");
    time += 1;
    expect(await keys.revoke("1")).toMatchObject({ kept: { revokedAt: time - 1 }, isNew: false });
    expect(await refusal(keys.revoke("uploader"))).toBe("not_found");
    expect(await refusal(keys.revoke("2"))).toBe("not_found");
    expect(await refusal(keys.revoke("9".repeat(40)))).toBe("not_found");
  });

  test("that is almost one, or its hash, or nothing, opens nothing", async () => {
    const { key } = await keys.create("uploader");
    const hash = new Bun.CryptoHasher("sha256").update(key).digest("hex");
    const wrong = ["", "ek_", key.slice(0, -1), `${key}A`, key.toUpperCase(), hash, ` ${key}`];
    for (const one of [...wrong, key.repeat(1_000), "uploader", "' OR 1=1 --", "\u0000"]) {
      expect([one, await keys.verify(one)]).toEqual([one, null]);
    }
  });

  test("may come from the settings, whole and as it stands there", async () => {
    const other = `${CONFIGURED}-2`;
    const both = createKeys({ store, configured: [CONFIGURED, other], now: () => time });
    expect(await both.anyExist()).toBe(true);
    for (const key of [CONFIGURED, other]) expect(await both.verify(key)).not.toBeNull();
    for (const key of [CONFIGURED.slice(1), `${CONFIGURED}-`, `${CONFIGURED},${other}`]) {
      expect(await both.verify(key)).toBeNull();
    }
    expect(await keys.verify(CONFIGURED)).toBeNull();
    expect(await keys.anyExist()).toBe(false);
  });

  test("has a number of its own that no user can have", async () => {
    const configured = [CONFIGURED, `${CONFIGURED}-2`];
    const both = createKeys({ store, configured, now: () => time });
    const made = await Promise.all(["a", "b"].map(async (name) => (await both.create(name)).key));
    const found = await Promise.all([...made, ...configured].map(both.verify));
    const ids = found.map((key) => key?.userId ?? 0);
    expect(new Set(ids).size).toBe(4);
    expect(Math.max(...ids)).toBeLessThan(0);
  });
});

describe("a key's name", () => {
  const good = ["x", "x".repeat(100), "😀".repeat(100), "हिन्दी ख़बर", "team 7", "7-a", "DROP TABLE"];
  for (const name of good) {
    test(`may be ${JSON.stringify(name.slice(0, 20))}`, async () => {
      const { key, kept } = await keys.create(` ${name} `);
      expect(kept.name).toBe(name);
      expect((await keys.revoke(name)).kept.id).toBe(kept.id);
      expect(await keys.verify(key)).toBeNull();
    });
  }

  const bad = [
    "",
    "  ",
    "x".repeat(101),
    "😀".repeat(101),
    "a\nb",
    "a\u001b[2Jb",
    "a\u2028b",
    "12",
  ];
  for (const name of [...bad, "\ud800"]) {
    test(`may not be ${JSON.stringify(name.slice(0, 20))}`, async () => {
      expect(await refusal(keys.create(name))).toBe("invalid");
      expect(await keys.list()).toEqual([]);
    });
  }

  test("is that of one valid key at a time", async () => {
    const outcomes = await Promise.allSettled([
      keys.create("uploader"),
      keys.create("uploader"),
      elsewhere((others) => others.create("uploader")),
    ]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await refusal(keys.create("uploader"))).toBe("conflict");
    await keys.revoke("uploader");
    expect((await keys.create("uploader")).kept.id).toBe(2);
  });
});

describe("when a key was used", () => {
  const usedAt = async (): Promise<number | null | undefined> => (await keys.list())[0]?.usedAt;

  test("is written down at most once a minute, by one of all processes", async () => {
    let writes = 0;
    const counting = (over: KeyStore): KeyStore => ({
      ...over,
      touch: (...args) => {
        writes++;
        return over.touch(...args);
      },
    });
    keys = createKeys({ store: counting(store), configured: [], now: () => time });
    const { key } = await keys.create("uploader");
    const first = time;
    for (let count = 0; count < 20; count++) await keys.verify(key);
    await until(async () => (await usedAt()) === first);
    expect(writes).toBe(1);

    time = first + MINUTE_MS - 1;
    await keys.verify(key);
    expect(writes).toBe(1);
    time = first + MINUTE_MS;
    await keys.verify(key);
    await until(async () => (await usedAt()) === time);
    expect(writes).toBe(2);
    // Another process finds that it is known.
    const again = createKeys({ store: counting(store), configured: [], now: () => time });
    await again.verify(key);
    expect(writes).toBe(2);
    // One that came with an older look writes nothing over it.
    await store.touch(1, time + 1, time - MINUTE_MS);
    expect(await usedAt()).toBe(time);
  });

  test("is nothing that a request waits for or fails over", async () => {
    const { key } = await keys.create("uploader");
    const broken = { ...store, touch: () => Promise.reject(new Error("the disk is full")) };
    const never = { ...store, touch: () => new Promise<void>(() => undefined) };
    for (const bad of [broken, never]) {
      const some = createKeys({ store: bad, configured: [], now: () => time });
      for (let count = 0; count < 3; count++) expect(await some.verify(key)).not.toBeNull();
    }
    expect(await usedAt()).toBeNull();
  });

  test("is not told of a key that is refused", async () => {
    const { key } = await keys.create("uploader");
    await keys.revoke("uploader");
    expect(await keys.verify(key)).toBeNull();
    await store.add({ name: "after", hash: "00", hint: "", scopes: [], at: time });
    expect(await usedAt()).toBeNull();
  });
});
