import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join as joinPath } from "node:path";
import { type TestApp, postJson, startTestApp, temporaryFolder, until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";

setDefaultTimeout(30_000);

interface Message {
  room: string;
  epoch: string;
  offset: number;
  id: number;
  client_id: string;
  kind: string;
  target?: number;
  text: string;
}

interface Place {
  epoch: string;
  offset: number;
}

interface Joined extends Place {
  recovered: boolean;
  more: boolean;
  messages: Message[];
}

interface Page {
  epoch: string;
  messages: Message[];
  more: boolean;
}

interface Sent {
  client_id: string;
  id: number;
  offset: number;
}

/** Anything that serves: this process's app, or the program in one of its own. */
type Served = Pick<TestServer, "url" | "wsUrl">;

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

async function open(server: Served, user = newUser()): Promise<TestSocket> {
  const socket = await openSocket(`${server.wsUrl}/v1/ws/chat?user_id=${user}&name=U${user}`);
  await socket.next("welcome");
  return socket;
}

async function join(socket: TestSocket, room: string, after?: Place): Promise<Joined> {
  socket.send({ type: "join", room, ...(after === undefined ? {} : { after }) });
  return (await socket.next("joined")) as unknown as Joined;
}

async function ask(socket: TestSocket, frame: object, answer: string): Promise<Frame> {
  socket.send(frame);
  return socket.next(answer);
}

async function say(socket: TestSocket, room: string, text: string): Promise<Sent> {
  const frame = { type: "say", room, client_id: crypto.randomUUID(), text };
  return (await ask(socket, frame, "sent")) as unknown as Sent;
}

/** Says many things without waiting in between, then waits for every answer. */
async function sayMany(socket: TestSocket, room: string, count: number): Promise<void> {
  for (const at of upTo(count)) {
    socket.send({ type: "say", room, client_id: crypto.randomUUID(), text: `message ${at}` });
  }
  for (let at = 0; at < count; at++) await socket.next("sent");
}

async function history(socket: TestSocket, room: string, asked: object): Promise<Page> {
  return (await ask(socket, { type: "history", room, ...asked }, "history")) as unknown as Page;
}

/** Everything that was sent to the socket before now has come when this resolves. */
async function settle(...sockets: TestSocket[]): Promise<void> {
  for (const socket of sockets) await ask(socket, { type: "ping" }, "pong");
}

const heard = (socket: TestSocket): Message[] =>
  (socket.frames as unknown as (Message & { type: string })[]).filter(
    (frame) => frame.type === "message",
  );

const offsets = (messages: readonly Message[]): number[] => messages.map(({ offset }) => offset);

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

/** The whole log of a room, over HTTP. */
async function logOf(server: Served, room: string): Promise<Message[]> {
  const all: Message[] = [];
  for (let after: number | null = 0; after !== null;) {
    const address = `${server.url}/v1/rooms/${encodeURIComponent(room)}/messages?after=${after}`;
    const page = (await (await fetch(address)).json()) as {
      messages: Message[];
      next: number | null;
    };
    all.push(...page.messages);
    after = page.next;
  }
  return all;
}

describe("coming back to a room", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ RATE_LIMITS: "off" });
  });
  afterAll(() => app.stop());

  test("replays exactly what was missed, edits and removals too, and live ones follow", async () => {
    const room = newRoom();
    const speaker = await open(app);
    await join(speaker, room);
    const first = await say(speaker, room, "said before");
    const second = await say(speaker, room, "said before, too");
    const away = await open(app);
    const { epoch, offset } = await join(away, room);
    expect(offset).toBe(2);
    away.close();
    await away.closed;

    await sayMany(speaker, room, 7);
    await ask(speaker, { type: "edit", room, id: first.id, text: "edited" }, "sent");
    await ask(speaker, { type: "remove", room, id: second.id }, "sent");
    const back = await open(app);
    const joined = await join(back, room, { epoch, offset });
    expect(joined).toMatchObject({ epoch, offset: 11, recovered: true, more: false });
    expect(offsets(joined.messages)).toEqual(upTo(11, 3));
    expect(joined.messages.slice(-2)).toMatchObject([
      { kind: "edit", target: first.id, text: "edited" },
      { kind: "remove", target: second.id, text: "" },
    ]);
    await say(speaker, room, "live");
    await settle(back);
    expect(offsets(heard(back))).toEqual([12]);
    speaker.close();
    back.close();
  });

  test("replays nothing when nothing was missed", async () => {
    const room = newRoom();
    const speaker = await open(app);
    const empty = await join(speaker, room);
    await ask(speaker, { type: "leave", room }, "left");
    expect(await join(speaker, room, { epoch: empty.epoch, offset: 0 })).toMatchObject({
      recovered: true,
      messages: [],
      offset: 0,
    });
    await sayMany(speaker, room, 3);
    const back = await open(app);
    const joined = await join(back, room, { epoch: empty.epoch, offset: 3 });
    expect(joined).toMatchObject({ recovered: true, more: false, messages: [], offset: 3 });
    await say(speaker, room, "live");
    await settle(back);
    expect(offsets(heard(back))).toEqual([4]);
    speaker.close();
    back.close();
  });

  test("an unknown epoch or an offset past the end is not recovered: the last 50 come", async () => {
    const room = newRoom();
    const speaker = await open(app);
    const { epoch } = await join(speaker, room);
    await sayMany(speaker, room, 60);
    for (const after of [
      { epoch: "another", offset: 55 },
      { epoch: "", offset: 0 },
      { epoch, offset: 61 },
      { epoch, offset: Number.MAX_SAFE_INTEGER },
    ]) {
      const back = await open(app);
      const joined = await join(back, room, after);
      expect(joined).toMatchObject({ epoch, offset: 60, recovered: false, more: false });
      expect(offsets(joined.messages)).toEqual(upTo(60, 11));
      back.close();
    }
    speaker.close();
  });

  test("more than one answer holds is paged while others speak, and live ones wait for it", async () => {
    const room = newRoom();
    const speaker = await open(app);
    const { epoch } = await join(speaker, room);
    await sayMany(speaker, room, 1_300);

    let isPaging = true;
    const speaking = (async () => {
      for (let said = 0; isPaging || said < 50; said++)
        await say(speaker, room, `meanwhile ${said}`);
    })();
    const back = await open(app);
    const joined = await join(back, room, { epoch, offset: 10 });
    expect(joined).toMatchObject({ recovered: true, more: true, offset: 510 });
    expect(offsets(joined.messages)).toEqual(upTo(510, 11));
    const seen = offsets(joined.messages);
    for (let more = joined.more; more;) {
      const page = await history(back, room, { epoch, after: seen.at(-1), limit: 100 });
      expect(page.epoch).toBe(epoch);
      expect(page.messages.length).toBeLessThanOrEqual(100);
      seen.push(...offsets(page.messages));
      more = page.more;
    }
    const types = back.frames.map(({ type }) => type);
    const firstLive = types.indexOf("message");
    expect(firstLive === -1 || firstLive > types.lastIndexOf("history")).toBe(true);
    const another = await memberOf(app, room);
    await say(another, room, "from another");
    another.close();
    isPaging = false;
    await speaking;
    await settle(back);
    const { head } = await headOf(app, room);
    seen.push(...offsets(heard(back)));
    expect(seen).toEqual(upTo(head, 11));
    speaker.close();
    back.close();
  });

  test("history pages reach the beginning and the end, from both sides", async () => {
    const room = newRoom();
    const socket = await open(app);
    await join(socket, room);
    expect(await history(socket, room, {})).toMatchObject({ messages: [], more: false });
    expect(await history(socket, room, { after: 0 })).toMatchObject({ messages: [], more: false });
    await sayMany(socket, room, 25);

    const forward: number[] = [];
    for (let more = true; more;) {
      const page = await history(socket, room, { after: forward.at(-1) ?? 0, limit: 10 });
      forward.push(...offsets(page.messages));
      more = page.more;
    }
    expect(forward).toEqual(upTo(25));
    const backward: number[] = [];
    for (let more = true; more;) {
      const page = await history(socket, room, { before: backward[0] ?? 26, limit: 10 });
      backward.unshift(...offsets(page.messages));
      more = page.more;
    }
    expect(backward).toEqual(upTo(25));
    expect(await history(socket, room, { before: 1 })).toMatchObject({ messages: [], more: false });
    expect(await history(socket, room, { after: 25 })).toMatchObject({ messages: [], more: false });
    expect(await history(socket, room, { after: 99 })).toMatchObject({ messages: [], more: false });
    const all = await history(socket, room, { after: 0, limit: 25 });
    expect([all.messages.length, all.more]).toEqual([25, false]);
    // Without either, the last ones.
    const last = await history(socket, room, { limit: 5 });
    expect([offsets(last.messages), last.more]).toEqual([upTo(25, 21), true]);
    socket.close();
  });
});

