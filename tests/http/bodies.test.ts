import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseJsonText } from "../../src/http/json-text.ts";
import { type TestApp, startTestApp } from "../support/app.ts";

const LOGIN = "/v1/auth/login";
const SAVE = "/v1/transcriptions/save";
/** A route that needs no body, and knows no transcription of the number. */
const SUMMARY = "/v1/transcriptions/999999/summary";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

/** Sends a body as bytes, of told length or chunk by chunk. */
function send(
  path: string,
  body: string,
  contentType: string | null = "application/json",
  isChunked = false,
): Promise<Response> {
  const bytes = new Uint8Array(Buffer.from(body));
  return fetch(app.url + path, {
    method: "POST",
    headers: contentType === null ? {} : { "content-type": contentType },
    body: isChunked ? new Blob([bytes]).stream() : bytes,
  });
}

const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, at) => `"k${at}":1`).join(",")}}`;

describe("a body that would keep the server busy", () => {
  const cases: [string, string][] = [
    ["7,000 levels", nested(7_000)],
    ["500,000 levels", nested(500_000)],
    ["objects in objects", `${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`],
    ["a deep field among others", `{"name":"a","password":"b","x":${nested(2_000)}}`],
    ["levels that never close", "[".repeat(200_000)],
    ["300,000 numbers", `[${"1,".repeat(300_000)}1]`],
    ["300,000 objects", `[${"{},".repeat(300_000)}{}]`],
    ["100,000 keys", keys(100_000)],
  ];

  test.each(cases)("is refused before anything is made of it: %s", async (_, body) => {
    for (const path of [LOGIN, "/v1/auth/logout", SAVE]) {
      for (const isChunked of [false, true]) {
        const answer = await send(path, body, "application/json", isChunked);
        expect([413, 422]).toContain(answer.status);
        const { code, detail } = (await answer.json()) as { code: string; detail: string };
        expect(code).toBe(answer.status === 413 ? "too_large" : "invalid");
        // Not by the route's schema, which is looked at later.
        expect(detail).not.toContain("as described");
      }
    }
  });

  test("is none of the server's errors", () => {
    expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});

test("who is not signed in may send 16 KB, all that a name and a password can need", async () => {
  for (const name of ["register", "login", "refresh", "logout"]) {
    for (const isChunked of [false, true]) {
      for (const path of [`/v1/auth/${name}`, `/v1/auth/${name}/`]) {
        const body = JSON.stringify({ name: "x".repeat(16 * 1024) });
        const answer = await send(path, body, "application/json", isChunked);
        expect([path, answer.status]).toEqual([path, 413]);
      }
    }
  }
  const escape = (text: string): string => text.replaceAll("x", "\\ud83d\\ude00");
  const longest = `{"name":"${escape("x".repeat(100))}","password":"${escape("x".repeat(200))}"}`;
  expect((await send(LOGIN, longest)).status).toBe(401);
});

describe("JSON", () => {
  test("is known by its media type in any case, and with space around it", async () => {
    for (const type of [
      "APPLICATION/JSON",
      "Application/Json; Charset=UTF-8",
      "application/json ; charset=utf-8",
    ]) {
      expect([type, (await send(SUMMARY, '{"sentences":0}', type)).status]).toEqual([type, 422]);
      expect([type, (await send(SUMMARY, '{"sentences":2}', type)).status]).toEqual([type, 404]);
    }
  });

  test("is all that routes take, also where they need no body", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "text/json", null]) {
      for (const path of [SUMMARY, SAVE, LOGIN]) {
        const answer = await send(path, "{}", type);
        expect([type, path, answer.status]).toEqual([type, path, 422]);
        expect(await answer.json()).toMatchObject({
          code: "invalid",
          detail: "The body must be application/json",
        });
      }
    }
    expect((await fetch(app.url + SUMMARY, { method: "POST" })).status).toBe(404);
    // A route that takes no body does not look at one.
    const left = await fetch(`${app.url}/v1/transcriptions/999999`, {
      method: "DELETE",
      headers: { "content-type": "text/plain" },
      body: "x",
    });
    expect(left.status).toBe(404);
  });

  test("may begin with a byte order mark, however its length is told", async () => {
    for (const isChunked of [false, true]) {
      const answer = await send(SUMMARY, "\ufeff{}", "application/json", isChunked);
      expect(answer.status).toBe(404);
    }
  });

  test("is read as the parser reads it, whatever stands in its strings", () => {
    const texts = [
      "[[[{]}]",
      '"\\\\"',
      '{"a":"\\\\","b":"\\"[[[\\\\\\"","c":["]}"]}',
      JSON.stringify({ said: `${"[".repeat(200)}"${"{,".repeat(20_000)}\\`, more: ['\\"', "\\"] }),
      JSON.stringify(Array.from({ length: 60 }).reduce<unknown>((inner) => [inner, "\\"], {})),
      `"${"x".repeat(100)}`,
      `"${"x".repeat(100)}\\"`,
    ];
    const read = (parse: (text: string) => unknown, text: string): unknown => {
      try {
        return { value: parse(text) };
      } catch (error) {
        return error instanceof SyntaxError ? "no JSON" : error;
      }
    };
    for (const text of texts) expect(read(parseJsonText, text)).toEqual(read(JSON.parse, text));
  });
});
