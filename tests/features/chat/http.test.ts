import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import { type TestSocket, openSocket } from "../../support/socket.ts";

setDefaultTimeout(30_000);

interface Message {
  room: string;
  epoch: string;
  offset: number;
  id: number;
  client_id: string;
  user: { id: number; name: string };
  kind: string;
  target?: number;
  text: string;
}

interface Page {
  epoch: string;
  messages: Message[];
  next: number | null;
}

interface Room {
  room: string;
  epoch: string;
  head: number;
  owner_id: number | null;
  private: boolean;
  created_at: number;
}

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

const pathOf = (room: string, rest = ""): string => `/v1/rooms/${encodeURIComponent(room)}${rest}`;

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

function request(
  method: string,
  path: string,
  body?: unknown,
  user = 1,
  base = app.url,
): Promise<Response> {
  const address = `${base}${path}${path.includes("?") ? "&" : "?"}user_id=${user}&name=User`;
  if (body !== undefined && method === "POST") return postJson(address, body);
  return fetch(address, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function say(room: string, text: string, user = 1): Promise<Message> {
  const body = { client_id: crypto.randomUUID(), text };
  const response = await request("POST", pathOf(room, "/messages"), body, user);
  expect(response.status).toBe(201);
  return (await response.json()) as Message;
}

async function page(room: string, query = ""): Promise<Page> {
  const response = await request("GET", pathOf(room, `/messages${query}`));
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

const roomsOf = async (query = "", user = 1): Promise<Room[]> =>
  (await (await request("GET", `/v1/rooms${query}`, undefined, user)).json()) as Room[];

/** The status and code of a problem, after a look at its form. */
async function problem(response: Response): Promise<[number, string]> {
  expect(response.headers.get("content-type")).toStartWith("application/problem+json");
  const body = (await response.json()) as { status: number; code: string; title: string };
  expect(body.status).toBe(response.status);
  expect(body.title).toBeString();
  return [response.status, body.code];
}

async function member(room: string): Promise<TestSocket> {
  const user = newUser();
  const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?user_id=${user}&name=Member`);
  socket.send({ type: "join", room });
  await socket.next("joined");
  return socket;
}

describe("rooms", () => {
  test("are made with an owner, once", async () => {
    const owner = newUser();
    const room = `सभा/${newRoom()}`;
    const response = await request("POST", "/v1/rooms", { room }, owner);
    expect(response.status).toBe(201);
    const made = (await response.json()) as Room;
    expect(made).toMatchObject({ room, head: 0, owner_id: owner, private: false });
    expect(made.epoch).not.toBe("");
    expect(await problem(await request("POST", "/v1/rooms", { room }, owner))).toEqual([
      409,
      "conflict",
    ]);
    expect(await problem(await request("POST", "/v1/rooms", { room, private: true }))).toEqual([
      409,
      "conflict",
    ]);
    expect((await roomsOf()).find((one) => one.room === room)).toEqual(made);
  });

  test("that came into being by being used cannot be made any more", async () => {
    const room = newRoom();
    await say(room, "first");
    expect(await problem(await request("POST", "/v1/rooms", { room }))).toEqual([409, "conflict"]);
    const [found] = (await roomsOf()).filter((one) => one.room === room);
    expect(found).toMatchObject({ head: 1, owner_id: null, private: false });
  });

  test("made by many at once have one owner", async () => {
    const room = newRoom();
    const asking = upTo(8, 1).map((user) => request("POST", "/v1/rooms", { room }, user));
    const statuses = (await Promise.all(asking)).map(({ status }) => status);
    expect(statuses.sort((a, b) => a - b)).toEqual([201, ...upTo(7).map(() => 409)]);
  });

  test("are listed by name, in pages, and only those one may enter", async () => {
    const owner = newUser();
    const prefix = newRoom();
    const names = upTo(7).map((at) => `${prefix} ${at}`);
    for (const room of names) await request("POST", "/v1/rooms", { room, private: true }, owner);
    const seen: string[] = [];
    for (;;) {
      const after = encodeURIComponent(seen.at(-1) ?? prefix);
      const rooms = await roomsOf(`?after=${after}&limit=3`, owner);
      expect(rooms.length).toBeLessThanOrEqual(3);
      const own = rooms.filter(({ room }) => room.startsWith(prefix));
      if (own.length === 0) break;
      seen.push(...own.map(({ room }) => room));
    }
    expect(seen).toEqual(names);
    const others = (await roomsOf()).filter(({ room }) => room.startsWith(prefix));
    expect(others).toEqual([]);
    const all = (await roomsOf("", owner)).map(({ room }) => room);
    expect(all).toEqual(all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });
});

describe("messages", () => {
  test("are said, heard on sockets, edited and removed", async () => {
    const room = newRoom();
    const listener = await member(room);
    const said = await say(room, "frist");
    expect(said).toMatchObject({ room, offset: 1, kind: "text", user: { id: 1, name: "User" } });
    expect(await listener.next("message")).toMatchObject({ ...said });
    const address = pathOf(room, `/messages/${said.id}`);
    const edited = await request("PATCH", address, { text: "first" });
    expect(edited.status).toBe(200);
    expect(await edited.json()).toMatchObject({ offset: 2, kind: "edit", target: said.id });
    expect(await listener.next("message")).toMatchObject({ kind: "edit", text: "first" });
    const removed = await request("DELETE", address);
    expect(removed.status).toBe(200);
    expect(await removed.json()).toMatchObject({ offset: 3, kind: "remove", target: said.id });
    expect(await listener.next("message")).toMatchObject({ kind: "remove", text: "" });
    expect(await problem(await request("DELETE", address))).toEqual([404, "not_found"]);
    expect(await problem(await request("PATCH", address, { text: "x" }))).toEqual([
      404,
      "not_found",
    ]);
    listener.close();
  });

  test("of others are forbidden to change", async () => {
    const room = newRoom();
    const { id } = await say(room, "mine");
    const address = pathOf(room, `/messages/${id}`);
    const other = newUser();
    for (const response of [
      await request("PATCH", address, { text: "yours" }, other),
      await request("DELETE", address, undefined, other),
    ]) {
      expect(await problem(response)).toEqual([403, "forbidden"]);
    }
    expect((await page(room)).messages.map(({ text }) => text)).toEqual(["mine"]);
  });

  test("said again with their client_id are the same message", async () => {
    const room = newRoom();
    const body = { client_id: "the same", text: "once" };
    const first = await request("POST", pathOf(room, "/messages"), body);
    const message = (await first.json()) as Message;
    const again = await request("POST", pathOf(room, "/messages"), { ...body, text: "twice" });
    expect((await again.json()) as Message).toEqual(message);
    expect((await page(room)).messages).toHaveLength(1);
  });

  test("are paged from both ends through to the other", async () => {
    const room = newRoom();
    await Promise.all(upTo(47).map((at) => say(room, `message ${at}`)));
    const { epoch } = await page(room);
    const forward: number[] = [];
    for (let next: number | null = 0; next !== null;) {
      const found: Page = await page(room, `?after=${next}&limit=10`);
      expect(found.epoch).toBe(epoch);
      forward.push(...found.messages.map(({ offset }) => offset));
      next = found.next;
    }
    expect(forward).toEqual(upTo(47));
    const backward: number[] = [];
    for (let next: number | null = 48; next !== null;) {
      const found: Page = await page(room, `?before=${next}&limit=10`);
      backward.unshift(...found.messages.map(({ offset }) => offset));
      next = found.next;
    }
    expect(backward).toEqual(upTo(47));

    const last = await page(room, "?limit=5");
    expect(last.messages.map(({ offset }) => offset)).toEqual(upTo(47, 43));
    expect(last.next).toBe(43);
    expect(await page(room, "?after=47")).toMatchObject({ messages: [], next: null });
    expect(await page(room, "?after=4700")).toMatchObject({ messages: [], next: null });
    expect(await page(room, "?before=1")).toMatchObject({ messages: [], next: null });
    expect((await page(room, "?after=0&limit=47")).next).toBeNull();
    expect((await page(room, "?after=0&limit=46")).next).toBe(46);
  });

  test("are paged in the same way while somebody is in the room", async () => {
    const room = newRoom();
    const listener = await member(room);
    await Promise.all(upTo(23).map((at) => say(room, `message ${at}`)));
    const seen: number[] = [];
    for (let next: number | null = 0; next !== null;) {
      const found: Page = await page(room, `?after=${next}&limit=10`);
      seen.push(...found.messages.map(({ offset }) => offset));
      next = found.next;
    }
    expect(seen).toEqual(upTo(23));
    expect(await page(room, "?after=23")).toMatchObject({ messages: [], next: null });
    listener.close();
  });

  test("and members of a room that is not there are not found, and reading makes no room", async () => {
    const room = newRoom();
    for (const [method, rest, body] of [
      ["GET", "/messages", undefined],
      ["GET", "/messages?after=0", undefined],
      ["GET", "/members", undefined],
      ["PATCH", "/messages/1", { text: "x" }],
      ["DELETE", "/messages/1", undefined],
    ] as const) {
      const response = await request(method, pathOf(room, rest), body);
      expect([rest, ...(await problem(response))]).toEqual([rest, 404, "not_found"]);
    }
    expect((await roomsOf()).some((one) => one.room === room)).toBe(false);
    await say(room, "now it is there");
    expect((await request("GET", pathOf(room, "/messages/7"))).status).toBe(404);
    expect(await problem(await request("DELETE", pathOf(room, "/messages/999999")))).toEqual([
      404,
      "not_found",
    ]);
  });
});

describe("what does not fit", () => {
  test("is refused with 422 that repeats nothing of it", async () => {
    const room = newRoom();
    const { id } = await say(room, "hello");
    const messages = pathOf(room, "/messages");
    const say1 = { client_id: "1", text: "secret" };
    const wrong: [string, string, unknown?][] = [
      ["POST", "/v1/rooms", {}],
      ["POST", "/v1/rooms", { room: "" }],
      ["POST", "/v1/rooms", { room: "x".repeat(101) }],
      ["POST", "/v1/rooms", { room: "secret\u0007" }],
      ["POST", "/v1/rooms", { room: "a|secret" }],
      ["POST", "/v1/rooms", { room: newRoom(), secret: 1 }],
      ["POST", "/v1/rooms", { room: newRoom(), private: "secret" }],
      ["GET", "/v1/rooms?limit=0"],
      ["GET", "/v1/rooms?limit=1001"],
      ["GET", "/v1/rooms?limit=secret"],
      ["GET", "/v1/rooms?secret=1"],
      ["POST", messages, {}],
      ["POST", messages, { text: "secret" }],
      ["POST", messages, { client_id: "1" }],
      ["POST", messages, { ...say1, secret: 1 }],
      ["POST", messages, { ...say1, client_id: "" }],
      ["POST", messages, { ...say1, client_id: "s".repeat(101) }],
      ["POST", messages, { ...say1, text: "" }],
      ["POST", messages, { ...say1, text: " \n" }],
      ["POST", messages, { ...say1, text: "😀".repeat(4_001) }],
      ["POST", messages, { ...say1, text: 7 }],
      ["POST", messages, [say1]],
      ["POST", pathOf("a|b", "/messages"), say1],
      ["POST", pathOf("x".repeat(101), "/messages"), say1],
      ["GET", `${messages}?after=-1`],
      ["GET", `${messages}?after=secret`],
      ["GET", `${messages}?before=1.5`],
      ["GET", `${messages}?after=1&before=3`],
      ["GET", `${messages}?limit=0`],
      ["GET", `${messages}?limit=501`],
      ["GET", `${messages}?secret=1`],
      ["PATCH", `${messages}/${id}`, {}],
      ["PATCH", `${messages}/${id}`, { text: "" }],
      ["PATCH", `${messages}/${id}`, { text: "x", secret: 1 }],
      ["PATCH", `${messages}/secret`, { text: "x" }],
      ["PATCH", `${messages}/0`, { text: "x" }],
      ["DELETE", `${messages}/1.5`],
      ["POST", pathOf(room, "/members/secret"), undefined],
      ["DELETE", pathOf(room, "/members/-1"), undefined],
      ["GET", pathOf(room, "/members?secret=1")],
    ];
    for (const [method, path, body] of wrong) {
      const response = await request(method, path, body);
      const text = await response.clone().text();
      expect([method, path, body, response.status]).toEqual([method, path, body, 422]);
      expect(await problem(response)).toEqual([422, "invalid"]);
      // A field's name may be told, its value may not.
      expect(text.replaceAll("/secret", "")).not.toContain("secret");
    }
    expect((await page(room)).messages).toHaveLength(1);
  });

  test("a body that is no JSON is refused", async () => {
    const address = `${app.url}${pathOf(newRoom(), "/messages")}?user_id=1`;
    const headers = { "content-type": "application/json" };
    const response = await fetch(address, { method: "POST", headers, body: "{" });
    expect(await problem(response)).toEqual([400, "invalid"]);
  });
});

describe("a flood", () => {
  /** Says things as fast as it goes until one is refused, or `most` were taken. */
  async function flood(
    base: string,
    room: string,
    user: number,
    most: number,
  ): Promise<Response[]> {
    const refused: Response[] = [];
    for (let at = 0; at < most && refused.length === 0; at += 100) {
      const asking = upTo(100).map((one) => {
        const body = { client_id: `${user} ${at + one}`, text: "more" };
        return request("POST", pathOf(room, "/messages"), body, user, base);
      });
      for (const response of await Promise.all(asking)) {
        if (response.status !== 201) refused.push(response);
        else await response.body?.cancel();
      }
    }
    return refused;
  }

  test("is refused with 429 and when to come back; others and other frames are not", async () => {
    const room = newRoom();
    const [user, other] = [newUser(), newUser()];
    const [refused] = await flood(app.url, room, user, 6_000);
    if (refused === undefined) throw new Error("the flood was not refused");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await problem(refused)).toEqual([429, "rate_limited"]);
    await say(room, "calm", other);
    expect((await request("GET", pathOf(room, "/messages"), undefined, user)).status).toBe(200);
  });

  test("is everybody's right with RATE_LIMITS=off, on sockets too", async () => {
    const free = await startTestApp({ RATE_LIMITS: "off" });
    const room = newRoom();
    expect(await flood(free.url, room, 1, 1_500)).toEqual([]);
    const socket = await openSocket(`${free.wsUrl}/v1/ws/chat?user_id=1&name=User`);
    const { limits } = await socket.next("welcome");
    expect(limits).not.toHaveProperty("frames_per_s");
    for (const ref of upTo(3_000)) socket.send({ type: "ping", ref });
    socket.send({ type: "join", room });
    await socket.next("joined");
    expect(socket.frames.filter(({ type }) => type === "pong")).toHaveLength(3_000);
    socket.close();
    await free.stop();
  });
});
