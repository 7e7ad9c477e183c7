import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
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
import { type ModelsDependencies, runModels } from "../../src/cli/models.ts";
import type { CatalogueEntry } from "../../src/speech/models/catalogue.ts";
import { type TestEntry, tarBz2, tarRecords, zip } from "../support/archives.ts";
import { packBzip2 } from "../support/bzip2.ts";
import { type Run, endOf, runHere } from "../support/command.ts";
import { type FileAnswer, type FileServer, serveFiles } from "../support/file-server.ts";
import { createRandom } from "../support/random.ts";

const CHILD = join(import.meta.dir, "../support/models-child.ts");

const random = createRandom(1);
/** Does not shrink, so that the archive has some length. */
const weights = Uint8Array.from({ length: 200_000 }, () => Math.floor(random() * 256));
const files: TestEntry[] = [
  { name: "some-model/tokens.txt", body: "a 0\n" },
  { name: "some-model/model.int8.onnx", body: weights },
];
const zipped = zip(files);
const other = zip([{ name: "tokens.txt", body: Buffer.alloc(200_000, 1) }]);

let modelsDir = "";
let server: FileServer;
/** What the server does with the n-th request. */
let answer: (count: number, path: string) => FileAnswer;

beforeEach(async () => {
  modelsDir = join(mkdtempSync(join(tmpdir(), "earshot-models-")), "models");
  answer = () => ({ body: zipped, etag: '"1"' });
  server = await serveFiles((count, path) => answer(count, path), partBytes);
});

afterEach(async () => {
  await server.close();
  rmSync(join(modelsDir, ".."), { recursive: true, force: true });
});

