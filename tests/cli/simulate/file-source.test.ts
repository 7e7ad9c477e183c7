import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ColumnWishes } from "../../../src/cli/simulate/columns.ts";
import { openFileSource } from "../../../src/cli/simulate/file-source.ts";
import {
  type BadLine,
  type SourcePost,
  firstOf,
  isBadLine,
} from "../../../src/cli/simulate/source.ts";
import { temporaryFolder } from "../../support/app.ts";

let folder = "";

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function read(
  file: string | Uint8Array,
  wishes: ColumnWishes = {},
  count = Number.POSITIVE_INFINITY,
): Promise<(SourcePost | BadLine)[]> {
  const path = join(folder, "posts");
  writeFileSync(path, file);
  const source = await openFileSource(path, wishes);
  return Array.fromAsync(firstOf(source.read(), count));
}

async function contents(file: string | Uint8Array): Promise<string[]> {
  return (await read(file)).map((item) =>
    isBadLine(item) ? `${item.line} ${item.reason}` : item.content,
  );
}

const AT = 1_767_225_600_000;

describe("CSV", () => {
  test("has quoted fields with commas, line breaks and quotation marks, and a byte order mark", async () => {
    const file =
      '\uFEFFid,publication,content,published_at\r\n1,Times,"Said ""no"",\r\nthen left",2026-01-01\r\n2,"Post, The",plain,\r\n';
    expect(await read(file)).toEqual([
      {
        content: 'Said "no",\r\nthen left',
        publication: "Times",
        externalId: "1",
        publishedAt: AT,
      },
      { content: "plain", publication: "Post, The", externalId: "2", publishedAt: null },
    ]);
  });

  test("goes on after a bad line, and says which and why", async () => {
    const file =
      'publication,content\nA,one\nA,two,more\nA\n,three\nA,\nA,the "fourth" one\n\nA,"never closed\nA,five\n';
    expect(await contents(file)).toEqual([
      "one",
      "3 not as many fields as the header",
      "4 not as many fields as the header",
      "5 publication is empty",
      "6 content has no text",
      'the "fourth" one',
      "10 a quotation mark is never closed",
    ]);
  });

  test("with an endless record is given up, and says where", async () => {
    const file = `publication,content\nA,one\nA,"${"x".repeat(9 * 1024 * 1024)}\nA,two\n`;
    expect(read(file)).rejects.toThrow(/line 3 is longer than \d+ bytes; is a quotation mark/);
  });

  test("of a header only, or of nothing, has no posts", async () => {
    expect(await contents("publication,content\n")).toEqual([]);
    expect(await contents("")).toEqual([]);
  });
});

describe("JSON", () => {
  test("stands in lines; bad ones are told", async () => {
    const lines = [
      '{"source":"A","text":"one"}',
      "nonsense",
      "[1]",
      '{"source":"A"}',
      "",
      '{"source":7,"text":"\\ud83d\\ude00 \\ud800"}',
    ];
    expect(await contents(lines.join("\n"))).toEqual([
      "one",
      "2 no JSON",
      "3 no JSON object",
      "4 text has no text",
      "😀 \ufffd",
    ]);
  });

  test("may be one array, over many lines", async () => {
    const posts = [
      { publication: "A", content: "one" },
      { publication: "B", content: "two" },
    ];
    expect(await contents(JSON.stringify(posts, null, 2))).toEqual(["one", "two"]);
  });

  test("has fields in fields", async () => {
    const line = JSON.stringify({ data: { body: "one", by: { name: "A" } }, "a.b": "x-1" });
    const found = await read(line, {
      content: "data.body",
      publication: "data.by.name",
      id: "a.b",
    });
    expect(found).toEqual([
      { content: "one", publication: "A", externalId: "x-1", publishedAt: null },
    ]);
  });
});

