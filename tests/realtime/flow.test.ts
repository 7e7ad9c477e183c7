import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { type TestApp, startTestApp, until } from "../support/app.ts";
import { type TestServer, startTestServer } from "../support/server.ts";
import { type Frame, type TestSocket, openSocket } from "../support/socket.ts";

setDefaultTimeout(30_000);

interface Joined {
  epoch: string;
  offset: number;
  recovered: boolean;
  more: boolean;
  messages: { offset: number }[];
}

type Served = Pick<TestServer, "url" | "wsUrl">;

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

async function open(server: Served, user = newUser()): Promise<TestSocket> {
  const socket = await openSocket(`${server.wsUrl}/v1/ws/chat?user_id=${user}&name=User`);
  await socket.next("welcome");
  return socket;
}

async function ask(socket: TestSocket, frame: object, answer: string): Promise<Frame> {
  socket.send(frame);
  return socket.next(answer);
}

async function member(server: Served, room: string, user = newUser()): Promise<TestSocket> {
  const socket = await open(server, user);
  await ask(socket, { type: "join", room }, "joined");
  return socket;
}

const ofType = (socket: TestSocket, type: string): Frame[] =>
  socket.frames.filter((frame) => frame.type === type);

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

describe("frames of one socket", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  test("are worked on in strict order, though some wait for the disk", async () => {
    const room = newRoom();
    const socket = await open(app);
    socket.send({ type: "join", room, ref: "in" });
    const expected = ["in"];
    for (const at of upTo(40)) {
      socket.send({ type: "say", room, client_id: `${at}`, text: `${at}`, ref: `say ${at}` });
      socket.send({ type: "history", room, after: 0, ref: `history ${at}` });
      socket.send({ type: "nonsense", ref: `error ${at}` });
      socket.send({ type: "read", room, offset: at });
      socket.send({ type: "ping", ref: `ping ${at}` });
      expected.push(`say ${at}`, `history ${at}`, `error ${at}`, `ping ${at}`);
    }
    socket.send({ type: "leave", room, ref: "out" });
    socket.send({ type: "join", room, ref: "in again" });
    const joined = await socket.next("joined");
    expect(joined["ref"]).toBe("in");
    expect(await socket.next("joined")).toMatchObject({ ref: "in again", read: 40, offset: 40 });
    const refs = socket.frames.flatMap(({ ref }) => (typeof ref === "string" ? [ref] : []));
    expect(refs).toEqual([...expected, "out", "in again"]);
    for (const page of ofType(socket, "history")) {
      const at = Number(String(page["ref"]).split(" ")[1]);
      expect((page["messages"] as unknown[]).length).toBe(at);
    }
    // One hears a message before one is told that it was sent.
    const order = socket.frames.filter(({ type }) => type === "message" || type === "sent");
    expect(order.map(({ type }) => type)).toEqual(upTo(40).flatMap(() => ["message", "sent"]));
    socket.close();
  });

  test("that wait when it closes are worked on all the same", async () => {
    const room = newRoom();
    const listener = await member(app, room);
    const socket = await open(app);
    socket.send({ type: "join", room });
    for (const at of upTo(50))
      socket.send({ type: "say", room, client_id: `${at}`, text: `${at}` });
    socket.close();
    await until(() => ofType(listener, "message").length === 50);
    listener.close();
  });

  test("more than the inbox holds wait in the network and none is lost", async () => {
    const room = newRoom();
    const socket = await member(app, room);
    const long = "x".repeat(4_000);
    for (const at of upTo(600)) socket.send({ type: "say", room, client_id: `${at}`, text: long });
    await until(() => ofType(socket, "sent").length === 600);
    expect(ofType(socket, "sent").map(({ offset }) => Number(offset))).toEqual(upTo(600));
    socket.close();
  });

  test("that come in a flood are refused with a time to wait, and at last the socket is closed", async () => {
    const room = newRoom();
    const calm = await member(app, room);
    const listener = await member(app, room);
    const flooder = await member(app, room);
    let isOver = false;
    const flooding = (async () => {
      for (let at = 0; !isOver && at < 60_000; at++) {
        if (flooder.raw.readyState !== WebSocket.OPEN) return;
        flooder.send({ type: "ping", ref: at });
        if (at % 200 === 0) await Bun.sleep(0);
      }
    })();
    const spoken = (async () => {
      for (const at of upTo(20)) {
        await ask(calm, { type: "say", room, client_id: `${at}`, text: `${at}` }, "sent");
      }
    })();
    const { code } = await flooder.closed;
    isOver = true;
    await flooding;
    await spoken;
    expect(code).toBe(4429);
    const refused = ofType(flooder, "error");
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ code: "rate_limited", retryable: true });
      expect(Number(error["retry_after_ms"])).toBeGreaterThan(0);
      expect(error["ref"]).toBeNumber();
    }
    expect(ofType(flooder, "pong").length).toBeGreaterThanOrEqual(999);
    expect(flooder.frames.at(-1)?.type).toBe("error");
    await until(() => ofType(listener, "message").length === 20);
    expect(ofType(calm, "error")).toEqual([]);
    for (const one of [calm, listener]) one.close();
  });

  test("that come far too fast for long close it too, though each waits for its answer", async () => {
    const flooder = await open(app);
    let isOver = false;
    const closed = flooder.closed.then(({ code }) => {
      isOver = true;
      return code;
    });
    const answers = (): number => flooder.frames.length;
    while (!isOver && answers() < 40_000) {
      const before = answers();
      for (let at = 0; at < 20; at++) flooder.send({ type: "ping" });
      await until(() => isOver || answers() >= before + 20);
    }
    flooder.close();
    expect(await closed).toBe(4429);
  });

  test("a socket that is a little too fast is told so and not closed", async () => {
    const socket = await open(app);
    for (const at of upTo(1_100)) socket.send({ type: "ping", ref: at });
    const refs = new Set<unknown>();
    await until(() => {
      for (const { ref } of socket.frames) if (ref !== undefined) refs.add(ref);
      return refs.size === 1_100;
    });
    const [error] = ofType(socket, "error");
    await Bun.sleep(Number(error?.["retry_after_ms"] ?? 0));
    await ask(socket, { type: "ping", ref: "later" }, "pong");
    expect(socket.raw.readyState).toBe(WebSocket.OPEN);
    socket.close();
  });
});

