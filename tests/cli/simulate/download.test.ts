import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { keepDownloaded } from "../../../src/cli/simulate/download.ts";
import { temporaryFolder } from "../../support/app.ts";
import { type FileAnswer, type FileServer, serveFiles } from "../../support/file-server.ts";

const body = Buffer.from("publication,content\n".padEnd(100_000, "A,something\n"));
const SHA256 = createHash("sha256").update(body).digest("hex");

let folder = "";
let server: FileServer;
let answer: (count: number) => FileAnswer;

beforeEach(async () => {
  folder = temporaryFolder();
  answer = () => ({ body, etag: '"1"' });
  server = await serveFiles((count) => answer(count), partBytes);
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function partBytes(): number {
  const part = readdirSync(folder).find((name) => name.endsWith(".part"));
  return part === undefined ? 0 : statSync(join(folder, part)).size;
}

function keep(hash = "", path = "/posts.csv"): Promise<string> {
  return keepDownloaded({
    address: `${server.url}${path}${hash}`,
    folder,
    retryMs: 1,
    idleMs: 20_000,
    onProgress: () => undefined,
    onRetry: () => undefined,
  });
}

test("a file is downloaded once and kept", async () => {
  const path = await keep();
  expect(readFileSync(path).equals(body)).toBe(true);
  expect(path).toEndWith("-posts.csv");
  expect(await keep()).toBe(path);
  expect(await keep(`#sha256=${SHA256.toUpperCase()}`)).toBe(path);
  expect(server.requests).toHaveLength(1);
  expect(readdirSync(folder).filter((name) => name.includes(".part"))).toEqual([]);
});

test("a download that is cut goes on where it stopped", async () => {
  answer = (count) => ({ body, etag: '"1"', ...(count === 0 && { cutAfter: 30_000 }) });
  expect(readFileSync(await keep()).equals(body)).toBe(true);
  expect(server.requests.map(({ range }) => range)).toEqual([undefined, "bytes=30000-"]);
});

test("a file that is not the one it should be is not kept", async () => {
  const wanted = "0".repeat(64);
  expect(keep(`#sha256=${wanted}`)).rejects.toThrow(`sha256 of the file is ${SHA256}, and not`);
  await keep().catch(() => undefined);
  const kept = await keep();
  expect(readFileSync(kept).equals(body)).toBe(true);
});

test("a kept file that lost its end is downloaded again", async () => {
  const path = await keep();
  await Bun.write(path, "short");
  expect(readFileSync(await keep()).equals(body)).toBe(true);
});

test("addresses that differ in their query only are two files", async () => {
  expect(await keep("", "/posts.csv?page=1")).not.toBe(await keep("", "/posts.csv?page=2"));
});

test("what the server does not have is said, without the secrets of an address", async () => {
  answer = () => ({ body, status: 404 });
  const error = await keep("", "/posts.csv?token=secret").catch((reason: unknown) =>
    String(reason),
  );
  expect(error).toContain("404");
  expect(error).not.toContain("secret");
});

test("only a checksum may follow the address", () => {
  expect(keep("#part2")).rejects.toThrow("only sha256=");
});
