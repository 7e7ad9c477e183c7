import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import * as fc from "fast-check";
import {
  BrokenArray,
  RECORD_BYTES_MAX,
  type StreamedRecord,
  readRecords,
} from "../../../src/features/topics/records.ts";
import { type TestApp, temporaryFolder, until } from "../../support/app.ts";
import { createRandom, cutRandomly } from "../../support/random.ts";
import {
  answerOf,
  drained,
  ndjson,
  rowsIn,
  send,
  sendBulk,
  startToldApp,
  talkOf,
} from "../../support/topics.ts";

setDefaultTimeout(30_000);

const CONTENT_MAX = 100_000;
const REJECTED_TOLD_MAX = 1_000;

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function* pieces(all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  // One buffer for all of them, as some streams do it: what was given is soon overwritten.
  const shared = new Uint8Array(Math.max(1, ...all.map(({ length }) => length)));
  for (const piece of all) {
    shared.set(piece);
    yield shared.subarray(0, piece.length);
    shared.fill(0x21);
  }
}

type Read = (Pick<StreamedRecord, "line"> & { json: string | null })[] | string;

/** The records of a stream, each without the spaces around it, or why it broke off. */
async function read(all: readonly Uint8Array[]): Promise<Read> {
  const records = [];
  try {
    for await (const { line, json } of readRecords(pieces(all))) {
      records.push({ line, json: json?.trim() ?? null });
    }
  } catch (error) {
    if (!(error instanceof BrokenArray)) throw error;
    return `${JSON.stringify(records)} then broken`;
  }
  return records;
}

const readText = (text: string): Promise<Read> => read([bytesOf(text)]);