describe("the door", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ CORS_ORIGINS: "https://friend.example" });
  });
  afterAll(() => app.stop());

  const opens = async (headers: Record<string, string>): Promise<boolean> => {
    try {
      const socket = await openSocket(`${app.wsUrl}/v1/ws/chat`, { headers });
      socket.close();
      return true;
    } catch {
      return false;
    }
  };

  test("is closed to pages of other origins", async () => {
    for (const origin of [
      "https://evil.example",
      "null",
      `${app.url}.evil.example`,
      "http://127.0.0.1:1",
    ]) {
      expect([origin, await opens({ origin })]).toEqual([origin, false]);
    }
    expect(await opens({ host: "evil.example", origin: "http://evil.example" })).toBe(false);
  });

  test("is open to its own pages, to those on the list, and to what is no browser", async () => {
    for (const headers of [{ origin: app.url }, { origin: "https://friend.example" }, {}]) {
      expect([headers, await opens(headers)]).toEqual([headers, true]);
    }
  });
});

/** A member made by hand that joins a room and then never reads again. */
async function deafMember(server: Served, room: string, user: number): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const head = [
    `GET /v1/ws/chat?user_id=${user}&name=Deaf&room=${encodeURIComponent(room)} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  // It may be cut at any time, which is no error of the test.
  socket.on("error", () => {});
  await new Promise<void>((resolve) => {
    let seen = "";
    socket.on("data", (bytes) => {
      seen += bytes.toString("latin1");
      if (seen.includes('"joined"')) resolve();
    });
  });
  socket.pause();
  return socket;
}

describe("a consumer that never reads", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ RATE_LIMITS: "off" });
  });
  afterAll(() => server.dispose());

  const CONSUMERS = 8;
  /** Three bytes a character: 2,400 of them are more than the network and the server hold. */
  const LONG = "न".repeat(4_000);
  const MESSAGES = 2_400;
  const GROWTH_BYTES_MAX = 160 * 1024 * 1024;

  /** The memory of the program that runs in the server's folder. */
  const residentBytes = (): number => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${pid}/cwd`) !== server.folder) continue;
        const [, kilobytes] =
          /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
        return Number(kilobytes) * 1024;
      } catch {
        // A process that ended meanwhile, or another user's.
      }
    }
    throw new Error("the server was not found");
  };

  test("is dropped while the others go on, memory stays bounded, and it may recover", async () => {
    const room = newRoom();
    const speakers = await Promise.all(upTo(8).map(() => member(server, room)));
    const [speaker] = speakers;
    if (speaker === undefined) throw new Error("nobody speaks");
    const deaf = upTo(CONSUMERS).map(() => newUser());
    const sockets = await Promise.all(deaf.map((user) => deafMember(server, room, user)));
    const before = residentBytes();
    let most = before;

    const each = MESSAGES / speakers.length;
    await Promise.all(
      speakers.map(async (one, who) => {
        for (const at of upTo(each)) {
          const frame = { type: "say", room, client_id: `${who} ${at}`, text: LONG };
          await ask(one, frame, "sent");
          if (at % 20 === 0) most = Math.max(most, residentBytes());
        }
      }),
    );
    const leaves = (): number[] =>
      ofType(speaker, "presence")
        .filter(({ event }) => event === "leave")
        .map(({ user }) => (user as { id: number }).id);
    await until(() => leaves().length >= CONSUMERS);
    expect(leaves().sort((a, b) => a - b)).toEqual(deaf);
    expect(most - before).toBeLessThan(GROWTH_BYTES_MAX);
    for (const one of speakers) {
      await until(() => ofType(one, "message").length >= MESSAGES);
      expect(ofType(one, "message").map(({ offset }) => Number(offset))).toEqual(upTo(MESSAGES));
    }
    for (const socket of sockets) socket.destroy();

    // One of them comes back, from the beginning, and has everything.
    const back = await open(server, deaf[0]);
    const [first] = ofType(speaker, "message");
    const after = { epoch: first?.["epoch"], offset: 0 };
    const joined = (await ask(back, { type: "join", room, after }, "joined")) as unknown as Joined;
    expect(joined).toMatchObject({ recovered: true, more: true });
    const seen = joined.messages.map(({ offset }) => offset);
    for (let more = joined.more; more;) {
      const asked = { type: "history", room, after: seen.at(-1), limit: 100 };
      const page = (await ask(back, asked, "history")) as unknown as Joined;
      seen.push(...page.messages.map(({ offset }) => offset));
      more = page.more;
    }
    expect(seen).toEqual(upTo(MESSAGES));
    back.close();
    for (const one of speakers) one.close();
  });
});
