import { afterAll, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSources, readSources } from "../../../src/features/lookup/source-file.ts";
import { ConfigError } from "../../../src/environment.ts";
import { startTestApp, temporaryFolder } from "../../support/app.ts";
import { type Entry, sourceOf, wordsEntry, writeSources } from "./scripted.ts";

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PATH = { template: "/entries/{word}", parameters: { word: { pattern: ".+" } } };

function entry(more: Entry = {}): Entry {
  return { name: "words", base_url: "https://api.example.org", paths: { entry: PATH }, ...more };
}

function mistakeOf(...sources: unknown[]): string {
  try {
    parseSources({ sources });
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "none";
}

const paths = (more: Entry): Entry => ({ paths: { entry: { ...PATH, ...more } } });

describe("a source", () => {
  test("needs little and has careful defaults", () => {
    expect(sourceOf(entry())).toMatchObject({
      origin: "https://api.example.org",
      types: ["application/json"],
      ttlMs: 3_600_000,
      missingMs: 300_000,
      staleMs: 86_400_000,
      failedMs: 5_000,
      timeoutMs: 5_000,
      bytesMax: 262_144,
      callsMax: 8,
      isPrivate: false,
    });
    const { headers } = sourceOf(entry({ headers: { "User-Agent": "Me", "X-Key": "k" } }));
    expect(headers).toEqual({ "user-agent": "Me", accept: "application/json", "x-key": "k" });
  });

  const wrong: [string, Entry, RegExp][] = [
    ["a field that nobody knows", { ttl: 1 }, /^\/sources\/0\/ttl: /],
    ["a time that is no number", { ttl_s: "1" }, /^\/sources\/0\/ttl_s: /],
    ["a name that is no name", { name: "Words!" }, /name must be/],
    ["no path", { paths: {} }, /paths must hold/],
    ["an address that is none", { base_url: "api.example.org" }, /base_url/],
    ["plain http without saying so", { base_url: "http://api.example.org" }, /allow_http/],
    ["another protocol", { base_url: "ftp://api.example.org" }, /must be https/],
    ["a name in the address", { base_url: "https://me@api.example.org" }, /no name and password/],
    ["a password in it", { base_url: "https://a:b@api.example.org" }, /no name and password/],
    ["a query in it", { base_url: "https://api.example.org/?a=b" }, /written plainly/],
    ["a mark in it", { base_url: "https://api.example.org/#a" }, /written plainly/],
    ["dots in it", { base_url: "https://api.example.org/a/../b" }, /written plainly/],
    ["an encoded host", { base_url: "https://ex%61mple.org" }, /written plainly/],
    ["a backslash", { base_url: "https://example.org\\@evil.example" }, /written plainly/],
    ["a host in other letters", { base_url: "https://exämple.org" }, /xn--exmple-cua.org/],
    ["a host in look-alike letters", { base_url: "https://аpple.com" }, /xn--pple-43d.com/],
    ["a host that ends in a dot", { base_url: "https://example.org." }, /end its host in a dot/],
    ["a decimal address", { base_url: "https://2130706433" }, /written plainly.*127\.0\.0\.1/],
    ["a hexadecimal one", { base_url: "https://0x7f.1" }, /written plainly.*127\.0\.0\.1/],
    ["an octal one", { base_url: "https://0177.0.0.1" }, /written plainly.*127\.0\.0\.1/],
    ["one in circled digits", { base_url: "https://①②⑦.⓪.⓪.①" }, /written plainly/],
    ["an address of this machine", { base_url: "https://127.0.0.1" }, /"private": true/],
    ["a private address", { base_url: "https://10.1.2.3:8443" }, /"private": true/],
    ["a private IPv6 address", { base_url: "https://[fd00::1]" }, /"private": true/],
    ["the clouds' own service", { base_url: "https://169.254.169.254" }, /never asked/],
    ["IPv4 within IPv6", { base_url: "https://[::ffff:7f00:1]" }, /never asked/],
    [
      "the clouds' own service even if private",
      { base_url: "http://169.254.169.254", private: true, allow_http: true },
      /never asked/,
    ],
    ["a page as its answer", { content_types: ["text/html"] }, /content_types may be/],
    ["a picture with scripts", { content_types: ["image/svg+xml"] }, /content_types may be/],
    ["a header of the connection", { headers: { Host: "evil" } }, /header "Host" may not/],
    ["two headers in one", { headers: { "x-a": "b\r\nx-c: d" } }, /x-a must be plain/],
    ["a header's name that is none", { headers: { "x a": "b" } }, /may not be set/],
    ["a template of a place further up", paths({ template: "/../{word}" }), /hold \. or \.\./],
    ["a template with a query", paths({ template: "/{word}?a=b" }), /plain characters/],
    ["a template with encoding", paths({ template: "/%2e%2e/{word}" }), /plain characters/],
    ["a template without a slash", paths({ template: "entries/{word}" }), /begin with \//],
    ["a parameter within a word", paths({ template: "/x{word}" }), /fill the place/],
    ["a place that nobody fills", paths({ template: "/{other}" }), /\{other\} is not among/],
    [
      "a parameter with our name",
      paths({ template: "/x", parameters: { user_id: { pattern: "." } } }),
      /may not be called "user_id"/,
    ],
    [
      "a pattern that is none",
      paths({ parameters: { word: { pattern: "(" } } }),
      /not a regular expression/,
    ],
    ["a pattern and a number", paths({ parameters: { word: {} } }), /a pattern or a number/],
    [
      "a default that does not fit",
      paths({ parameters: { word: { pattern: "a+", default: "b" } } }),
      /default does not fit/,
    ],
    [
      "a place that may be left out",
      paths({ parameters: { word: { pattern: "a+", required: false } } }),
      /cannot be left out/,
    ],
    ["what is fixed and asked", paths({ fixed: { word: "a" } }), /both fixed and a parameter/],
  ];
  for (const [what, more, message] of wrong) {
    test(`must not have ${what}`, () => {
      const mistake = mistakeOf(entry(more));
      expect(mistake).toMatch(message);
      expect(mistake).not.toContain("\n");
    });
  }

  test("that is private on purpose may stand on this machine", () => {
    for (const base_url of ["http://127.0.0.1:8080", "http://[::1]:8080/api", "http://10.0.0.1"]) {
      expect(mistakeOf(wordsEntry(base_url))).toBe("none");
    }
  });

  test("must not be there twice", () => {
    expect(mistakeOf(entry(), entry())).toBe("words is there twice");
  });

  test("has no secret told when it is wrong", () => {
    const secret = "a very secret key";
    const mistakes = [
      mistakeOf(entry({ headers: { authorization: `${secret}\n` } })),
      mistakeOf(entry({ headers: { authorization: [secret] } })),
      mistakeOf(entry({ base_url: `https://user:${secret.replaceAll(" ", "-")}@example.org` })),
    ];
    for (const mistake of mistakes) {
      expect(mistake).not.toBe("none");
      expect(mistake).not.toContain("secret");
    }
  });
});

describe("PUBLIC_SOURCES", () => {
  test("names a file; what is wrong with it is one line that names the setting", async () => {
    const file = join(folder, "file.json");
    const messageOf = async (text: string | null): Promise<string> => {
      if (text !== null) writeFileSync(file, text);
      const path = text === null ? join(folder, "nowhere.json") : file;
      const error: unknown = await readSources(path).catch((error: unknown) => error);
      if (!(error instanceof ConfigError)) throw new Error("nothing is wrong");
      expect(error.message).toMatch(/^PUBLIC_SOURCES: [^\n]+$/);
      return error.message;
    };
    expect(await messageOf(null)).toContain("cannot be read (ENOENT)");
    expect(await messageOf('{"sources": [ "a secret" ')).toContain("is not valid JSON");
    expect(await messageOf("[]")).toContain("the file: ");
    expect(await messageOf('{"sources": 1}')).toContain("/sources: ");
    expect(await messageOf(`{"sources": [], "x": "${"y".repeat(1024 * 1024)}"}`)).toContain(
      "may have 1048576 bytes",
    );
    writeFileSync(file, '\uFEFF{"sources": []}');
    expect((await readSources(file)).size).toBe(0);
  });

  test("that is wrong stops the start", async () => {
    const { folder: own, path } = writeSources(entry({ base_url: "https://127.0.0.1" }));
    try {
      const start = startTestApp({ PUBLIC_SOURCES: path });
      const error: unknown = await start.catch((error: unknown) => error);
      expect(String(error)).toContain('PUBLIC_SOURCES: "words": base_url leads to a private');
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  });
});