function entryOf(change: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return {
    name: "some-model",
    engine: "sherpa",
    languages: ["en", "hi"],
    streaming: true,
    bytes: null,
    licence: "MIT",
    address: `${server.url}/release/some-model.zip`,
    sha256: sha256(zipped),
    about: "for tests",
    ...change,
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function dependenciesOf(entry: CatalogueEntry, mirror: string | null): ModelsDependencies {
  return { catalogue: [entry], modelsDir, mirror, retryMs: 1 };
}

/** Starts the command in a process of its own. */
function start(args: string[], entry = entryOf()) {
  const dependencies = JSON.stringify(dependenciesOf(entry, null));
  return Bun.spawn([process.execPath, CHILD, dependencies, ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
}

function run(args: string[], entry = entryOf(), mirror: string | null = null): Promise<Run> {
  return runHere(() => runModels(dependenciesOf(entry, mirror), args));
}

const pull = ["pull", "some-model"];

function installed(file: string): Buffer {
  return readFileSync(join(modelsDir, "some-model", file));
}

function isWhole(): boolean {
  return (
    installed("model.int8.onnx").equals(weights) && String(installed("tokens.txt")) === "a 0\n"
  );
}

function manifest(): unknown {
  return JSON.parse(String(installed("earshot-model.json")));
}

function working(): string[] {
  return readdirSync(join(modelsDir, ".pulling")).sort();
}

/** Where requests began; -1 is the start of the file without asking for a part. */
function starts(): number[] {
  return server.requests.map(({ range }) => Number(/\d+/.exec(range ?? "")?.[0] ?? -1));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

describe("models pull", () => {
  test("installs a zip with a manifest and leaves nothing else", async () => {
    const { code, out, err } = await run(pull);
    expect({ code, err }).toEqual({
      code: 0,
      err: "downloading some-model …\nunpacking some-model …\n",
    });
    expect(out).toContain(`installed some-model in ${join(modelsDir, "some-model")}`);
    expect(isWhole()).toBe(true);
    expect(manifest()).toEqual({
      name: "some-model",
      engine: "sherpa",
      languages: ["en", "hi"],
      streaming: true,
      licence: "MIT",
      address: `${server.url}/release/some-model.zip`,
      sha256: sha256(zipped),
      bytes: zipped.length,
      installed_at: expect.any(Number),
    });
    expect(working()).toEqual([]);
    expect(server.requests).toMatchObject([{ path: "/release/some-model.zip" }]);
    expect(starts()).toEqual([-1]);
  });

  test("installs a tar.bz2", async () => {
    const body = tarBz2([{ name: "some-model/" }, { name: "some-model/a.onnx", body: "weights" }]);
    answer = () => ({ body });
    expect(await run(pull, entryOf({ sha256: sha256(body) }))).toMatchObject({ code: 0 });
    expect(String(installed("a.onnx"))).toBe("weights");
  });

  test("does nothing when the very archive is installed already", async () => {
    await run(pull);
    const again = await run(pull);
    expect(again.code).toBe(0);
    expect(again.out).toContain("is installed already");
    expect(server.requests).toHaveLength(1);
  });

  test("goes on where a connection was cut, as often as it takes", async () => {
    answer = (count) => ({
      body: zipped,
      etag: '"1"',
      ...(count < 4 ? { cutAfter: 30_000 } : {}),
    });
    const { code, err } = await run(pull);
    expect(code).toBe(0);
    expect(isWhole()).toBe(true);
    expect(starts()).toEqual([-1, 30_000, 60_000, 90_000, 120_000]);
    expect(err).toContain("trying again");
  });

  test("gives up a server that gives nothing, and keeps what has come", async () => {
    answer = (count) => (count === 0 ? { body: zipped, etag: '"1"', cutAfter: 50_000 } : broken);
    const broken: FileAnswer = { body: zipped, status: 503 };
    const { code, err } = await run(pull);
    expect(code).toBe(1);
    expect(err).toContain("the server answered 503; what has come is kept");
    expect(working()).toEqual(["some-model.part", "some-model.part.json"]);
    answer = () => ({ body: zipped, etag: '"1"' });
    expect(await run(pull)).toMatchObject({ code: 0 });
    expect(starts().at(-1)).toBe(50_000);
    expect(isWhole()).toBe(true);
  });

  test("begins anew with a server that knows no ranges", async () => {
    answer = (count) => ({
      body: zipped,
      etag: '"1"',
      ranges: false,
      ...(count === 0 ? { cutAfter: 50_000 } : {}),
    });
    expect(await run(pull)).toMatchObject({ code: 0 });
    expect(isWhole()).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  test("begins anew when the file has changed meanwhile", async () => {
    const body = zip([...files].reverse());
    answer = (count) =>
      count === 0 ? { body, etag: '"old"', cutAfter: 50_000 } : { body: zipped, etag: '"new"' };
    expect(await run(pull)).toMatchObject({ code: 0 });
    expect(isWhole()).toBe(true);
  });

  test("finds a changed file by its tag when the server ignores If-Range", async () => {
    const body = zip([...files].reverse());
    const careless = await serveCareless(body, zipped);
    try {
      const entry = entryOf({ address: `${careless.url}/some-model.zip` });
      expect(await run(pull, entry)).toMatchObject({ code: 0 });
      expect(isWhole()).toBe(true);
      expect(careless.requests.map(({ range }) => range)).toEqual([
        undefined,
        "bytes=50000-",
        undefined,
      ]);
    } finally {
      await careless.stop();
    }
  });

  test("takes what was complete already as it is", async () => {
    const whole = { ...entryOf(), sha256: null };
    mkdirSync(join(modelsDir, ".pulling"), { recursive: true });
    writeFileSync(join(modelsDir, ".pulling/some-model.part"), zipped);
    writeFileSync(
      join(modelsDir, ".pulling/some-model.part.json"),
      JSON.stringify({
        address: whole.address,
        etag: '"1"',
        lastModified: null,
        totalBytes: zipped.length,
      }),
    );
    expect(await run(pull, whole)).toMatchObject({ code: 0 });
    expect(starts()).toEqual([zipped.length]);
    expect(isWhole()).toBe(true);
  });

  test("does not put together what no tag and no checksum holds together", async () => {
    answer = (count) => ({ body: zipped, ...(count === 0 ? { cutAfter: 50_000 } : {}) });
    expect(await run(pull, entryOf({ sha256: null }))).toMatchObject({ code: 0 });
    expect(starts()).toEqual([-1, -1]);
    expect(isWhole()).toBe(true);
  });

  test("refuses an archive that is not the published one, and keeps nothing of it", async () => {
    const { code, err, out } = await run(pull, entryOf({ sha256: "0".repeat(64) }));
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(`sha256 ${sha256(zipped)}, the published checksum is ${"0".repeat(64)}`);
    expect(readdirSync(modelsDir)).toEqual([".pulling"]);
    expect(working()).toEqual([]);
  });

  test("records a checksum that nobody publishes, and holds later pulls to it", async () => {
    const entry = entryOf({ sha256: null });
    const first = await run(pull, entry);
    expect(first.out).toContain(`no published checksum; recorded sha256 ${sha256(zipped)}`);
    expect((await run(pull, entry)).out).toContain("sha256 as at the first pull");
    answer = () => ({ body: other, etag: '"2"' });
    const changed = await run(pull, entry);
    expect(changed.code).toBe(1);
    expect(changed.err).toContain(`it was ${sha256(zipped)} at the first pull`);
    expect(isWhole()).toBe(true);
  });

  test("replaces a model only by a whole one", async () => {
    await run(pull);
    const entry = entryOf({ sha256: sha256(other) });
    const ended = { body: other, status: 500 };
    answer = (count) => (count === 1 ? { body: other, etag: '"2"', cutAfter: 50_000 } : ended);
    expect(await run(pull, entry)).toMatchObject({ code: 1 });
    expect(isWhole()).toBe(true);
    answer = () => ({ body: other, etag: '"2"' });
    expect(await run(pull, entry)).toMatchObject({ code: 0 });
    expect(readdirSync(join(modelsDir, "some-model")).sort()).toEqual([
      "earshot-model.json",
      "tokens.txt",
    ]);
    expect(working()).toEqual([]);
  });

  test("fetches the file from a mirror, and holds it to the same checksum", async () => {
    const entry = entryOf({ address: "https://published.invalid/release/some-model.zip" });
    expect(await run(pull, entry, `${server.url}/kept/here/`)).toMatchObject({ code: 0 });
    expect(server.requests.map(({ path }) => path)).toEqual(["/kept/here/some-model.zip"]);
    expect(manifest()).toMatchObject({ address: entry.address });
    answer = () => ({ body: other });
    rmSync(join(modelsDir, "some-model"), { recursive: true });
    expect(await run(pull, entry, server.url)).toMatchObject({ code: 1 });
  });

  test("follows a few redirects, to web addresses only", async () => {
    answer = (count) =>
      count < 2
        ? { body: zipped, status: 302, location: `/step/${count}` }
        : { body: zipped, etag: '"1"' };
    expect(await run(pull)).toMatchObject({ code: 0 });
    rmSync(join(modelsDir, "some-model"), { recursive: true });
    answer = () => ({ body: zipped, status: 302, location: "/round" });
    expect((await run(pull)).err).toContain("leads in circles");
    answer = () => ({ body: zipped, status: 302, location: "file:///etc/passwd" });
    expect((await run(pull)).err).toContain("no web address");
  });

  test("says what a server answers that has no such file", async () => {
    answer = () => ({ body: zipped, status: 404 });
    const { code, err } = await run(pull);
    expect(code).toBe(1);
    expect(err).toContain(`the server answered 404 for ${server.url}/release/some-model.zip`);
    expect(server.requests).toHaveLength(1);
  });

  const refused: [string, () => Uint8Array, string][] = [
    ["leads outside", () => zip([...files, { name: "../../evil" }]), "zip file is broken"],
    ["holds a link", () => tarBz2([{ name: "a", type: "2", linkTo: "/etc" }]), "holds a link"],
    ["holds no model", () => zip([{ name: "readme.md", body: "hello" }]), "no speech model"],
    ["is a bomb", bomb, "unfolds to far more"],
    ["is none", () => Buffer.from("<html></html>"), "neither a .tar.bz2 nor a .zip"],
  ];
  test.each(refused)("refuses an archive that %s and keeps nothing", async (_, make, reason) => {
    const body = make();
    answer = () => ({ body });
    const { code, err } = await run(pull, entryOf({ sha256: null }));
    expect(code).toBe(1);
    expect(err).toContain(reason);
    expect(readdirSync(modelsDir)).toEqual([".pulling"]);
    expect(working()).toEqual([]);
    expect(existsSync(join(modelsDir, "../evil"))).toBe(false);
  });

  test("goes on after it was killed", async () => {
    const hanging = await serveHalf(zipped);
    try {
      const entry = entryOf({ address: `${hanging.url}/some-model.zip` });
      const child = start(pull, entry);
      await until(() => partBytes() >= zipped.length / 2);
      child.kill("SIGKILL");
      await child.exited;
      expect(working()).toEqual(["some-model.lock", "some-model.part", "some-model.part.json"]);
      hanging.finish();
      expect(await run(pull, entry)).toMatchObject({ code: 0 });
      expect(hanging.ranges.at(-1)).toBe(`bytes=${zipped.length / 2}-`);
      expect(isWhole()).toBe(true);
      expect(working()).toEqual([]);
    } finally {
      await hanging.stop();
    }
  });

  test("is stopped by Ctrl-C and keeps what has come", async () => {
    const hanging = await serveHalf(zipped);
    try {
      const child = start(pull, entryOf({ address: `${hanging.url}/some-model.zip` }));
      await until(() => partBytes() >= zipped.length / 2);
      child.kill("SIGINT");
      const { code, err } = await endOf(child);
      expect(code).toBe(1);
      expect(err).toContain('stopped; "earshot models pull some-model" goes on from there');
      expect(working()).toEqual(["some-model.part", "some-model.part.json"]);
    } finally {
      await hanging.stop();
    }
  });

  test("is done by one process at a time", async () => {
    const hanging = await serveHalf(zipped);
    try {
      const entry = entryOf({ address: `${hanging.url}/some-model.zip` });
      const first = start(pull, entry);
      await until(() => partBytes() > 0);
      for (const args of [pull, ["rm", "some-model"]]) {
        mkdirSync(join(modelsDir, "some-model"), { recursive: true });
        writeFileSync(join(modelsDir, "some-model/tokens.txt"), "");
        const { code, err } = await run(args, entry);
        expect(code).toBe(1);
        expect(err).toContain(`by process ${first.pid}`);
      }
      first.kill("SIGINT");
      expect(await first.exited).toBe(1);
    } finally {
      await hanging.stop();
    }
  });

  test("says in one line that there is no writing there", async () => {
    writeFileSync(join(modelsDir, "../file"), "");
    modelsDir = join(modelsDir, "../file");
    expect(await run(pull)).toMatchObject({
      code: 1,
      err: `cannot write to ${modelsDir}: it is no folder\n`,
    });
  });

  test.skipIf(!existsSync("/dev/full"))("says in one line that the disk is full", async () => {
    mkdirSync(join(modelsDir, ".pulling"), { recursive: true });
    symlinkSync("/dev/full", join(modelsDir, ".pulling/some-model.part"));
    expect(await run(pull)).toMatchObject({
      code: 1,
      err: `downloading some-model …\ncannot write to ${modelsDir}: the disk is full\n`,
    });
  });
});

describe("models rm and models list", () => {
  test("show and remove what is installed", async () => {
    mkdirSync(join(modelsDir, "by-hand/am"), { recursive: true });
    writeFileSync(join(modelsDir, "by-hand/am/final.mdl"), "");
    await run(pull);
    const before = await run(["list"]);
    expect(before.code).toBe(0);
    expect(before.out).toMatch(/^\* {2}some-model +en,hi +yes +200\.\d kB +MIT +for tests$/m);
    expect(before.out).toMatch(/^\* {2}by-hand +\? +\? +size not known +\? +put there by hand$/m);
    expect(await run(["rm", "some-model"])).toEqual({
      code: 0,
      out: "removed some-model\n",
      err: "",
    });
    const after = await run(["list"]);
    expect(after.out).toMatch(/^ {3}some-model +en,hi +yes +size not known +MIT/m);
    const rows: unknown = JSON.parse((await run(["list", "--json"])).out);
    expect(rows).toMatchObject([
      { name: "some-model", installed: false, languages: ["en", "hi"], bytes: null },
      { name: "by-hand", installed: true, folder: join(modelsDir, "by-hand"), engine: null },
    ]);
  });

  test("remove nothing else", async () => {
    mkdirSync(join(modelsDir, "notes"), { recursive: true });
    writeFileSync(join(modelsDir, "notes/letter.txt"), "");
    expect(await run(["rm", "notes"])).toMatchObject({ code: 1 });
    expect(await run(["rm", "missing"])).toMatchObject({ code: 1 });
    for (const name of ["..", ".", "../models", "/etc", ".pulling"]) {
      expect(await run(["rm", name])).toMatchObject({ code: 2 });
    }
    expect(existsSync(join(modelsDir, "notes/letter.txt"))).toBe(true);
  });
});

test.each([[], ["pull"], ["pull", "a", "b"], ["rm"], ["get", "a"], ["list", "a"], ["--what"]])(
  "models %s is wrong usage",
  async (...args) => {
    const { code, err } = await run(args.filter((arg) => typeof arg === "string"));
    expect(code).toBe(2);
    expect(err).not.toBe("");
  },
);

test("models pull of what is not in the catalogue fails", async () => {
  const { code, err } = await run(["pull", "unknown"]);
  expect({ code, err }).toEqual({
    code: 1,
    err: 'there is no model "unknown" in the catalogue (earshot models list)\n',
  });
});

function partBytes(): number {
  return (
    statSync(join(modelsDir, ".pulling/some-model.part"), { throwIfNoEntry: false })?.size ?? 0
  );
}

/** Some kilobytes that unfold to 20 MB. */
function bomb(): Uint8Array {
  const [header = Buffer.alloc(0)] = tarRecords({ name: "model.onnx", bytes: 8 ** 11 - 1 });
  const zeros = packBzip2(Buffer.alloc(20_000));
  return Buffer.concat([packBzip2(header), ...Array.from({ length: 1000 }, () => zeros)]);
}

/** Sends half of the file and then nothing, until it is told to finish. */
async function serveHalf(body: Uint8Array) {
  const ranges: (string | null)[] = [];
  let isHalf = true;
  const half = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: ({ headers }) => {
      ranges.push(headers.get("range"));
      const from = Number(/\d+/.exec(headers.get("range") ?? "")?.[0] ?? 0);
      const rest = new ReadableStream<Uint8Array>({
        start: (controller) => {
          controller.enqueue(body.slice(from, isHalf ? body.length / 2 : body.length));
          if (!isHalf) controller.close();
        },
      });
      const common = { etag: '"1"', "content-length": String(body.length - from) };
      if (from === 0) return new Response(rest, { headers: common });
      const range = { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` };
      return new Response(rest, { status: 206, headers: { ...common, ...range } });
    },
  });
  return {
    url: `http://127.0.0.1:${half.port}`,
    ranges,
    finish: () => {
      isHalf = false;
    },
    stop: () => half.stop(true),
  };
}

/** Sends the start of one file, then the rest of another as if nothing had happened. */
async function serveCareless(before: Uint8Array, now: Uint8Array) {
  const careless = await serveFiles(
    (count) =>
      count === 0
        ? { body: before, etag: '"old"', cutAfter: 50_000 }
        : { body: now, etag: '"new"', ignoresIfRange: true },
    partBytes,
  );
  return { url: careless.url, requests: careless.requests, stop: careless.close };
}
