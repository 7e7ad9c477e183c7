import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { type TestApp, startTestApp, temporaryFolder, until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";

setDefaultTimeout(30_000);

const LEASE_MS = "1500";

interface User {
  id: number;
  name: string;
}

/** Anything that serves: this process's app, or the program in one of its own. */
type Served = Pick<TestServer, "url" | "wsUrl">;

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

async function open(server: Served, user: number): Promise<TestSocket> {
  const socket = await openSocket(`${server.wsUrl}/v1/ws/chat?user_id=${user}&name=User%20${user}`);
  await socket.next("welcome");
  return socket;
}

async function ask(socket: TestSocket, frame: object, answer: string): Promise<Frame> {
  socket.send(frame);
  return socket.next(answer);
}

async function join(socket: TestSocket, room: string): Promise<number[]> {
  return idsOf((await ask(socket, { type: "join", room }, "joined"))["members"]);
}

async function member(server: Served, room: string, user = newUser()): Promise<TestSocket> {
  const socket = await open(server, user);
  await join(socket, room);
  return socket;
}

const idsOf = (members: unknown): number[] => (members as User[]).map(({ id }) => id);

async function membersOf(server: Served, room: string): Promise<number[]> {
  const response = await fetch(`${server.url}/v1/rooms/${encodeURIComponent(room)}/members`);
  return idsOf(((await response.json()) as { members: unknown }).members);
}

/** The joins and leaves that the socket saw in the room, such as `join 7 2`. */
const changes = (socket: TestSocket, room: string): string[] =>
  socket.frames
    .filter((frame) => frame.type === "presence" && frame["room"] === room)
    .map(({ event, user, members }) => `${String(event)} ${(user as User).id} ${String(members)}`);

async function settle(...sockets: TestSocket[]): Promise<void> {
  for (const socket of sockets) await ask(socket, { type: "ping" }, "pong");
}

const say = (socket: TestSocket, room: string, text: string): Promise<Frame> =>
  ask(socket, { type: "say", room, client_id: crypto.randomUUID(), text }, "sent");

const heard = (socket: TestSocket): string[] =>
  socket.frames.filter(({ type }) => type === "message").map(({ text }) => String(text));

const heardOffsets = (socket: TestSocket): number[] =>
  socket.frames.filter(({ type }) => type === "message").map(({ offset }) => Number(offset));

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);

describe("one process", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  test("several sockets of one user are one member, one join and one leave", async () => {
    const room = newRoom();
    const [watcher, user] = [newUser(), newUser()];
    const watching = await member(app, room, watcher);
    const sockets = [];
    for (let at = 0; at < 3; at++) sockets.push(await open(app, user));
    for (const socket of sockets) {
      expect(await join(socket, room)).toEqual([watcher, user]);
      expect(await membersOf(app, room)).toEqual([watcher, user]);
    }
    const [first, second, third] = sockets;
    await ask(first ?? watching, { type: "leave", room }, "left");
    second?.close();
    await second?.closed;
    await settle(watching);
    expect(await membersOf(app, room)).toEqual([watcher, user]);
    third?.close();
    await until(() => changes(watching, room).length >= 2);
    await settle(watching);
    expect(changes(watching, room)).toEqual([`join ${user} 2`, `leave ${user} 1`]);
    expect(await membersOf(app, room)).toEqual([watcher]);
    watching.close();
    first?.close();
  });

  test("a join and a leave say who it is, and rooms are kept apart", async () => {
    const [room, elsewhere] = [newRoom(), newRoom()];
    const user = newUser();
    const watching = await member(app, room);
    const other = await member(app, room, user);
    const name = `User ${user}`;
    const change = { type: "presence", room, user: { id: user, name }, members: 2 };
    expect(await watching.next("presence")).toEqual({ ...change, event: "join" });
    await join(other, elsewhere);
    await ask(other, { type: "leave", room }, "left");
    expect(await watching.next("presence")).toEqual({ ...change, event: "leave", members: 1 });
    expect(await membersOf(app, elsewhere)).toEqual([user]);
    expect(changes(watching, elsewhere)).toEqual([]);
    watching.close();
    other.close();
  });

  test("a room that all have left has no members, and coming back is a join again", async () => {
    const room = newRoom();
    const user = newUser();
    const socket = await member(app, room, user);
    await ask(socket, { type: "leave", room }, "left");
    expect(await membersOf(app, room)).toEqual([]);
    expect(await join(socket, room)).toEqual([user]);
    const watching = await member(app, room);
    socket.close();
    await until(() => changes(watching, room).includes(`leave ${user} 1`));
    const again = await member(app, room, user);
    await until(() => changes(watching, room).at(-1) === `join ${user} 2`);
    watching.close();
    again.close();
  });

  test("a crowd that comes and goes at once is counted right", async () => {
    const room = newRoom();
    const watching = await member(app, room);
    const crowd = await Promise.all(upTo(30).map(() => member(app, room)));
    expect(await membersOf(app, room)).toHaveLength(31);
    for (const one of crowd) one.close();
    await until(async () => (await membersOf(app, room)).length === 1);
    await settle(watching);
    const seen = changes(watching, room);
    expect(seen).toHaveLength(60);
    expect(new Set(seen.map((one) => one.split(" ").slice(0, 2).join(" "))).size).toBe(60);
    expect(seen.at(-1)).toEndWith(" 1");
    watching.close();
  });
});