describe("a stream of records", () => {
  test.each<[string, string, [number, string][]]>([
    ["nothing", "", []],
    ["only spaces", " \r\n\n\t", []],
    ["one line without an end", "{}", [[1, "{}"]]],
    [
      "lines",
      '{"a":1}\n{"b":2}\n',
      [
        [1, '{"a":1}'],
        [2, '{"b":2}'],
      ],
    ],
    [
      "lines with carriage returns",
      "{}\r\n[1]\r\n",
      [
        [1, "{}"],
        [2, "[1]"],
      ],
    ],
    [
      "empty lines, which count",
      "{}\n\n \n{}\n\n",
      [
        [1, "{}"],
        [4, "{}"],
      ],
    ],
    [
      "empty lines before the first, which count as well",
      "\n\r\n{}\nx",
      [
        [3, "{}"],
        [4, "x"],
      ],
    ],
    [
      "a byte order mark",
      "\ufeff{}\n{}",
      [
        [1, "{}"],
        [2, "{}"],
      ],
    ],
    ["a byte order mark before an array", "\ufeff [1]", [[1, "1"]]],
    [
      "lines that are no JSON",
      "no\n}{\n",
      [
        [1, "no"],
        [2, "}{"],
      ],
    ],
    ["an empty array", " [ \n ] \n", []],
    [
      "an array",
      '[{"a":1},\n {"b":2} ]',
      [
        [1, '{"a":1}'],
        [2, '{"b":2}'],
      ],
    ],
    [
      "arrays in an array",
      "[[1,[2]],[3]]",
      [
        [1, "[1,[2]]"],
        [2, "[3]"],
      ],
    ],
    [
      "quotes, brackets and commas in text",
      String.raw`["a,\"]}", "\\", {"k]":"v,[{\\\""}]`,
      [
        [1, String.raw`"a,\"]}"`],
        [2, String.raw`"\\"`],
        [3, String.raw`{"k]":"v,[{\\\""}`],
      ],
    ],
    [
      "elements that are no objects",
      "[1,null,true]",
      [
        [1, "1"],
        [2, "null"],
        [3, "true"],
      ],
    ],
    ["a line that begins with an array comes as an array", "[1]", [[1, "1"]]],
  ])("of %s", async (_, text, records) => {
    expect(await readText(text)).toEqual(records.map(([line, json]) => ({ line, json })));
  });

  test.each([
    "[",
    '[{"a":1}',
    '[{"a":1},',
    '["a]',
    '["a\\"]',
    "[[1]",
    "[1] x",
    "[1][2]",
    "[1]\n[2]",
    "[1]]",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[1}",
    '[{"a":1}}',
    '[{"a":1}}]',
  ])("that begins like an array and does not end like one is broken: %j", async (text) => {
    expect(await readText(text)).toContain("then broken");
  });

  test("gives what came before the place where an array breaks", async () => {
    expect(await readText('[{"a":1},{"b":2},')).toBe(
      '[{"line":1,"json":"{\\"a\\":1}"},{"line":2,"json":"{\\"b\\":2}"}] then broken',
    );
  });

  test("is the same however it is cut", async () => {
    const json = fc.json({ stringUnit: "binary" });
    const spaces = fc.constantFrom("", " ", "\r\n", "\n\n", "\t");
    const lines = fc
      .array(fc.tuple(spaces, json), { maxLength: 8 })
      .map((all) => all.map(([space, text]) => `${space}${text}\n`).join(""));
    const arrays = fc
      .array(fc.tuple(spaces, json, spaces), { maxLength: 8 })
      .map((all) => `[${all.map((parts) => parts.join("")).join(",")}]`);
    const broken = fc
      .tuple(arrays, fc.nat())
      .map(([text, at]) => text.slice(0, at % (text.length + 1)));
    const noise = fc
      .array(fc.constantFrom(...'[]{},:"\\ \n\ra1é😀'), { maxLength: 40 })
      .map((all) => all.join(""));
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.constantFrom("", "\ufeff", "\n"), fc.oneof(lines, arrays, broken, noise)),
        fc.integer(),
        fc.integer({ min: 1, max: 9 }),
        async ([start, text], seed, lengthMax) => {
          const all = bytesOf(start + text);
          const cut = cutRandomly(all, createRandom(seed), lengthMax);
          const single = Array.from(all, (byte) => Uint8Array.of(byte));
          const whole = await read([all]);
          expect(await read(cut)).toEqual(whole);
          expect(await read(single)).toEqual(whole);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });

  test("an array gives the values that JSON itself reads from it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 10 }),
        fc.nat(3),
        async (values, indent) => {
          const records = await readText(JSON.stringify(values, null, indent));
          if (typeof records === "string") throw new Error(records);
          expect(records.map(({ json }) => JSON.parse(json ?? ""))).toEqual(
            JSON.parse(JSON.stringify(values)) as unknown[],
          );
          expect(records.map(({ line }) => line)).toEqual(values.map((__, at) => at + 1));
        },
      ),
      { seed: 6, numRuns: 200 },
    );
  });

  test.each(["\n", ","])(
    "passes over a record past the limit, and no other (%j)",
    async (between) => {
      const [open, close] = between === "," ? ["[", "]"] : ["", ""];
      const longest = `"${"a".repeat(RECORD_BYTES_MAX - 2)}"`;
      const longer = `"${"a".repeat(RECORD_BYTES_MAX - 1)}"`;
      const all = bytesOf(`${open}${["1", longest, longer, "2"].join(between)}${close}`);
      for (const cut of [[all], cutRandomly(all, createRandom(7), 100_000)]) {
        expect(await read(cut)).toEqual([
          { line: 1, json: "1" },
          { line: 2, json: longest },
          { line: 3, json: null },
          { line: 4, json: "2" },
        ]);
      }
    },
  );
});

