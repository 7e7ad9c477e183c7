import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPostService } from "../../src/features/topics/posts.ts";
import { type TestApp, startTestApp } from "../support/app.ts";
import { type TestSocket, openSocket } from "../support/socket.ts";

// JSON that is short to write and long to read, wherever somebody may send JSON besides whole bodies.

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const keys = (count: number, nameOf: (at: number) => string | number): string =>
  `{${Array.from({ length: count }, (_, at) => `"${nameOf(at)}":1`).join(",")}}`;

const DEEP = "JSON may be nested 64 levels deep";
const MANY = "This JSON may hold 1000 values";
/** Each stands in a field, and says by which word it is refused. */
const shapes: [string, string, string][] = [
  ["20,000 levels", nested(20_000), DEEP],
  ["levels that never close", "[".repeat(40_000), DEEP],
  ["objects in objects", `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`, DEEP],
  ["prototypes in prototypes", `${'{"__proto__":'.repeat(3_000)}1${"}".repeat(3_000)}`, DEEP],
  ["30,000 numbers", `[${"1,".repeat(30_000)}1]`, MANY],
  ["20,000 objects", `[${"{},".repeat(20_000)}{}]`, MANY],
  ["6,000 keys", keys(6_000, (at) => `k${at}`), MANY],
  ["4,000 keys that count", keys(4_000, (at) => 4_000_000_000 - 7 * at), MANY],
  ["9,000 times the same key", keys(9_000, () => "x"), MANY],
];

describe("a frame that would keep the server busy", () => {
  const doors: [string, string][] = [
    ["/v1/ws/chat", '{"type":"say","room":"r","client_id":"1","text":'],
    ["/v1/ws/chat", '{"type":"ping","ref":'],
    ["/v1/ws/transcription", '{"user_id":1,"language":"en","audio":'],
    ["/v1/ws/transcription", '{"type":"start","encoding":'],
  ];

  test.each(doors)("is refused before anything is made of it: %s %s", async (path, start) => {
    const socket = await openSocket(app.wsUrl + path);
    for (const [, value, message] of shapes) {
      socket.sendRaw(`${start}${value}}`);
      expect(await socket.next("error")).toMatchObject({ code: "bad_request", message });
    }
    await expectOpen(socket);
  });

  test("is told of a wrong field by the beginning of its name", async () => {
    for (const [path, start] of doors.slice(1)) {
      const socket = await openSocket(app.wsUrl + path);
      socket.sendRaw(`${start}"x","${"😀".repeat(10_000)}":1}`);
      const { code, message } = await socket.next("error");
      expect(code).toBe("bad_request");
      expect(String(message).length).toBeLessThan(500);
      await expectOpen(socket);
    }
  });

  async function expectOpen(socket: TestSocket): Promise<void> {
    socket.send({ type: "ping", ref: "still there" });
    expect(await socket.next("pong")).toMatchObject({ ref: "still there" });
    socket.close();
    await socket.closed;
  }
});

describe("a record of a bulk that would keep the server busy", () => {
  const record = (id: string): string => `{"content":"x","publication":"p","external_id":${id}}`;
  // In an array one that never closes would be all that follows.
  const closed = shapes.filter(([name]) => !name.includes("never"));

  test.each(["lines", "elements"])(
    "is refused among %s, and the others are taken in",
    async (kind) => {
      const records = closed.flatMap(([, value], at) => [record(value), record(`"${kind} ${at}"`)]);
      const isArray = kind === "elements";
      const answer = await fetch(`${app.url}/v1/posts/bulk`, {
        method: "POST",
        body: isArray ? `[${records.join(",")}]` : records.join("\n"),
      });
      expect(answer.status).toBe(201);
      expect(await answer.json()).toMatchObject({
        accepted: closed.length,
        rejected: closed.map(([, , message], at) => ({
          line: 2 * at + 1,
          code: message === DEEP ? "invalid" : "too_large",
        })),
      });
    },
  );

  test("lets others have their turn, however many come in one piece", async () => {
    const posts = createPostService({
      store: {
        add: () => Promise.resolve([]),
        reached: () => Promise.resolve(0),
        addFromSource: () => Promise.resolve(false),
      },
      isOpen: true,
      draining: () => false,
      onAdded: () => {},
    });
    let turns = 0;
    const turning = setInterval(() => turns++, 0);
    const piece = Buffer.from("{}\n".repeat(300_000));
    const { rejectedCount } = await posts.addAll(
      (async function* () {
        yield piece;
      })(),
    );
    clearInterval(turning);
    expect(rejectedCount).toBe(300_000);
    expect(turns).toBeGreaterThan(3);
  });
});

test("none of it is one of the server's errors", () => {
  expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});
