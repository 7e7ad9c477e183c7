import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { simulate } from "../../src/cli/simulate.ts";
import type { Environment } from "../../src/environment.ts";
import { type TestApp, startTestApp, temporaryFolder } from "../support/app.ts";
import { type Run, endOf, runCommand } from "../support/command.ts";
import { serveFiles } from "../support/file-server.ts";
import { runEarshot, startTestServer } from "../support/server.ts";

const NEWS = join(import.meta.dir, "../../../shared/data/posts/news-links-100k.jsonl.zst");

let server: TestApp;
let folder = "";

beforeAll(async () => {
  server = await startTestApp();
});

afterAll(() => server.stop());

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(args: string[], settings: Environment = {}): Promise<Run> {
  return runCommand(simulate, ["--url", server.url, "--patience", "20", ...args], {
    XDG_CACHE_HOME: join(folder, "cache"),
    ...settings,
  });
}

describe("with a server", () => {
  test("made-up posts are counted as they should be, and a second run adds none", async () => {
    const first = await run(["--count", "300", "--check"]);
    expect(first.err).not.toContain("has");
    expect(first.out).toMatch(
      /^sent 300, already there 0, rejected 0, bad lines 0, [\d.]+ s, \d+ posts\/s\n/,
    );
    expect(first.out).toMatch(
      /checked: 300 posts, \d\d publications, \d{3,4} topics, 0 differences\n$/,
    );
    expect(first.code).toBe(0);
    const second = await run(["--count", "300", "--bulk", "--check"]);
    expect(second.out).toStartWith("sent 0, already there 300,");
    expect(second.code).toBe(0);
  });

  test("a publication that is told something else meanwhile is found out", async () => {
    const name = "The Interrupted";
    const file = join(folder, "posts.csv");
    writeFileSync(file, `publication,content\n${name},Angela Merkel flew to Paris.\n`);
    const other = { publication: name, content: "Paris is large.", external_id: "other" };
    const answer = await fetch(`${server.url}/v1/posts`, {
      method: "POST",
      body: JSON.stringify(other),
      headers: { "content-type": "application/json" },
    });
    expect(answer.status).toBe(201);
    const { code, err, out } = await run([file, "--check"]);
    expect(err).toContain(name);
    expect(out).toContain("checked: 1 posts, 1 publications, 2 topics");
    expect(code).toBe(1);
  });

  test("a file from the web, with bad lines and a post that is too long", async () => {
    const body = Buffer.from(
      `site,words\nweb-a,Paris\nweb-a\nweb-a,${"x".repeat(100_001)}\nweb-b,"London, Rome"\n`,
    );
    const files = await serveFiles(() => ({ body: Bun.gzipSync(body), etag: '"1"' }));
    try {
      const args = [`${files.url}/posts.csv.gz`, "--content", "words", "--check"];
      const { code, err, out } = await run(args);
      expect(err).toContain("line 3: not as many fields as the header");
      expect(err).toContain('rejected ["web-a","text-');
      expect(out).toStartWith("sent 2, already there 0, rejected 1, bad lines 1,");
      expect(out).toContain("checked: 2 posts, 2 publications,");
      expect(out).toContain("0 differences");
      expect(code).toBe(1);
      expect((await run(args)).out).toStartWith("sent 0, already there 2, rejected 1");
      expect(files.requests).toHaveLength(1);
    } finally {
      await files.close();
    }
  });

  test("columns that are not there are wrong usage", async () => {
    writeFileSync(join(folder, "posts.jsonl"), '{"a":1,"b":2}\n');
    const { code, err } = await run([join(folder, "posts.jsonl")]);
    expect(err).toContain(
      'no column looks like the content: name it with --content; the columns are "a", "b"',
    );
    expect(code).toBe(2);
  });

  test("a key that is none is said", async () => {
    const { code, err } = await run(["--count", "1"], { EARSHOT_KEY: "nonsense" });
    expect(err).toContain("the service answers 401");
    expect(err).not.toContain("nonsense");
    expect(code).toBe(1);
  });

  const hasNews = existsSync(NEWS);
  test.skipIf(!hasNews)(`real titles${hasNews ? "" : " (needs ../shared)"}`, async () => {
    const { code, out } = await run([NEWS, "--count", "200", "--bulk", "--check"]);
    expect(out).toMatch(/checked: 200 posts, \d+ publications, \d+ topics, 0 differences\n$/);
    expect(code).toBe(0);
  });
});

/** What a dead server had leased is worked only when its lease is over. */
const LEASES_MS = 120_000;

async function killAndReturn(): Promise<void> {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => undefined },
  });
  const settings = { PORT: String(listener.port) };
  listener.stop(true);
  let mortal = await startTestServer(settings, folder);
  try {
    const child = runEarshot(["simulate", "--url", mortal.url, "--count", "600", "--check"]);
    const ended = endOf(child);
    while ((await acceptedPosts(mortal.url)) < 200) await Bun.sleep(10);
    await mortal.dispose();
    mortal = await startTestServer(settings, folder);
    const { code, out } = await ended;
    expect(out).toStartWith("sent 600, already there 0, rejected 0,");
    expect(out).toMatch(/checked: 600 posts, \d+ publications, \d+ topics, 0 differences\n$/);
    expect(code).toBe(0);
  } finally {
    await mortal.dispose();
  }
}

test("a server that is killed and comes back has every post, once", killAndReturn, LEASES_MS);

async function acceptedPosts(url: string): Promise<number> {
  const answer = await fetch(`${url}/v1/queue`);
  const { queued, leased, done } = (await answer.json()) as Record<string, number>;
  return (queued ?? 0) + (leased ?? 0) + (done ?? 0);
}

test("what makes no sense is wrong usage", async () => {
  const { code, err } = await run(["--count", "0"]);
  expect(err).toContain("--count has to be a whole number from 1");
  expect(err).toContain("usage: earshot simulate");
  expect(code).toBe(2);
});

test("a file that is not there is said", async () => {
  const { code, err } = await run(["missing.csv"]);
  expect(err).toContain("missing.csv");
  expect(code).toBe(1);
});
