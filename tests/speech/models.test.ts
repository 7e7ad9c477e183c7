import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unfoldBzip2 } from "../../src/speech/models/bzip2.ts";
import { CATALOGUE, suggestFor } from "../../src/speech/models/catalogue.ts";
import { tidy } from "../../src/speech/models/folders.ts";
import { isModelName, listInstalled, removeModel } from "../../src/speech/models/installed.ts";
import { takeLock } from "../../src/speech/models/lock.ts";
import { writeManifest } from "../../src/speech/models/manifest.ts";
import { BrokenArchive, ModelFailure } from "../../src/speech/models/refusal.ts";
import { UNPACK_LIMITS, type UnpackLimits, unpackArchive } from "../../src/speech/models/unpack.ts";
import { type TestEntry, paxHeader, tar, tarBz2, tarRecords, zip } from "../support/archives.ts";
import { packBzip2 } from "../support/bzip2.ts";
import { createRandom, cutRandomly } from "../support/random.ts";

/** Made by bzip2 1.0.8: 260,000 bytes of the alphabet in three blocks; runs; nothing; mixed text. */
const ALPHABET_BZ2 =
  "QlpoMTFBWSZTWc5xShkAB4KBgD////AwAPgCgAADJkFAAAGTIClVDQMmgDRprIFWW1QKtygVYKBVvUCrgoFXFQKuSgVc1AqxUCrJQKsZAq6SBVnIFXWQKu0gVd5Aq8SBV5kCr1IFXuQKvkgVaSBV9kCr9IFWsgVfzFBWSZTWa8Ub8MAWh4BgD////AwAPgCgAADJkFAAAGTIClVDQMmgDRprIFWyQKtsgVbpAqwkCrfIFXCQKuMgVcpAq5yBVjIFWUgVaZqBV1UCrsoFXdQKvCgVeVAq9KBV7UCr4oFWigVYyBV9kCr9IFWsgVfzFBWSZTWRp3ogkAYzcBgD////AwAPgCgAADJkFAAAGTIClVBoGgGIaayBGyQI2yBG6QI3yBGEgRwkCOMgRykCOcgR0kCMZAjrIEdpAjvIEeJAjzIEepAj3IEZSBGcgRpIEafJAj6oEflAjVQI/i7kinChIPs0q9I=";
const RUNS_BZ2 =
  "QlpoMTFBWSZTWZmuYngAAANBCOAAPwAAEAAIIAAxADAbVMBqTWa1miWD05YxMiIGTUHF3PxdyRThQkJmuYng";
const NOTHING_BZ2 = "QlpoORdyRThQkAAAAAA=";
const MIXED_BZ2 =
  "QlpoOTFBWSZTWcmDKXIACrXR2UAQQAAPZtwQQAIHQAAgwABQBNkAAB71zQMmIn6ZVVQwmgMEFAAAGTIEnqqU0aNGgAAmqlAAyNAAQqUyAaABoriqJNSaKLREWwibEVRWZVGo0RiLGscd4Pe4O+PfD++/hNvZODfGuY7abZIjnKIqdPbLa5E0gZ7cvY8bbp8id0vHQbenXFtTEE84XHNXSOBBxOxw66dQ59dlngtcU8CjsrPOzAM3TrrsDV7dcuFacuHZObo3L4oUQkluz4gmtHJR1YfGlrPPgZgYFUORuaeqSB10PPqQOQJoz2RsLuURp8vXW7WgntgLrrvGTs6gW1RylG47HPYQ7BwIa0La3G6POxFEbRIkxuxzadg5k3awWa2irxZy3lujornsVy1zlNuC7Edbs9D5tkFG2u0dbYwMcOa7OLj21B1AmsE3S5eIUqtaCjWcyOu6r2cniNe1xruOes9U2z1Oi7APmU9esFZxzsnKy124oV43O7Sc6uF2d0267h4A8uN26RAFPWz57Q86JsrgeOMsbMWLLYVZRgER0AEcxAHCgj0VJzqkzCWoJdCk7SqaBE2gCPFVE5mhBQFCVSTDVjFTKEig1RgKMbEVCVJJjFElGNmVYxYxcKpOoS0KTQJbwlntta589qCxihhUbGMFo2TGLAVJRQEVJmWiNjRRWLEW1FEloqitFjbEaSooixi0GLGiixq9uOMRUUWkyaLBaTGsaNoxYppKCIWkKPQqA6iIiHsFQH2qA6qgOaG2BpaVooCqILRtEUURoswlNGNFjFkisYtD+21W/dlT8Kn8XckU4UJDJgylyA==";