async function memberOf(server: Served, room: string): Promise<TestSocket> {
  const socket = await open(server);
  await join(socket, room);
  return socket;
}

async function headOf(server: Served, room: string): Promise<{ head: number; epoch: string }> {
  const rooms = (await (await fetch(`${server.url}/v1/rooms`)).json()) as {
    room: string;
    head: number;
    epoch: string;
  }[];
  const found = rooms.find((one) => one.room === room);
  if (found === undefined) throw new Error(`there is no room ${room}`);
  return found;
}

describe("a restart", () => {
  test("on the same database keeps the epoch and recovers what was missed", async () => {
    const folder = temporaryFolder();
    const DATABASE_URL = `sqlite:${joinPath(folder, "kept.db")}`;
    const room = newRoom();
    const before = await startTestApp({ DATABASE_URL });
    const member = await open(before);
    const place = await join(member, room);
    const speaker = await memberOf(before, room);
    await sayMany(speaker, room, 5);
    await until(() => heard(member).length === 5);
    const last = { epoch: place.epoch, offset: 5 };
    await ask(member, { type: "leave", room }, "left");
    await sayMany(speaker, room, 3);
    await before.stop();
    expect((await member.closed).code).toBe(1012);
    expect((await speaker.closed).code).toBe(1012);

    const after = await startTestApp({ DATABASE_URL });
    const back = await open(after);
    const joined = await join(back, room, last);
    expect(joined).toMatchObject({ epoch: place.epoch, recovered: true, offset: 8 });
    expect(offsets(joined.messages)).toEqual([6, 7, 8]);
    const { offset } = await say(back, room, "after the restart");
    expect(offset).toBe(9);
    back.close();
    await after.stop();
    rmSync(folder, { recursive: true });
  });

  test("after kill -9 in a stream of messages, all that were answered are there once", async () => {
    const folder = temporaryFolder();
    const room = newRoom();
    const user = newUser();
    const first = await startTestServer({ RATE_LIMITS: "off" }, folder);
    const speaker = await open(first, user);
    const { epoch } = await join(speaker, room);
    const sayings = upTo(500).map((at) => ({
      type: "say",
      room,
      client_id: `client ${at}`,
      text: `message ${at}`,
    }));
    for (const saying of sayings) speaker.send(saying);
    const answered = (): Sent[] =>
      speaker.frames.filter(({ type }) => type === "sent") as unknown as Sent[];
    await until(() => answered().length >= 150);
    first.signal("SIGKILL");
    await first.exited;
    await speaker.closed;
    const promised = answered();
    await first.dispose();

    const second = await startTestServer({ RATE_LIMITS: "off" }, folder);
    const kept = await logOf(second, room);
    expect(offsets(kept)).toEqual(upTo(kept.length));
    expect(kept.map(({ client_id }) => client_id)).toEqual(
      sayings.slice(0, kept.length).map(({ client_id }) => client_id),
    );
    const byClientId = new Map(kept.map((message) => [message.client_id, message]));
    for (const { client_id, id, offset } of promised) {
      expect(byClientId.get(client_id)).toMatchObject({ id, offset });
    }

    // A speaker that says everything again adds only what was missing.
    const again = await open(second, user);
    expect((await join(again, room)).epoch).toBe(epoch);
    for (const saying of sayings) again.send(saying);
    for (const _ of sayings) await again.next("sent");
    const all = await logOf(second, room);
    expect(all.map(({ client_id }) => client_id)).toEqual(
      sayings.map(({ client_id }) => client_id),
    );
    again.close();
    await second.dispose();
    rmSync(folder, { recursive: true });
  });
});

