import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type TestApp, startTestApp } from "../../support/app.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";
import { hasVosk } from "../../support/sound.ts";
import { cut, speech, startHearingApp, startStream, written } from "../../support/speaker.ts";

setDefaultTimeout(30_000);

const SECRET = "the secret of these tests, long enough";

/** A token made by hand, so that nothing of the project is on both sides. */
function tokenOf(user: number, role: string): string {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = {
    iss: "earshot",
    aud: "earshot",
    sub: String(user),
    role,
    name: nameOf(user),
    exp,
  };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

const nameOf = (user: number): string => `User ${user}`;

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

/** How people come in: one set of tests for each way. */
interface Door {
  app: TestApp;
  fetch(user: number, method: string, path: string, body?: object): Promise<Response>;
  open(user: number): Promise<TestSocket>;
}

/** Stating who one is, with the door open. */
function openDoor(app: TestApp): Door {
  const asked = (user: number): string =>
    `user_id=${user}&name=${encodeURIComponent(nameOf(user))}`;
  return {
    app,
    fetch: (user, method, path, body) =>
      request(`${app.url}${path}${path.includes("?") ? "&" : "?"}${asked(user)}`, method, {}, body),
    open: (user) => welcomed(openSocket(`${app.wsUrl}/v1/ws/chat?${asked(user)}`)),
  };
}

/** Bringing a token, with accounts required. */
function tokenDoor(app: TestApp, role = "user"): Door {
  return {
    app,
    fetch: (user, method, path, body) => {
      const headers = { authorization: `Bearer ${tokenOf(user, role)}` };
      return request(`${app.url}${path}`, method, headers, body);
    },
    open: (user) => {
      const protocols = ["earshot.v1", `bearer.${tokenOf(user, role)}`];
      return welcomed(openSocket(`${app.wsUrl}/v1/ws/chat`, { protocols }));
    },
  };
}

function request(url: string, method: string, headers: object, body?: object): Promise<Response> {
  return fetch(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function welcomed(opening: Promise<TestSocket>): Promise<TestSocket> {
  const socket = await opening;
  await socket.next("welcome");
  return socket;
}

async function ask(socket: TestSocket, frame: object, answer: string): Promise<Frame> {
  socket.send(frame);
  return socket.next(answer);
}

const join = (socket: TestSocket, room: string): Promise<Frame> =>
  ask(socket, { type: "join", room }, "joined");

const say = (socket: TestSocket, room: string, text: string): Promise<Frame> =>
  ask(socket, { type: "say", room, client_id: crypto.randomUUID(), text }, "sent");

const pathOf = (room: string, rest = ""): string => `/v1/rooms/${encodeURIComponent(room)}${rest}`;

async function makeRoom(door: Door, owner: number, isPrivate = true): Promise<string> {
  const room = newRoom();
  const response = await door.fetch(owner, "POST", "/v1/rooms", { room, private: isPrivate });
  expect(response.status).toBe(201);
  return room;
}

const membership = (door: Door, method: string, caller: number, room: string, user: number) =>
  door.fetch(caller, method, pathOf(room, `/members/${user}`));

async function isListed(door: Door, user: number, room: string): Promise<boolean> {
  const rooms = (await (await door.fetch(user, "GET", "/v1/rooms")).json()) as { room: string }[];
  return rooms.some((one) => one.room === room);
}

/** The status of every route of the room, as `user` finds it. */
async function statuses(door: Door, user: number, room: string, id: number): Promise<number[]> {
  const routes: [string, string, object?][] = [
    ["GET", "/members"],
    ["GET", "/messages"],
    ["GET", "/messages?after=0"],
    ["GET", "/messages?before=9"],
    ["POST", "/messages", { client_id: crypto.randomUUID(), text: "let me in" }],
    ["PATCH", `/messages/${id}`, { text: "changed" }],
    ["DELETE", `/messages/${id}`],
    ["POST", `/members/${user}`],
  ];
  const found = [];
  for (const [method, rest, body] of routes) {
    const response = await door.fetch(user, method, pathOf(room, rest), body);
    await response.text();
    found.push(response.status);
  }
  return found;
}

const SHUT = Array.from({ length: 8 }, () => 403);

function keepsRooms(doorOf: () => Door): void {
  test("a private room is its owner's, and shut to everybody else on every way", async () => {
    const door = doorOf();
    const [owner, stranger] = [newUser(), newUser()];
    const room = await makeRoom(door, owner);
    const inside = await door.open(owner);
    expect(await join(inside, room)).toMatchObject({
      members: [{ id: owner, name: nameOf(owner) }],
    });
    const { id } = await say(inside, room, "among ourselves");

    expect(await statuses(door, stranger, room, Number(id))).toEqual(SHUT);
    expect(await isListed(door, stranger, room)).toBe(false);
    expect(await isListed(door, owner, room)).toBe(true);
    const outside = await door.open(stranger);
    const refused = await ask(outside, { type: "join", room, ref: 1 }, "error");
    expect(refused).toMatchObject({ code: "forbidden", retryable: false, ref: 1 });
    for (const type of ["typing", "leave"]) {
      expect(await ask(outside, { type, room }, "error")).toMatchObject({ code: "not_found" });
    }
    const saying = { type: "say", room, client_id: "1", text: "hello" };
    expect(await ask(outside, saying, "error")).toMatchObject({ code: "not_found" });
    expect(await ask(outside, { type: "history", room }, "error")).toMatchObject({
      code: "not_found",
    });
    expect(inside.frames.map(({ type }) => type)).toEqual(["welcome", "joined", "message", "sent"]);
    inside.close();
    outside.close();
  });

  test("whoever is invited may do everything but decide over others", async () => {
    const door = doorOf();
    const [owner, guest, other] = [newUser(), newUser(), newUser()];
    const room = await makeRoom(door, owner);
    const inside = await door.open(owner);
    await join(inside, room);
    const { id } = await say(inside, room, "the owner's");
    expect((await membership(door, "POST", guest, room, guest)).status).toBe(403);
    expect((await membership(door, "POST", owner, room, guest)).status).toBe(204);
    expect((await membership(door, "POST", owner, room, guest)).status).toBe(204);

    expect(await isListed(door, guest, room)).toBe(true);
    expect(await isListed(door, other, room)).toBe(false);
    const invited = await door.open(guest);
    const joined = await join(invited, room);
    expect(joined["messages"]).toMatchObject([{ text: "the owner's" }]);
    await say(invited, room, "thank you");
    expect(await statuses(door, guest, room, Number(id))).toEqual([
      200, 200, 200, 200, 201, 403, 403, 403,
    ]);
    expect((await membership(door, "POST", guest, room, other)).status).toBe(403);
    expect((await membership(door, "DELETE", guest, room, owner)).status).toBe(403);
    inside.close();
    invited.close();
  });

  test("whoever is sent out is shown the door on every socket and cannot come back", async () => {
    const door = doorOf();
    const [owner, guest] = [newUser(), newUser()];
    for (const isPrivate of [true, false]) {
      const room = await makeRoom(door, owner, isPrivate);
      await membership(door, "POST", owner, room, guest);
      const inside = await door.open(owner);
      await join(inside, room);
      const sockets = [await door.open(guest), await door.open(guest)];
      for (const socket of sockets) await join(socket, room);
      const { id } = await say(inside, room, "before");
      expect((await membership(door, "DELETE", owner, room, guest)).status).toBe(204);
      for (const socket of sockets) {
        expect(await socket.next("error")).toMatchObject({ code: "forbidden", retryable: false });
        expect(await socket.next("left")).toEqual({ type: "left", room });
      }
      const leave = await inside.next("presence");
      expect(leave).toMatchObject({ event: "join", user: { id: guest } });
      expect(await inside.next("presence")).toMatchObject({ event: "leave", user: { id: guest } });
      await say(inside, room, "after");

      for (const socket of sockets) {
        const saying = { type: "say", room, client_id: "1", text: "hello" };
        expect(await ask(socket, saying, "error")).toMatchObject({ code: "not_found" });
        expect(await ask(socket, { type: "join", room }, "error")).toMatchObject({
          code: "forbidden",
        });
        const heard = socket.frames.filter(({ type }) => type === "message");
        expect(heard.map(({ text }) => text)).toEqual(["before"]);
        socket.close();
      }
      expect(await statuses(door, guest, room, Number(id))).toEqual(SHUT);
      if (isPrivate) expect(await isListed(door, guest, room)).toBe(false);

      expect((await membership(door, "POST", owner, room, guest)).status).toBe(204);
      const back = await door.open(guest);
      expect((await join(back, room))["messages"]).toHaveLength(2);
      back.close();
      inside.close();
    }
  });

  test("one may go oneself, the owner may not be sent out, and a public room has doors too", async () => {
    const door = doorOf();
    const [owner, guest, other] = [newUser(), newUser(), newUser()];
    const room = await makeRoom(door, owner, false);
    const open = await door.open(guest);
    await join(open, room);
    expect((await membership(door, "DELETE", other, room, guest)).status).toBe(403);
    expect((await membership(door, "DELETE", owner, room, owner)).status).toBe(409);
    expect((await membership(door, "DELETE", guest, room, guest)).status).toBe(204);
    expect(await open.next("left")).toEqual({ type: "left", room });
    expect((await membership(door, "DELETE", owner, newRoom(), guest)).status).toBe(404);
    expect((await membership(door, "POST", owner, newRoom(), guest)).status).toBe(404);
    open.close();
  });

  test("a room that nobody made has no owner: anybody may enter and nobody may decide", async () => {
    const door = doorOf();
    const [first, second] = [newUser(), newUser()];
    const room = newRoom();
    const sockets = [await door.open(first), await door.open(second)];
    for (const socket of sockets) await join(socket, room);
    expect((await membership(door, "DELETE", first, room, second)).status).toBe(403);
    expect((await membership(door, "POST", first, room, second)).status).toBe(403);
    for (const socket of sockets) socket.close();
  });
}

describe("with the door open", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());
  keepsRooms(() => openDoor(app));
});

describe("with accounts", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ JWT_SECRET: SECRET });
  });
  afterAll(() => app.stop());
  keepsRooms(() => tokenDoor(app));

  test("an admin may enter, read, list, remove and invite everywhere", async () => {
    const [door, office] = [tokenDoor(app), tokenDoor(app, "admin")];
    const [owner, admin, guest] = [newUser(), newUser(), newUser()];
    const room = await makeRoom(door, owner);
    const inside = await door.open(owner);
    await join(inside, room);
    const { id } = await say(inside, room, "rude");
    expect(await isListed(office, admin, room)).toBe(true);
    const watching = await office.open(admin);
    expect((await join(watching, room))["messages"]).toHaveLength(1);
    await say(watching, room, "mind your words");
    const edit = { text: "kind" };
    const address = pathOf(room, `/messages/${Number(id)}`);
    expect((await office.fetch(admin, "PATCH", address, edit)).status).toBe(403);
    expect((await office.fetch(admin, "DELETE", address)).status).toBe(200);
    expect((await membership(office, "POST", admin, room, guest)).status).toBe(204);
    const invited = await door.open(guest);
    await join(invited, room);
    expect((await membership(office, "DELETE", admin, room, guest)).status).toBe(204);
    expect(await invited.next("left")).toEqual({ type: "left", room });
    expect((await membership(office, "DELETE", admin, room, owner)).status).toBe(409);
    for (const socket of [inside, watching, invited]) socket.close();
  });

  test("a stranger without a token gets 401 from every route of the rooms", async () => {
    const routes: [string, string][] = [
      ["GET", "/v1/rooms"],
      ["POST", "/v1/rooms"],
      ["GET", pathOf("a", "/members")],
      ["POST", pathOf("a", "/members/1")],
      ["DELETE", pathOf("a", "/members/1")],
      ["GET", pathOf("a", "/messages")],
      ["POST", pathOf("a", "/messages")],
      ["PATCH", pathOf("a", "/messages/1")],
      ["DELETE", pathOf("a", "/messages/1")],
    ];
    for (const [method, path] of routes) {
      const body = method === "GET" || method === "DELETE" ? undefined : {};
      const { status } = await request(`${app.url}${path}?user_id=1`, method, {}, body);
      expect([method, path, status]).toEqual([method, path, 401]);
    }
  });
});