describe.if(hasRedis)("two processes with Redis", () => {
  let folder: string;
  let redis: TestRedis;
  let one: TestServer;
  let two: TestServer;
  const start = (): Promise<TestServer> =>
    startTestServer({ REDIS_URL: redis.url, PRESENCE_LEASE_MS: LEASE_MS }, folder);
  beforeAll(async () => {
    folder = temporaryFolder();
    redis = await startRedis();
    one = await start();
    two = await start();
    await until(() => isReady(one));
    await until(() => isReady(two));
  });
  afterAll(async () => {
    await one.dispose();
    await two.dispose();
    await redis.dispose();
    rmSync(folder, { recursive: true });
  });

  const isReady = async (server: Served): Promise<boolean> =>
    (await fetch(`${server.url}/readyz`)).ok;

  test("a join and a leave are seen once in both, over however many sockets", async () => {
    const room = newRoom();
    const [x, y, user] = [newUser(), newUser(), newUser()];
    const atOne = await member(one, room, x);
    const atTwo = await open(two, y);
    expect(await join(atTwo, room)).toEqual([x, y]);
    await until(() => changes(atOne, room).length >= 1);

    const sockets = [await open(one, user), await open(two, user)] as const;
    for (const socket of sockets) expect(await join(socket, room)).toEqual([x, y, user]);
    await until(() => changes(atTwo, room).includes(`join ${user} 3`));
    for (const server of [one, two]) expect(await membersOf(server, room)).toEqual([x, y, user]);
    sockets[0].close();
    await sockets[0].closed;
    await say(atOne, room, "in between");
    await atTwo.next("message");
    sockets[1].close();
    const expected = [`join ${user} 3`, `leave ${user} 2`];
    await until(() => changes(atOne, room).length >= 3 && changes(atTwo, room).length >= 2);
    await settle(atOne, atTwo);
    expect(changes(atOne, room)).toEqual([`join ${y} 2`, ...expected]);
    expect(changes(atTwo, room)).toEqual(expected);
    atOne.close();
    atTwo.close();
  });

  test("members of a process that was killed leave once when its lease ends", async () => {
    const room = newRoom();
    const three = await start();
    await until(() => isReady(three));
    const [x, y, z] = [newUser(), newUser(), newUser()];
    const watching = await member(one, room, x);
    const other = await member(two, room, x);
    await member(three, room, y);
    await member(three, room, z);
    await until(() => changes(watching, room).length >= 2 && changes(other, room).length >= 2);
    three.signal("SIGKILL");
    await three.dispose();
    const isGone = (socket: TestSocket): boolean =>
      changes(socket, room).filter((change) => change.startsWith("leave")).length >= 2;
    await until(() => isGone(watching) && isGone(other));
    for (const server of [one, two]) expect(await membersOf(server, room)).toEqual([x]);
    // Another round of comparing tells nothing again.
    await Bun.sleep(Number(LEASE_MS) / 2);
    await settle(watching, other);
    for (const socket of [watching, other]) {
      const left = changes(socket, room).filter((change) => change.startsWith("leave"));
      expect(new Set(left.map((change) => Number(change.split(" ")[1])))).toEqual(new Set([y, z]));
      expect(left).toHaveLength(2);
      expect(left.at(-1)).toEndWith(" 1");
    }
    watching.close();
    other.close();
  });

  test("a process that is stopped takes its members along at once", async () => {
    const room = newRoom();
    const three = await start();
    await until(() => isReady(three));
    const [x, y] = [newUser(), newUser()];
    const watching = await member(one, room, x);
    const leaving = await member(three, room, y);
    await until(() => changes(watching, room).includes(`join ${y} 2`));
    three.signal("SIGTERM");
    expect(await three.exited).toBe(0);
    expect((await leaving.closed).code).toBe(1012);
    await until(() => changes(watching, room).includes(`leave ${y} 1`));
    expect(await membersOf(two, room)).toEqual([x]);
    await three.dispose();
    watching.close();
  });

  test("Redis may go and come back: nothing is lost or doubled, and members are right", async () => {
    const room = newRoom();
    const [x, y, z] = [newUser(), newUser(), newUser()];
    const atOne = await member(one, room, x);
    const besideOne = await member(one, room, y);
    const atTwo = await member(two, room, z);
    await until(() => changes(atOne, room).includes(`join ${z} 3`));
    let said = 0;
    const sayAll = async (): Promise<void> => {
      for (const socket of [atOne, besideOne, atTwo]) await say(socket, room, `said ${++said}`);
    };
    await sayAll();

    await redis.kill();
    for (const server of [one, two]) {
      await until(async () => !(await isReady(server)));
      const response = await fetch(`${server.url}/readyz`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ status: "down", parts: { redis: "down" } });
    }
    await say(atOne, room, `said ${++said}`);
    await settle(besideOne);
    expect(heard(besideOne)).toContain(`said ${said}`);
    await sayAll();
    const newcomer = newUser();
    const meanwhile = await open(two, newcomer);
    await join(meanwhile, room);
    expect(await membersOf(two, room)).toContain(newcomer);
    besideOne.close();
    await until(() => changes(atOne, room).some((change) => change.startsWith(`leave ${y} `)));

    await redis.start();
    for (const server of [one, two]) await until(() => isReady(server));
    await say(atOne, room, `said ${++said}`);
    await say(atTwo, room, `said ${++said}`);
    for (const server of [one, two]) {
      await until(async () => String(await membersOf(server, room)) === String([x, z, newcomer]));
    }
    for (const socket of [atOne, atTwo]) {
      await until(() => heardOffsets(socket).at(-1) === said);
      await settle(socket);
      expect(heardOffsets(socket)).toEqual(upTo(said));
      expect(new Set(heard(socket)).size).toBe(said);
      const seen = changes(socket, room);
      const of = (what: string): string[] => seen.filter((change) => change.startsWith(what));
      expect(of(`join ${newcomer} `)).toHaveLength(1);
      expect(of(`leave ${y} `)).toHaveLength(1);
      expect([...of(`leave ${x} `), ...of(`leave ${z} `)]).toEqual([]);
    }
    for (const socket of [atOne, atTwo, meanwhile]) socket.close();
  });
});
