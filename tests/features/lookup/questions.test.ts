import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { addressOf, isAllowedGoal } from "../../../src/features/lookup/question.ts";
import { readSources } from "../../../src/features/lookup/source-file.ts";
import { Problem } from "../../../src/http/problem.ts";
import { type Entry, sourceOf, wordsEntry } from "./scripted.ts";

const BASE = "http://127.0.0.1:8080";

function asked(query: string | Record<string, string>, entry: Entry = wordsEntry(BASE)): string {
  return addressOf(sourceOf(entry), new URLSearchParams(query)).href.replace(BASE, "");
}

/** The paths of the errors of a question that is refused. */
function refused(query: string | Record<string, string>, entry?: Entry): string[] {
  try {
    return [`asked ${asked(query, entry)}`];
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "invalid") throw error;
    return error.extras.errors?.map(({ path }) => path) ?? [];
  }
}

const optional = wordsEntry(BASE, {
  paths: {
    entry: {
      template: "/v1/{word}/all",
      parameters: {
        word: { pattern: "[^x]+", characters_max: 5, lower_case: true, space: "_" },
        at: { number: { min: -90, max: 90, decimals: 2 } },
        days: { number: { min: 1, max: 16 }, default: "3" },
        unit: { pattern: "c|f", required: false },
      },
      fixed: { key: "a&b" },
    },
    other: { template: "/other" },
  },
});

