import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { addAccount, login } from "../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../support/app.ts";
import { type Frame, type SocketOptions, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";
import { startHearingApp } from "../support/speaker.ts";
import {
  type Headers,
  type Ids,
  KNOWN_PLACE,
  MEMBER,
  OWNER,
  type Person,
  ROOM,
  SECRETS,
  type Spy,
  WORDS,
  ask,
  chatOf,
  fillRoom,
  inPath,
  liveIn,
} from "./hidden-room.ts";
import {
  CHAT_FRAMES,
  type Case,
  OTHER_ROUTES,
  OWN_ROUTES,
  type OtherCase,
  ROOM_ROUTES,
  SOCKETS,
  TRANSCRIPTION_ROUTES,
} from "./room-routes.ts";

setDefaultTimeout(60_000);

const SECRET = "the secret of these tests, long enough";

interface Documented {
  paths: Record<string, Record<string, { "x-frames"?: { client: { $ref: string }[] } }>>;
  components: { schemas: Record<string, { properties: Record<string, { const?: unknown }> }> };
}

const readDocs = async (app: TestApp): Promise<Documented> =>
  (await (await fetch(`${app.url}/docs/json`)).json()) as Documented;

/** The types of a socket's client frames that have a room. */
function framesWithRoom({ paths, components }: Documented, socket: string): string[] {
  return (paths[socket]?.["get"]?.["x-frames"]?.client ?? []).flatMap(({ $ref }) => {
    const { properties } = components.schemas[$ref.split("/").at(-1) ?? ""] ?? { properties: {} };
    return "room" in properties ? [String(properties["type"]?.const)] : [];
  });
}

/** An answer with its headers, of which none may hold a word of the room. */
async function answerTo(
  app: TestApp,
  route: string,
  { path, body }: Case,
  { headers, query }: Spy,
): Promise<{ status: number; text: string }> {
  const [method = ""] = route.split(" ");
  const separator = path.includes("?") ? "&" : "?";
  const answer = await fetch(app.url + path + (query === "" ? "" : separator + query), {
    method: method.toUpperCase(),
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  let text: string;
  if (answer.headers.get("content-type")?.startsWith("text/event-stream") === true) {
    const reader = answer.body?.getReader();
    text = new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
  } else {
    text = await answer.text();
  }
  expectNothing(route, text + JSON.stringify([...answer.headers]));
  return { status: answer.status, text };
}

function expectNothing(where: string, told: string): void {
  const shown = SECRETS.filter((word) => told.toLowerCase().includes(word.toLowerCase()));
  expect([where, shown, shown.length > 0 ? told : ""]).toEqual([where, [], ""]);
}

let absent = 0;
const absentRoom = (): string => `nothing here ${++absent}`;

/** What a spy is answered by each route that takes a room. */
async function tryRooms(
  app: TestApp,
  spy: Spy,
  ids: Ids,
): Promise<Record<string, [number, number]>> {
  const found: Record<string, [number, number]> = {};
  for (const [route, { make }] of Object.entries(ROOM_ROUTES)) {
    const hidden = await answerTo(app, route, make(ROOM, ids), spy);
    const missing = await answerTo(app, route, make(absentRoom(), ids), spy);
    found[route] = [hidden.status, missing.status];
  }
  return found;
}

async function tryOthers(
  app: TestApp,
  spy: Spy,
  ids: Ids,
  routes: Record<string, OtherCase>,
): Promise<void> {
  for (const [route, make] of Object.entries(routes)) {
    for (const one of make(ids)) await answerTo(app, route, one, spy);
  }
}

const STATUSES = Object.fromEntries(
  Object.entries(ROOM_ROUTES).map(([route, { statuses }]) => [route, statuses]),
);

/** Lets a spy send every frame to the room while its members go on, and shows it nothing. */
async function listenIn(app: TestApp, spy: Spy, ids: Ids, people: [Person, Person]): Promise<void> {
  const named = encodeURIComponent(ROOM);
  const separator = spy.query === "" ? "" : "&";
  const atOnce = await chatOf(app, { ...spy, query: `room=${named}${separator}${spy.query}` });
  expect(await atOnce.next("error")).toMatchObject({ code: "forbidden" });
  const socket = await chatOf(app, spy);
  expect(await ask(socket, { type: "join", room: "the market" })).toBe("joined");
  for (const [type, make] of Object.entries(CHAT_FRAMES)) {
    const hidden = await ask(socket, { type, ...make(ROOM, ids) });
    const missing = await ask(socket, { type, ...make(absentRoom(), ids) });
    // The one who joins a room that is not there makes it; of the others none tells the two apart.
    expect([type, hidden]).toEqual([type, type === "join" ? "forbidden" : missing]);
    if (type === "join") expect(missing).toBe("joined");
    else expect(["bad_request", "forbidden", "not_found"]).toContain(hidden);
  }
  await liveIn(app, ...people);
  const [, member] = people;
  const teller = await chatOf(app, member);
  expect(await ask(teller, { type: "join", room: "the market" })).toBe("joined");
  const control = { type: "say", room: "the market", client_id: crypto.randomUUID(), text: "over" };
  expect(await ask(teller, control)).toBe("sent");
  await until(() => socket.frames.some(({ text }) => text === "over"));
  for (const { frames } of [socket, atOnce]) {
    // Of those who may enter the market, names are told there.
    const outside = frames.filter((frame) => !isOf(frame, "the market"));
    expectNothing("chat", JSON.stringify(outside));
    expect(outside.filter(({ room }) => room === ROOM)).toEqual([]);
    expect(frames.filter(({ type }) => type === "caption")).toEqual([]);
  }
  for (const one of [socket, atOnce, teller]) one.close();
}

const isOf = (frame: Frame, room: string): boolean => frame["room"] === room;

describe("a private room, with accounts required,", () => {
  let app: TestApp;
  let ids: Ids;
  let people: [Person, Person];
  let outsider: Spy;
  const strangers = new Map<string, Headers>();
  beforeAll(async () => {
    const settings = {
      JWT_SECRET: SECRET,
      RATE_LIMITS: "off",
      TOPICS_FROM: "rooms,transcriptions",
      SPEECH_PARK_MS: "500",
    };
    app = await (hasVosk
      ? startHearingApp({ ...settings, SPEECH_WORKERS: "1" })
      : startTestApp(settings));
    const settle = async (name: string, role: "user" | "admin" = "user"): Promise<Person> => {
      const id = await addAccount(app, name, role);
      return { id, headers: { ...(await login(app, name)).headers }, query: "" };
    };
    people = [await settle(OWNER), await settle(MEMBER)];
    ids = await fillRoom(app, ...people);
    const spy = await settle("outsider");
    outsider = spy;
    ids.spy = spy.id;
    const { headers } = await settle("the admin", "admin");
    strangers.set("anonymous", {});
    for (const scopes of [["posts"], ["audio"], ["posts", "audio"]]) {
      const body = { name: `key ${scopes.join(" ")}`, scopes };
      const made = await postJson(`${app.url}/v1/keys`, body, headers);
      expect(made.status).toBe(201);
      const { key } = (await made.json()) as { key: string };
      strangers.set(`${body.name} as bearer`, { authorization: `Bearer ${key}` });
      strangers.set(body.name, { "x-api-key": key });
    }
    strangers.set("guest", { authorization: `Bearer ${guestToken()}` });
  });
  afterAll(() => app.stop());

  test("has a case here for every route and every frame that there is", async () => {
    const docs = await readDocs(app);
    const routes = Object.entries(docs.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const cases = [
      ...[ROOM_ROUTES, TRANSCRIPTION_ROUTES, OTHER_ROUTES].flatMap(Object.keys),
      ...SOCKETS,
      ...OWN_ROUTES,
    ];
    expect(routes.filter((route) => !cases.includes(route))).toEqual([]);
    expect(cases.filter((route) => !routes.includes(route))).toEqual([]);
    expect(framesWithRoom(docs, "/v1/ws/chat")).toEqual(Object.keys(CHAT_FRAMES));
    expect(framesWithRoom(docs, "/v1/ws/transcription")).toEqual(["start"]);
    // Whoever was let in sees what the others may not.
    const [owner] = people;
    const seen = await fetch(app.url + inPath(ROOM, "/messages"), { headers: owner.headers });
    const text = await seen.text();
    for (const word of [WORDS.first, WORDS.edited, WORDS.caption, WORDS.place, MEMBER]) {
      expect(text).toContain(word);
    }
  });

  test("shows no word of it to an account that was not let in", async () => {
    const { headers } = outsider;
    const known = async (): Promise<string> =>
      (await fetch(`${app.url}/v1/topics?limit=100`, { headers })).text();
    await until(async () => (await known()).includes(KNOWN_PLACE));
    expect(await tryRooms(app, outsider, ids)).toEqual(STATUSES);
    await tryOthers(app, outsider, ids, { ...TRANSCRIPTION_ROUTES, ...OTHER_ROUTES });
    // It is all still there, and as it was.
    const [owner] = people;
    const kept = await fetch(`${app.url}/v1/transcriptions/${ids.transcription}`, {
      headers: owner.headers,
    });
    expect(await kept.json()).toMatchObject({ title: WORDS.title, room: ROOM });
  });

  test("is no other to keys, guests and strangers than one that is not there", async () => {
    for (const [name, headers] of strangers) {
      const spy = { headers, query: "" };
      const found = await tryRooms(app, spy, ids);
      const all = Object.values(found).flat();
      expect([name, all.filter((status) => status !== 401)]).toEqual([name, []]);
      await tryOthers(app, spy, ids, { ...TRANSCRIPTION_ROUTES, ...OTHER_ROUTES });
      for (const socket of ["chat", "transcription"]) {
        for (const options of upgrades(headers)) {
          const url = `${app.wsUrl}/v1/ws/${socket}?room=${encodeURIComponent(ROOM)}`;
          const opened = await openSocket(url, options).catch(() => null);
          expect([name, socket, opened]).toEqual([name, socket, null]);
        }
      }
    }
  });

  test("is heard by nobody outside, whatever they send", async () => {
    await listenIn(app, outsider, ids, people);
  });

  test.skipIf(!hasVosk)("is spoken into by nobody outside (needs the recogniser)", async () => {
    const { headers } = outsider;
    const socket = await openSocket(`${app.wsUrl}/v1/ws/transcription`, { headers });
    const refused = await ask(socket, { type: "start", language: "en", room: ROOM });
    expect(refused).toBe("forbidden");
    expectNothing("transcription", JSON.stringify(socket.frames));
    socket.close();
  });
});

describe("a private room, with the door open,", () => {
  let app: TestApp;
  let ids: Ids;
  let people: [Person, Person];
  beforeAll(async () => {
    app = await startTestApp({ RATE_LIMITS: "off", TOPICS_FROM: "rooms", SPEECH_PARK_MS: "500" });
    const stating = (id: number, name: string): Person => ({
      id,
      headers: {},
      query: `user_id=${id}&name=${encodeURIComponent(name)}`,
    });
    people = [stating(1, OWNER), stating(2, MEMBER)];
    ids = { ...(await fillRoom(app, ...people)), spy: 3 };
  });
  afterAll(() => app.stop());

  test("shows no word of it to whoever says to be somebody else, nor to a guest's token", async () => {
    const guest = await openSocket(`${app.wsUrl}/v1/ws/chat`);
    const { guest_token: token } = await guest.next("welcome");
    guest.close();
    const spies: Spy[] = [
      { headers: {}, query: "" },
      { headers: {}, query: "user_id=3&name=Spy" },
      { headers: { authorization: `Bearer ${String(token)}` }, query: "" },
    ];
    for (const spy of spies) {
      expect(await tryRooms(app, spy, ids)).toEqual(STATUSES);
      await tryOthers(app, spy, ids, OTHER_ROUTES);
    }
  });
});

/** The ways in which a socket may bring a token or a key. */
function upgrades(headers: Headers): SocketOptions[] {
  const value = headers["authorization"]?.replace("Bearer ", "") ?? headers["x-api-key"];
  if (value === undefined) return [{ headers }];
  return [{ headers }, { protocols: ["earshot.v1", `bearer.${value}`] }];
}

/** As an open door with the same secret would have given it. */
function guestToken(): string {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = { iss: "earshot", aud: "earshot", sub: "7", role: "guest", name: "Guest", exp };
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${new Bun.CryptoHasher("sha256", SECRET).update(text).digest("base64url")}`;
}