const neverAborted = new AbortController().signal;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-models-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function* piecesOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function unfold(...pieces: Uint8Array[]): Promise<Buffer> {
  const unfolded: Uint8Array[] = [];
  for await (const piece of unfoldBzip2(piecesOf(pieces))) unfolded.push(piece);
  return Buffer.concat(unfolded);
}

function base64(text: string): Buffer {
  return Buffer.from(text, "base64");
}

/** The text that MIXED_BZ2 was made of. */
function mixedText(): string {
  const words = ["model ", "speech ", "हिन्दी ", "zipformer ", "the ", "\n"];
  let state = 7n;
  return Array.from({ length: 1200 }, () => {
    state = (state * 1_103_515_245n + 12_345n) % 2n ** 31n;
    return words[Number((state >> 16n) % 6n)];
  }).join("");
}

describe("bzip2", () => {
  test("is unfolded as the original program packed it", async () => {
    expect(String(await unfold(base64(ALPHABET_BZ2)))).toBe(
      "abcdefghijklmnopqrstuvwxyz".repeat(10_000),
    );
    const runs = ["a".repeat(700), "bbbb", "cccc", "d".repeat(258), "e".repeat(259)];
    expect(String(await unfold(base64(RUNS_BZ2)))).toBe(`${runs.join("")}${"f".repeat(260)}`);
    expect(String(await unfold(base64(MIXED_BZ2)))).toBe(mixedText());
    expect(await unfold(base64(NOTHING_BZ2))).toHaveLength(0);
  });

  test("may come in pieces of any size", async () => {
    const random = createRandom(1);
    for (const lengthMax of [1, 7, 300]) {
      const pieces = cutRandomly(base64(MIXED_BZ2), random, lengthMax);
      expect(String(await unfold(...pieces))).toBe(mixedText());
    }
  });

  test("may be several files one after the other", async () => {
    const files = [
      packBzip2(Buffer.from("one ")),
      base64(NOTHING_BZ2),
      packBzip2(Buffer.from("two")),
    ];
    expect(String(await unfold(...files))).toBe("one two");
  });

  test("that is damaged or cut is refused wherever the damage is", async () => {
    const whole = base64(MIXED_BZ2);
    for (let at = 0; at < whole.length; at += 13) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(unfold(damaged)).rejects.toThrow(BrokenArchive);
      expect(unfold(whole.subarray(0, at))).rejects.toThrow(BrokenArchive);
    }
    expect(unfold(whole, Buffer.from("more"))).rejects.toThrow("bytes follow the end");
    expect(unfold(Buffer.from("something else"))).rejects.toThrow("not bzip2");
  });
});

interface Unpacking {
  limits?: Partial<UnpackLimits>;
}

let archives = 0;

async function unpack(archive: Uint8Array, { limits = {} }: Unpacking = {}): Promise<string> {
  archives++;
  const path = join(folder, `archive-${archives}`);
  const into = join(folder, `out-${archives}`);
  writeFileSync(path, archive);
  mkdirSync(into);
  return unpackArchive({
    archive: path,
    folder: into,
    limits: { ...UNPACK_LIMITS, ...limits },
    signal: neverAborted,
    onProgress: () => undefined,
  });
}

/** All that stands below a folder, by path. */
function filesIn(path: string): Record<string, string> {
  const found = readdirSync(path, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    found
      .filter((entry) => entry.isFile())
      .map((entry) => [
        join(entry.parentPath, entry.name).slice(path.length + 1),
        readFileSync(join(entry.parentPath, entry.name), "utf8"),
      ]),
  );
}

const model: TestEntry[] = [
  { name: "some-model/" },
  { name: "some-model/tokens.txt", body: "a 0\nb 1\n" },
  { name: "some-model/deep/er/model.onnx", body: "x".repeat(2000) },
  { name: "some-model/empty" },
];
const unpacked = {
  "tokens.txt": "a 0\nb 1\n",
  "deep/er/model.onnx": "x".repeat(2000),
  empty: "",
};