describe("a question", () => {
  test("becomes one address, whatever its order and spelling", () => {
    const address = "/v1/ab_c/all?key=a%26b&at=1.24&days=3";
    expect(asked("word=AB+c&at=1.239", optional)).toBe(address);
    expect(asked("at=%2B01.2400&word=+ab++C+&days=3", optional)).toBe(address);
    expect(asked("at=1.241&user_id=7&name=Somebody&path=entry&word=ab%20c", optional)).toBe(
      address,
    );
    expect(asked("unit=f&word=a&at=-0.001&days=16", optional)).toBe(
      "/v1/a/all?key=a%26b&at=0&days=16&unit=f",
    );
    expect(asked("path=other", optional)).toBe("/other");
    // The same letters, composed and not.
    expect(asked({ word: "e\u0301" })).toBe(asked({ word: "\u00e9" }));
  });

  test("names what is missing, unknown, given twice and wrong", () => {
    expect(refused("", optional)).toEqual(["/word", "/at"]);
    expect(refused("word=a&at=0&what=1", optional)).toEqual([""]);
    expect(refused("word=a&word=b&at=0", optional)).toEqual(["/word"]);
    expect(refused("word=abcdef&at=0", optional)).toEqual(["/word"]);
    expect(refused("word=x&at=0", optional)).toEqual(["/word"]);
    expect(refused("word=&at=0", optional)).toEqual(["/word"]);
    expect(refused("word=a&at=0&unit=k", optional)).toEqual(["/unit"]);
    expect(refused("word=a&at=0&key=mine", optional)).toEqual([""]);
    expect(refused("path=none", optional)).toEqual(["/path"]);
    expect(refused("path=__proto__", optional)).toEqual(["/path"]);
    expect(refused("path=other&word=a", optional)).toEqual([""]);
    for (const at of [
      "90.01",
      "-90.01",
      "1e1",
      "0x1",
      "NaN",
      "Infinity",
      "1,5",
      " ",
      "1_0",
      "--1",
    ]) {
      expect(refused({ word: "a", at }, optional)).toEqual(["/at"]);
    }
  });

  test("cannot leave its place in the path", () => {
    for (const word of [
      ".",
      "..",
      " .. ",
      "../admin",
      "..\\admin",
      "a/../../admin",
      "a/./b",
      "%2e%2e",
      "%2E%2e/admin",
      "..%2fadmin",
      "%252e%252e%252fadmin",
      "%25252e%25252e",
      "a%2f..%2fb",
      "%5c..",
      "．．/admin",
      "․․",
      "%c0%ae%c0%ae/",
      "%ff",
      "a\r\nX-Header: 1",
      "a%0d%0aX-Header: 1",
      "a\nb",
      "a\u0000b",
      "a%00",
      "\u0085",
      "a\u2028b",
      "\ud800",
    ]) {
      expect({ word, refused: refused({ word }) }).toEqual({ word, refused: ["/word"] });
    }
  });

  test("is sent encoded where it may look like a part of an address", () => {
    const cases = {
      "AC/DC": "AC%2FDC",
      "a?b=c": "a%3Fb%3Dc",
      "a#b": "a%23b",
      "a&b": "a%26b",
      "a\\b": "a%5Cb",
      "a;b": "a%3Bb",
      "100%": "100%25",
      "50%25": "50%2525",
      "user@host": "user%40host",
      "//evil.example": "%2F%2Fevil.example",
      "http://evil.example/": "http%3A%2F%2Fevil.example%2F",
      "...": "...",
      "a.b": "a.b",
      हिन्दी: "%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80",
      "🦉": "%F0%9F%A6%89",
    };
    for (const [word, path] of Object.entries(cases)) {
      expect(asked({ word })).toBe(`/entries/${path}`);
    }
  });

  test("never reaches anything but its template, whatever is given", () => {
    const bits = fc.constantFrom("..", ".", "/", "\\", "%", "2e", "2f", "5c", "%2e", "a", "?", "#");
    const word = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(bits).map((all) => all.join("")),
    );
    const source = sourceOf(wordsEntry(BASE));
    fc.assert(
      fc.property(word, (word) => {
        let url;
        try {
          url = addressOf(source, new URLSearchParams({ word }));
        } catch (error) {
          if (error instanceof Problem && error.code === "invalid") return;
          throw error;
        }
        expect(url.origin).toBe(BASE);
        expect(url.search).toBe("");
        expect(url.hash).toBe("");
        expect(url.pathname).toMatch(/^\/entries\/[^/]+$/);
        expect(decodeURIComponent(url.pathname.slice("/entries/".length))).toBe(
          word.normalize("NFC").trim(),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe("a redirect's goal", () => {
  const source = sourceOf(wordsEntry(`${BASE}/api`));
  const allows = (goal: string): boolean =>
    isAllowedGoal(source, new URL(goal, `${BASE}/api/entries/owl`));

  test("may be what the source may be asked anyway", () => {
    expect(allows("Owl")).toBe(true);
    expect(allows("/api/entries/Barn%20owl?from=owl")).toBe(true);
    expect(allows(`${BASE}/api/entries/AC%2FDC`)).toBe(true);
  });

  test("may be nothing else", () => {
    for (const goal of [
      "https://127.0.0.1:8080/api/entries/owl",
      "http://127.0.0.1:8081/api/entries/owl",
      "http://127.0.0.1/api/entries/owl",
      "http://localhost:8080/api/entries/owl",
      "http://user:password@127.0.0.1:8080/api/entries/owl",
      "//evil.example/api/entries/owl",
      "\\\\evil.example/api/entries/owl",
      "/admin",
      "/api/entries/",
      "/api/entries/owl/more",
      "../admin",
      "/api/entries/%2e%2e",
      "/api/entries/..%2f..%2fadmin",
      "/api/entries/%ff",
      "file:///etc/passwd",
      "data:application/json,{}",
      "gopher://127.0.0.1:8080/api/entries/owl",
    ]) {
      expect({ goal, allowed: allows(goal) }).toEqual({ goal, allowed: false });
    }
  });
});

describe("the built-in sources", () => {
  test("are asked as their documentation says", async () => {
    const sources = await readSources(null);
    const address = (name: string, query: string): string => {
      const source = sources.get(name);
      if (source === undefined) throw new Error(`there is no ${name}`);
      return addressOf(source, new URLSearchParams(query)).href;
    };
    expect([...sources.keys()]).toEqual(["dictionary", "wikipedia", "wikipedia-hi", "weather"]);
    expect(address("dictionary", "word=Owl")).toBe(
      "https://api.dictionaryapi.dev/api/v2/entries/en/owl",
    );
    expect(address("dictionary", "word=ice+cream")).toBe(
      "https://api.dictionaryapi.dev/api/v2/entries/en/ice%20cream",
    );
    expect(address("wikipedia", "title=Barack+Obama")).toBe(
      "https://en.wikipedia.org/api/rest_v1/page/summary/Barack_Obama",
    );
    expect(address("wikipedia", "title=AC/DC")).toBe(
      "https://en.wikipedia.org/api/rest_v1/page/summary/AC%2FDC",
    );
    expect(address("wikipedia-hi", "title=दिल्ली")).toBe(
      `https://hi.wikipedia.org/api/rest_v1/page/summary/${encodeURIComponent("दिल्ली")}`,
    );
    const weather = new URL(address("weather", "latitude=28.61394&longitude=77.209"));
    expect(weather.origin + weather.pathname).toBe("https://api.open-meteo.com/v1/forecast");
    expect(Object.fromEntries(weather.searchParams)).toMatchObject({
      latitude: "28.61",
      longitude: "77.21",
      forecast_days: "3",
      timezone: "auto",
    });
  });
});