describe("a bulk of posts", () => {
  let app: TestApp;
  let names = 0;
  const newPublication = (): string => `publication ${++names}`;
  beforeAll(async () => {
    app = await startToldApp();
  });
  afterAll(() => app.stop());

  const postsOf = (publication: string): number =>
    rowsIn<{ posts: number }>(
      app.folder,
      `SELECT count(*) AS posts FROM posts JOIN publications AS p ON p.id = publication_id WHERE name = '${publication}'`,
    )[0]?.posts ?? 0;

  test("is taken in as NDJSON and as an array, once each by external_id", async () => {
    const publication = newPublication();
    const posts = Array.from({ length: 250 }, (_, at) => ({
      content: "PER Ada",
      publication,
      external_id: String(at % 240),
    }));
    const lines = await sendBulk(app, ndjson(posts));
    expect(lines).toMatchObject({
      status: 201,
      json: { accepted: 240, duplicates: 10, rejected: [], rejected_count: 0 },
    });
    const array = await sendBulk(app, JSON.stringify(posts), {
      "content-type": "application/json",
    });
    expect(array).toMatchObject({ status: 201, json: { accepted: 0, duplicates: 250 } });
    await drained(app);
    expect(await talkOf(app, publication)).toEqual(["PER Ada: 240"]);
  });

  test.each([
    "application/x-ndjson",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/octet-stream",
    "",
  ])("is read for what it is, whatever its type says: %j", async (type) => {
    const publication = newPublication();
    const post = { content: "PER Ada", publication };
    for (const text of [ndjson([post, post]), JSON.stringify([post, post])]) {
      const init = {
        method: "POST",
        body: bytesOf(text),
        headers: type === "" ? {} : { "content-type": type },
      };
      const answer = await answerOf(await fetch(`${app.url}/v1/posts/bulk`, init));
      expect(answer).toMatchObject({ status: 201, json: { accepted: 2 } });
    }
  });

  test("tells which lines it rejected, and why, and takes in the others", async () => {
    const publication = newPublication();
    const post = { content: "PER Ada", publication };
    const long = { ...post, content: "a".repeat(CONTENT_MAX + 1) };
    const huge = { ...post, content: "a".repeat(RECORD_BYTES_MAX) };
    const records = [post, "text", 7, null, { ...post, extra: 1 }, long, huge, post];
    const text = ndjson(records).replace('"text"', "no JSON");
    const rejected = [2, 3, 4, 5].map((line) => ({ line, code: "invalid" }));
    const large = [6, 7].map((line) => ({ line, code: "too_large" }));
    expect(await sendBulk(app, text)).toMatchObject({
      status: 201,
      json: { accepted: 2, duplicates: 0, rejected: [...rejected, ...large], rejected_count: 6 },
    });
    expect(await sendBulk(app, JSON.stringify(records))).toMatchObject({
      status: 201,
      json: { accepted: 2, duplicates: 0, rejected: [...rejected, ...large], rejected_count: 6 },
    });
    expect(postsOf(publication)).toBe(4);
  });

  test("counts all that it rejects and names the first thousand", async () => {
    const { status, json } = await sendBulk(app, "x\n".repeat(REJECTED_TOLD_MAX + 5));
    expect(status).toBe(201);
    expect(json["rejected_count"]).toBe(REJECTED_TOLD_MAX + 5);
    expect((json["rejected"] as { line: number }[]).map(({ line }) => line)).toEqual(
      Array.from({ length: REJECTED_TOLD_MAX }, (_, at) => at + 1),
    );
  });

  test("may write every character of the longest post as an escape", async () => {
    const publication = newPublication();
    const escaped = JSON.stringify("😀")
      .replace("😀", String.raw`\ud83d\ude00`)
      .slice(1, -1);
    const content = escaped.repeat(CONTENT_MAX);
    const text = `{"publication":"${publication}","content":"${content}"}`;
    expect(await sendBulk(app, text)).toMatchObject({ status: 201, json: { accepted: 1 } });
    expect(await sendBulk(app, text.replace(escaped, `a${escaped}`))).toMatchObject({
      json: { rejected: [{ line: 1, code: "too_large" }] },
    });
  });

  test.each(["", "\n\n", "[]", "\ufeff"])("may hold nothing: %j", async (text) => {
    const nothing = { accepted: 0, duplicates: 0, rejected: [], rejected_count: 0 };
    expect(await sendBulk(app, text)).toMatchObject({ status: 201, json: nothing });
  });

  test("that breaks off is 422 and tells what was taken in before", async () => {
    const publication = newPublication();
    const posts = Array.from({ length: 230 }, () => ({ content: "PER Ada", publication }));
    for (const end of [",", ",{", "] x", "}"]) {
      const before = postsOf(publication);
      const { status, json } = await sendBulk(app, JSON.stringify(posts).slice(0, -1) + end);
      expect({ status, code: json["code"] }).toEqual({ status: 422, code: "invalid" });
      expect(Number(json["accepted"])).toBeGreaterThanOrEqual(200);
      expect(json).toMatchObject({ duplicates: 0, rejected: [], rejected_count: 0 });
      expect(postsOf(publication) - before).toBe(Number(json["accepted"]));
    }
  });

  test("that is compressed is refused, as its bytes would be taken for bad lines", async () => {
    const body = Bun.gzipSync(bytesOf(ndjson([{ content: "a", publication: "p" }])));
    const { status, json } = await sendBulk(app, body, { "content-encoding": "gzip" });
    expect([status, json["code"]]).toEqual([422, "invalid"]);
    expect(String(json["detail"])).toContain("Content-Encoding");
    const plain = await sendBulk(app, "", { "content-encoding": "Identity" });
    expect(plain.status).toBe(201);
  });

  test("is taken in piece by piece while it is still being sent", async () => {
    const publication = newPublication();
    const posts = Array.from({ length: 1_000 }, (_, at) => ({
      content: `PER Ada\nभाषा ${at}`,
      publication,
    }));
    const cuts = cutRandomly(bytesOf(ndjson(posts)), createRandom(3), 20_000);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const piece = cuts[sent++];
        if (piece === undefined) return controller.close();
        if (piece.length > 0) controller.enqueue(piece);
        // The first half waits for its posts to be there before the rest is sent.
        if (sent === cuts.length >> 1) await until(() => postsOf(publication) >= 300);
      },
    });
    expect(await sendBulk(app, body)).toMatchObject({ status: 201, json: { accepted: 1_000 } });
    expect(postsOf(publication)).toBe(1_000);
    await drained(app);
    expect(await talkOf(app, publication)).toEqual(["PER Ada: 1000"]);
  });

  test("whose client hangs up in the middle keeps what was taken in, and nothing else happens", async () => {
    const publication = newPublication();
    const posts = Array.from({ length: 450 }, () => ({ content: "PER Ada", publication }));
    for (const encoding of ["transfer-encoding: chunked", "content-length: 1000000"]) {
      const before = postsOf(publication);
      const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
      const text = ndjson(posts).slice(0, -20);
      const chunk = encoding.startsWith("transfer")
        ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
        : text;
      socket.write(
        `POST /v1/posts/bulk HTTP/1.1\r\nhost: 127.0.0.1:${app.port}\r\n${encoding}\r\n\r\n${chunk}`,
      );
      await until(() => postsOf(publication) - before >= 400);
      socket.destroy();
      await drained(app);
      expect(postsOf(publication) - before).toBeLessThan(450);
    }
    await send(app, { content: "PER Grace", publication });
    await drained(app);
    const kept = postsOf(publication) - 1;
    expect(await talkOf(app, publication)).toEqual([`PER Ada: ${kept}`, "PER Grace: 1"]);
    expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test("into a queue that becomes full is 429 and tells what was taken in", async () => {
    const folder = temporaryFolder();
    const gate = join(folder, "open");
    const small = await startToldApp({ QUEUED_POSTS_MAX: "200" });
    const posts = Array.from({ length: 500 }, (_, at) => ({
      content: at === 0 ? `gate ${gate}` : "PER Ada",
      publication: "p",
      external_id: String(at),
    }));
    const full = await sendBulk(small, `no JSON\n${ndjson(posts)}`);
    expect(full).toMatchObject({
      status: 429,
      json: {
        code: "queue_full",
        accepted: 200,
        duplicates: 0,
        rejected: [{ line: 1, code: "invalid" }],
        rejected_count: 1,
      },
    });
    expect(Number(full.retryAfter)).toBeGreaterThan(0);
    expect(rowsIn(small.folder, "SELECT id FROM posts")).toHaveLength(200);
    writeFileSync(gate, "");
    await drained(small);
    let again = await sendBulk(small, ndjson(posts));
    while (again.status === 429) {
      await drained(small);
      again = await sendBulk(small, ndjson(posts));
    }
    expect(Number(again.json["accepted"]) + Number(again.json["duplicates"])).toBe(500);
    await drained(small);
    expect(await talkOf(small, "p")).toEqual(["PER Ada: 499"]);
    await small.stop();
    rmSync(folder, { recursive: true });
  });

  test("under way when the server stops is 503 and tells what was taken in", async () => {
    const stopping = await startToldApp();
    const posts = Array.from({ length: 250 }, (_, at) => ({
      content: "PER Ada",
      publication: "p",
      external_id: String(at),
    }));
    let stopped: Promise<void> | undefined;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        controller.enqueue(bytesOf(ndjson(posts)));
        if (stopped !== undefined) return controller.close();
        await until(() => rowsIn(stopping.folder, "SELECT id FROM posts").length >= 200);
        stopped = stopping.stop();
      },
    });
    const { status, json, retryAfter } = await sendBulk(stopping, body);
    expect({ status, code: json["code"] }).toEqual({ status: 503, code: "draining" });
    expect(json).toMatchObject({ accepted: 200, duplicates: 0, rejected_count: 0 });
    expect(retryAfter).not.toBeNull();
    await stopped;
  });
});