describe.each([
  ["a .tar.bz2", tarBz2],
  ["a .zip", zip],
])("%s", (_, pack) => {
  test("is unpacked; its one top folder is the model's", async () => {
    const top = await unpack(pack(model));
    expect(filesIn(top)).toEqual(unpacked);
    expect(top.endsWith("/some-model")).toBe(true);
  });

  test("without a top folder is the model's folder itself", async () => {
    const top = await unpack(pack([{ name: "./tokens.txt" }, { name: "am/final.mdl" }]));
    expect(filesIn(top)).toEqual({ "tokens.txt": "", "am/final.mdl": "" });
  });

  test("keeps what macOS adds out", async () => {
    const added = [{ name: "._some-model" }, { name: "__MACOSX/some-model/._tokens.txt" }];
    const top = await unpack(pack([...added, ...model, { name: "some-model/.DS_Store" }]));
    expect(filesIn(top)).toEqual(unpacked);
  });

  const escapes: [string, string][] = [
    ["an absolute path", "/tmp/evil"],
    ["a path that leads upwards", "some-model/../../evil"],
    ["a path that leads upwards at once", "../evil"],
    ["a backslash", "some-model\\..\\..\\evil"],
    ["a drive letter", "C:/evil"],
    ["a control character", "some-model/evil\u0007"],
    ["a path of endless depth", `${"a/".repeat(20)}evil`],
  ];
  test.each(escapes)("with %s is refused", async (_, name) => {
    expect(unpack(pack([...model, { name, body: "evil" }]))).rejects.toThrow(BrokenArchive);
    await Bun.sleep(0);
    expect(existsSync("/tmp/evil")).toBe(false);
    expect(readdirSync(folder)).not.toContain("evil");
  });

  test("that holds a name twice is refused, also in capitals", async () => {
    const twice = [{ name: "a/model.onnx" }, { name: "a/model.onnx" }];
    expect(unpack(pack(twice))).rejects.toThrow("twice");
    expect(unpack(pack([{ name: "a/model.onnx" }, { name: "a/MODEL.onnx" }]))).rejects.toThrow(
      "twice",
    );
    expect(unpack(pack([{ name: "a/one" }, { name: "A/two" }]))).rejects.toThrow("share the name");
    expect(unpack(pack([{ name: "a" }, { name: "a/two" }]))).rejects.toThrow("share the name");
    expect(unpack(pack([{ name: "é" }, { name: "e\u0301" }]))).rejects.toThrow("twice");
  });

  test("with too many entries is refused", () => {
    const limits = { entriesMax: 3 };
    expect(unpack(pack(model), { limits })).rejects.toThrow("more than 3 entries");
  });

  test("that unfolds to too much is refused", () => {
    expect(unpack(pack(model), { limits: { bytesMax: 1000 } })).rejects.toThrow("unfolds");
    const limits = { ratioMax: 0.1, ratioFromBytes: 100 };
    expect(unpack(pack(model), { limits })).rejects.toThrow("unfolds");
  });

  test("that is cut short is refused", async () => {
    const whole = pack(model);
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      expect(unpack(cut)).rejects.toThrow(BrokenArchive);
    }
  });
});

describe("a tar archive", () => {
  const links: [string, TestEntry][] = [
    ["a symbolic link", { name: "some-model/evil", type: "2", linkTo: "/etc" }],
    ["a symbolic link inside", { name: "some-model/evil", type: "2", linkTo: "tokens.txt" }],
    ["a hard link", { name: "some-model/evil", type: "1", linkTo: "some-model/tokens.txt" }],
  ];
  test.each(links)("with %s is refused", (_, entry) => {
    expect(unpack(tarBz2([...model, entry]))).rejects.toThrow("holds a link");
  });

  test.each(["3", "4", "6"])("with a device of the kind %s is refused", (type) => {
    expect(unpack(tarBz2([...model, { name: "evil", type }]))).rejects.toThrow("holds a device");
  });

  test("with something unknown or with holes is refused", () => {
    expect(unpack(tarBz2([{ name: "evil", type: "S" }]))).rejects.toThrow("unknown kind");
    const sparse = paxHeader({ "GNU.sparse.major": "1" });
    expect(unpack(tarBz2([sparse, ...model]))).rejects.toThrow("holes");
  });

  test("takes over no rights", async () => {
    const top = await unpack(tarBz2([{ name: "tokens.txt", mode: 0o6777 }]));
    expect(statSync(join(top, "tokens.txt")).mode & 0o7111).toBe(0);
  });

  test("may have long names, in both ways of writing them", async () => {
    const long = `${"n".repeat(120)}/${"m".repeat(120)}.onnx`;
    const gnu = { name: "././@LongLink", type: "L", body: `${long}\0` };
    const pax = paxHeader({ path: `other/${"हिन्दी".repeat(8)}`, mtime: "1.5" });
    const top = await unpack(tarBz2([gnu, { name: "cut", body: "1" }, pax, { name: "cut" }]));
    expect(filesIn(top)).toEqual({ [long]: "1", [`other/${"हिन्दी".repeat(8)}`]: "" });
  });

  test("may hide nothing in a long name", () => {
    for (const name of ["../evil", "/tmp/evil"]) {
      const gnu = { name: "././@LongLink", type: "L", body: `${name}\0` };
      expect(unpack(tarBz2([gnu, { name: "fine" }]))).rejects.toThrow(BrokenArchive);
      expect(unpack(tarBz2([paxHeader({ path: name }), { name: "fine" }]))).rejects.toThrow(
        BrokenArchive,
      );
    }
    const endless = { name: "././@LongLink", type: "L", body: "", bytes: 1e9 };
    expect(unpack(tarBz2([endless]))).rejects.toThrow("without end");
    const nul = paxHeader({ path: "some\0thing" });
    expect(unpack(tarBz2([nul, { name: "fine" }]))).rejects.toThrow("control characters");
  });

  test("whose header does not add up is refused", () => {
    const bytes = tar(model);
    bytes[3] = 0x41;
    expect(unpack(packBzip2(bytes))).rejects.toThrow("not a tar archive");
  });

  test("that unfolds without end is given up early", async () => {
    const zeros = packBzip2(Buffer.alloc(20_000));
    const [header = Buffer.alloc(0)] = tarRecords({ name: "model.onnx", bytes: 8 ** 11 - 1 });
    const bomb = Buffer.concat([packBzip2(header), ...Array.from({ length: 60 }, () => zeros)]);
    const limits = { ratioMax: 20, ratioFromBytes: 100_000 };
    expect(unpack(bomb, { limits })).rejects.toThrow("unfolds to far more");
  });
});