describe("compressed files", () => {
  const lines = Array.from({ length: 5_000 }, (_, at) =>
    JSON.stringify({ publication: "A", content: `post number ${at}` }),
  ).join("\n");

  test.each([
    ["zstd", Bun.zstdCompressSync(lines)],
    [
      "zstd in two frames",
      Buffer.concat(
        [lines.slice(0, 7_777), lines.slice(7_777)].map((part) => Bun.zstdCompressSync(part)),
      ),
    ],
    ["gzip", Bun.gzipSync(Buffer.from(lines))],
  ])("%s", async (_name, packed) => {
    const found = await contents(packed);
    expect(found).toHaveLength(5_000);
    expect(found.at(-1)).toBe("post number 4999");
  });

  test.each([
    ["zstd", Bun.zstdCompressSync(lines)],
    ["gzip", Bun.gzipSync(Buffer.from(lines))],
  ])("%s that is cut is damaged", async (_name, packed) => {
    expect(read(packed.subarray(0, packed.length - 100))).rejects.toThrow(/the file is damaged/);
  });

  test("need not be read to their end", async () => {
    expect(await read(Bun.zstdCompressSync(lines), {}, 3)).toHaveLength(3);
  });
});

describe("columns", () => {
  const record = { Title: "a title", BODY: "a body", Domain: "A", created_utc: 1_767_225_600 };

  test("are known by their usual names, in any case", async () => {
    expect(await read(JSON.stringify(record))).toMatchObject([
      { content: "a body", publication: "A", publishedAt: AT },
    ]);
    expect(await read(JSON.stringify(record), { content: "title" })).toMatchObject([
      { content: "a title" },
    ]);
  });

  test("that are missing are told together with those there are", () => {
    const columns = 'the columns are "Title", "BODY", "Domain", "created_utc"';
    expect(read(JSON.stringify(record), { id: "uid" })).rejects.toThrow(
      `there is no column "uid"; ${columns}`,
    );
    expect(read("a,b\n1,2\n")).rejects.toThrow(
      'no column looks like the content: name it with --content; the columns are "a", "b"',
    );
  });

  test.each([
    ["2026-01-01T00:00:00Z", AT],
    ["2026-01-01 00:00:00", AT],
    ["2026-01-01T05:30:00+05:30", AT],
    ["Thu, 01 Jan 2026 00:00:00 GMT", AT],
    [1_767_225_600, AT],
    ["1767225600.7", AT + 700],
    ["1767225600000", AT],
    [" ", null],
    [null, null],
  ])("of times: %j", async (date, at) => {
    const found = await read(JSON.stringify({ content: "x", publication: "A", date }));
    expect(found).toMatchObject([{ publishedAt: at }]);
  });

  test.each(["yesterday", true, "-5"])("of times that are none: %j", async (date) => {
    const found = await read(JSON.stringify({ content: "x", publication: "A", date }));
    expect(found).toEqual([{ line: 1, reason: "date is no time" }]);
  });
});

test("without an id a post is known by what it says, wherever it stands", async () => {
  const posts = [
    { publication: "A", content: "one", date: 1 },
    { publication: "A", content: "two", date: 1 },
    { publication: "A", content: "one", date: 2 },
    { publication: "B", content: "one", date: 1 },
  ];
  const ids = async (list: object[]): Promise<string[]> =>
    (await read(JSON.stringify(list))).map((item) => (isBadLine(item) ? "" : item.externalId));
  const first = await ids(posts);
  expect(new Set(first).size).toBe(4);
  expect(await ids(posts.toReversed())).toEqual(first.toReversed());
});

test("a file can be read again, and says about how many posts there are", async () => {
  const path = join(folder, "posts");
  writeFileSync(path, "publication,content\n" + "A,something\n".repeat(100_000));
  const source = await openFileSource(path, {});
  expect(source.total(0)).toBeNull();
  let count = 0;
  for await (const _ of source.read()) {
    count++;
    if (count !== 50_000) continue;
    const total = source.total(count) ?? 0;
    expect(Math.abs(total - 100_000)).toBeLessThan(40_000);
  }
  expect([count, source.total(count)]).toEqual([100_000, 100_000]);
  expect(await Array.fromAsync(firstOf(source.read(), 5))).toHaveLength(5);
});