/** What holds for two processes over one database, however they hear of each other. */
function sharesRooms(
  start: (folder: string) => Promise<Served & { dispose(): Promise<void> }>,
): void {
  let folder: string;
  let one: Awaited<ReturnType<typeof start>>;
  let two: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    folder = temporaryFolder();
    one = await start(folder);
    two = await start(folder);
  });
  afterAll(async () => {
    await one.dispose();
    await two.dispose();
    rmSync(folder, { recursive: true });
  });

  test("members of both hear everything once, in one order", async () => {
    const room = newRoom();
    const [a, b] = [await open(one), await open(two)];
    const [first, second] = [await join(a, room), await join(b, room)];
    expect(second.epoch).toBe(first.epoch);
    await Promise.all([sayMany(a, room, 150), sayMany(b, room, 150)]);
    await until(() => heard(a).length >= 300 && heard(b).length >= 300);
    await settle(a, b);
    expect(offsets(heard(a))).toEqual(upTo(300));
    expect(heard(b)).toEqual(heard(a));
    a.close();
    b.close();
  });

  test("a lone message that nothing follows is heard in the other", async () => {
    const room = newRoom();
    const [a, b] = [await memberOf(one, room), await memberOf(two, room)];
    await say(a, room, "only this");
    expect(await b.next("message")).toMatchObject({ offset: 1, text: "only this" });
    const { id } = await say(b, room, "and this");
    expect(await a.next("message")).toMatchObject({ offset: 1 });
    expect(await a.next("message")).toMatchObject({ offset: 2, id });
    await ask(b, { type: "remove", room, id }, "sent");
    expect(await a.next("message")).toMatchObject({ offset: 3, kind: "remove", target: id });
    a.close();
    b.close();
  });

  test("whoever breaks at one process recovers at the other", async () => {
    const room = newRoom();
    const speaker = await memberOf(one, room);
    const member = await open(one);
    const { epoch } = await join(member, room);
    await sayMany(speaker, room, 4);
    await settle(member);
    expect(offsets(heard(member))).toEqual(upTo(4));
    member.close();
    await member.closed;
    await sayMany(speaker, room, 20);
    const back = await open(two);
    const joined = await join(back, room, { epoch, offset: 4 });
    await say(speaker, room, "the last");
    await until(() => heard(back).at(-1)?.offset === 25 || joined.offset === 25);
    expect(joined).toMatchObject({ epoch, recovered: true, more: false });
    expect([...offsets(joined.messages), ...offsets(heard(back))]).toEqual(upTo(25, 5));
    speaker.close();
    back.close();
  });

  test("whoever is sent out at one process is shown out of the other", async () => {
    const [owner, guest] = [newUser(), newUser()];
    const room = newRoom();
    const made = await postJson(`${one.url}/v1/rooms?user_id=${owner}`, { room });
    expect(made.status).toBe(201);
    const [speaker, member] = [await open(one, owner), await open(two, guest)];
    await join(speaker, room);
    await join(member, room);
    const address = `${one.url}/v1/rooms/${encodeURIComponent(room)}/members/${guest}`;
    expect((await fetch(`${address}?user_id=${owner}`, { method: "DELETE" })).status).toBe(204);
    await say(speaker, room, "among ourselves");
    expect(await member.next("error")).toMatchObject({ code: "forbidden" });
    expect(await member.next("left")).toEqual({ type: "left", room });
    await settle(member);
    expect(heard(member)).toEqual([]);
    speaker.close();
    member.close();
  });

  test("the same client_id at both at once is said once", async () => {
    const room = newRoom();
    const user = newUser();
    const [a, b] = [await open(one, user), await open(two, user)];
    await join(a, room);
    await join(b, room);
    const frame = { type: "say", room, client_id: "both", text: "once" };
    const [x, y] = await Promise.all([ask(a, frame, "sent"), ask(b, frame, "sent")]);
    expect(x["id"]).toBe(y["id"]);
    expect(await logOf(two, room)).toHaveLength(1);
    a.close();
    b.close();
  });
}

describe("two processes over one database, without Redis", () =>
  sharesRooms((folder) => startTestServer({ RATE_LIMITS: "off" }, folder)));

describe.if(hasRedis)("two processes over one database and one Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.dispose());
  // The file is shared as above; what is another way is the news, which apps in one process share
  // no less.
  sharesRooms(async (folder) => {
    const app = await startTestApp({
      RATE_LIMITS: "off",
      REDIS_URL: redis.url,
      DATABASE_URL: `sqlite:${joinPath(folder, "earshot.db")}`,
    });
    return { ...app, dispose: app.stop };
  });
});