describe("a zip archive", () => {
  test("with a link or a device is refused", () => {
    const link = { name: "evil", unix: 0o120777, body: "/etc" };
    expect(unpack(zip([...model, link]))).rejects.toThrow("holds a link");
    expect(unpack(zip([...model, { name: "evil", unix: 0o020666 }]))).rejects.toThrow(
      "holds a device",
    );
  });

  test("takes over no rights", async () => {
    const top = await unpack(zip([{ name: "tokens.txt", unix: 0o106777 }]));
    expect(statSync(join(top, "tokens.txt")).mode & 0o7111).toBe(0);
  });

  test("whose checksum does not fit is refused", () => {
    const bytes = Buffer.from(zip([{ name: "tokens.txt", body: "right" }]));
    bytes.write("wrong", bytes.indexOf("right"));
    expect(unpack(bytes)).rejects.toThrow("checksum");
  });

  test("may not say another length than its files have", () => {
    expect(unpack(zip([{ name: "model.onnx", body: "1234", bytes: 2 }]))).rejects.toThrow(
      BrokenArchive,
    );
  });
});

test("something that is no archive is refused", () => {
  expect(unpack(Buffer.from("<html>Not found</html>"))).rejects.toThrow("neither");
  expect(unpack(Buffer.alloc(0))).rejects.toThrow("neither");
});

const manifest = {
  name: "one",
  engine: "vosk" as const,
  languages: ["hi"],
  streaming: true,
  licence: "MIT",
  address: "https://example.org/one.zip",
  sha256: "0".repeat(64),
  bytes: 1,
  installed_at: 2,
};

function put(path: string, body = ""): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), body);
}