describe.if(hasVosk)("captions", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startHearingApp({ SPEECH_WORKERS: "1" });
  });
  afterAll(() => app.stop());

  test("obey their room: who may not enter may not speak into it", async () => {
    const door = openDoor(app);
    const [owner, guest] = [newUser(), newUser()];
    const room = await makeRoom(door, owner);
    const inside = await door.open(owner);
    await join(inside, room);
    const asStated = (user: number): string => `?user_id=${user}&name=${user}`;
    const shut = await openSocket(`${app.wsUrl}/v1/ws/transcription${asStated(guest)}`);
    const refused = await ask(shut, { type: "start", language: "en", room, ref: "s" }, "error");
    expect(refused).toMatchObject({ code: "forbidden", ref: "s" });
    shut.close();

    await membership(door, "POST", owner, room, guest);
    const { socket } = await startStream(app, { room }, asStated(guest));
    for (const frame of cut(written(speech()))) socket.sendRaw(frame);
    socket.send({ type: "stop" });
    await socket.next("done");
    const finals = socket.frames.filter(({ type }) => type === "final");
    expect(finals.length).toBeGreaterThan(0);
    for (const final of finals) {
      const message = await inside.next("message");
      expect(message).toMatchObject({
        room,
        kind: "caption",
        client_id: final["segment_id"],
        text: final["text"],
        user: { id: guest },
      });
    }
    const interim = inside.frames.filter(({ type }) => type === "caption");
    expect(interim.length).toBeGreaterThan(0);
    expect(interim[0]).toMatchObject({ room, user: { id: guest } });
    inside.close();
  });
});