describe("the installed models", () => {
  test("are none where there is no folder", () => {
    expect(listInstalled(join(folder, "missing"))).toEqual([]);
  });

  test("are all folders, with the manifest of those that have one", async () => {
    put("two/model.onnx");
    put("one/am/final.mdl");
    await writeManifest(join(folder, "one"), manifest);
    put(".pulling/three.part");
    put("file.txt");
    expect(listInstalled(folder)).toEqual([
      { name: "one", folder: join(folder, "one"), manifest, reason: null },
      { name: "two", folder: join(folder, "two"), manifest: null, reason: null },
    ]);
  });

  test.each(["{", "null", '{"name":"one"}', JSON.stringify({ ...manifest, bytes: "many" })])(
    "are listed without a manifest that is broken (%s)",
    (body) => {
      put("one/earshot-model.json", body);
      expect(listInstalled(folder)).toMatchObject([
        { name: "one", manifest: null, reason: "earshot-model.json is broken" },
      ]);
    },
  );

  test.each(["tokens.txt", "base-tokens.txt", "a.int8.onnx", "am/final.mdl", "final.mdl"])(
    "can be removed, by hand installed ones too (%s)",
    async (file) => {
      put(`one/${file}`);
      put("two/tokens.txt");
      await removeModel(folder, "one");
      expect(listInstalled(folder).map(({ name }) => name)).toEqual(["two"]);
      expect(readdirSync(join(folder, ".pulling"))).toEqual([]);
    },
  );

  test("are the only thing that is removed", async () => {
    put("notes/letter.txt");
    put("file.onnx");
    put("outside/model.onnx");
    symlinkSync(join(folder, "outside"), join(folder, "link"));
    expect(removeModel(folder, "notes")).rejects.toThrow("holds no model");
    expect(removeModel(folder, "file.onnx")).rejects.toThrow("holds no model");
    expect(removeModel(folder, "link")).rejects.toThrow("is a link");
    expect(removeModel(folder, "missing")).rejects.toThrow("there is no model");
    for (const name of ["..", ".", "", ".pulling", "a/b", "notes/..", "-x"]) {
      expect(removeModel(folder, name)).rejects.toThrow("no model's name");
    }
    await Bun.sleep(0);
    expect(readdirSync(folder).sort()).toEqual(["file.onnx", "link", "notes", "outside"]);
  });

  test("are not removed while they are pulled", async () => {
    put("one/tokens.txt");
    const lock = await takeLock(folder, "one");
    expect(removeModel(folder, "one")).rejects.toThrow(`by process ${process.pid}`);
    await Bun.sleep(0);
    await lock.release();
    expect(existsSync(join(folder, "one/tokens.txt"))).toBe(true);
  });
});

describe("the lock of a model", () => {
  test("is had by one at a time", async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(folder, "one")));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(takeLock(folder, "one")).rejects.toThrow(ModelFailure);
    const other = await takeLock(folder, "two");
    await other.release();
    for (const taken of all) if (taken.status === "fulfilled") await taken.value.release();
    const again = await takeLock(folder, "one");
    await again.release();
    expect(readdirSync(join(folder, ".pulling"))).toEqual([]);
  });

  const dead = Bun.spawnSync(["true"]).pid;
  const left = [
    JSON.stringify({ pid: dead, begun: "1" }),
    // The number of a process that lives, but began at another time than the one that had the lock.
    JSON.stringify({ pid: process.pid, begun: "1" }),
    "half a li",
    "",
  ];
  test.each(left)("is taken over from a process that died (%s)", async (body) => {
    put(".pulling/one.lock", body);
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(folder, "one")));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(readdirSync(join(folder, ".pulling"))).toEqual(["one.lock"]);
  });
});

test("what a killed process left is cleared, and a model that it had set aside comes back", async () => {
  put(".pulling/one.unpacked-0123456789ab/model/x");
  put(".pulling/one.removed-0123456789ab/x");
  put(".pulling/one.replaced-0123456789ab/tokens.txt", "old");
  put(".pulling/one.part", "half");
  put(".pulling/one.more.unpacked-0123456789ab/x");
  await tidy(folder, "one");
  expect(readFileSync(join(folder, "one/tokens.txt"), "utf8")).toBe("old");
  expect(readdirSync(join(folder, ".pulling")).sort()).toEqual([
    "one.more.unpacked-0123456789ab",
    "one.part",
  ]);
  put(".pulling/one.replaced-ba9876543210/tokens.txt", "older");
  await tidy(folder, "one");
  expect(readFileSync(join(folder, "one/tokens.txt"), "utf8")).toBe("old");
});

describe("the catalogue", () => {
  test("holds what a pull needs", () => {
    for (const entry of CATALOGUE) {
      expect(isModelName(entry.name)).toBe(true);
      expect(entry.address).toMatch(/^https:\/\/.*\.(tar\.bz2|zip)$/);
      expect(entry.address).toContain(entry.name);
      expect(entry.sha256 ?? "0".repeat(64)).toMatch(/^[0-9a-f]{64}$/);
      expect(entry.bytes ?? 1).toBeGreaterThan(0);
    }
    expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length);
  });

  test("suggests models for a language, those that stream first", () => {
    for (const language of ["en", "hi", "hi-IN", "EN-us"]) {
      const found = suggestFor(language);
      expect(found.length).toBeGreaterThan(2);
      expect(found[0]?.streaming).toBe(true);
      const primary = language.slice(0, 2).toLowerCase();
      for (const { languages } of found) expect(languages).toContain(primary);
    }
    expect(suggestFor("xx")).toEqual([]);
  });
});
