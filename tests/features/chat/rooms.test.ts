import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";

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
  at: number;
}

interface Joined {
  epoch: string;
  offset: number;
  recovered: boolean;
  more: boolean;
  messages: Message[];
  members: { id: number; name: string }[];
  read: number;
}

interface Sent {
  client_id: string;
  id: number;
  offset: number;
}

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

/** Every test has users and rooms of its own, so none disturbs another. */
let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

async function open(user = newUser(), name = `User ${user}`): Promise<TestSocket> {
  const asked = `user_id=${user}&name=${encodeURIComponent(name)}`;
  const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?${asked}`);
  await socket.next("welcome");
  return socket;
}

async function join(socket: TestSocket, room: string): Promise<Joined> {
  socket.send({ type: "join", room });
  return (await socket.next("joined")) as unknown as Joined;
}

async function member(room: string, user = newUser()): Promise<TestSocket> {
  const socket = await open(user);
  await join(socket, room);
  return socket;
}

async function ask(socket: TestSocket, frame: object, answer: string): Promise<Frame> {
  socket.send(frame);
  return socket.next(answer);
}

async function say(
  socket: TestSocket,
  room: string,
  text: string,
  client_id: string = crypto.randomUUID(),
): Promise<Sent> {
  return (await ask(socket, { type: "say", room, client_id, text }, "sent")) as unknown as Sent;
}

async function errorOf(socket: TestSocket, frame: object): Promise<string> {
  return String((await ask(socket, frame, "error"))["code"]);
}

/** Everything that was sent to the socket before now has come when this resolves. */
async function settle(...sockets: TestSocket[]): Promise<void> {
  for (const socket of sockets) await ask(socket, { type: "ping" }, "pong");
}

const heard = (socket: TestSocket, room?: string): Message[] =>
  (socket.frames as unknown as (Message & { type: string })[]).filter(
    (frame) => frame.type === "message" && (room === undefined || frame.room === room),
  );

async function history(socket: TestSocket, room: string): Promise<Message[]> {
  const frame = await ask(socket, { type: "history", room, after: 0 }, "history");
  return frame["messages"] as Message[];
}

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

describe("welcome", () => {
  test("comes first and says who one is and what the limits are", async () => {
    const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?user_id=7&name=%E0%A4%86%E0%A4%B6`);
    const welcome = await socket.next();
    expect(Object.keys(welcome).sort()).toEqual(["limits", "session_id", "type", "user"]);
    expect(welcome).toMatchObject({ type: "welcome", user: { id: 7, name: "आश" } });
    expect(welcome["limits"]).toEqual({
      text_characters: 4_000,
      history_messages: 500,
      rooms: 100,
      frame_bytes: 65_536,
      idle_ms: 120_000,
      lifetime_ms: 86_400_000,
      unsent_bytes: 1_048_576,
      frames_per_s: 200,
      frames_burst: 1_000,
    });
    socket.close();
  });

  test("gives a guest a token that brings the same guest back", async () => {
    const first = await openSocket(`${app.wsUrl}/v1/ws/chat`);
    const { user, guest_token: token } = await first.next("welcome");
    first.close();
    const protocols = ["earshot.v1", `bearer.${String(token)}`];
    const second = await openSocket(`${app.wsUrl}/v1/ws/chat`, { protocols });
    const welcome = await second.next("welcome");
    expect(welcome["user"]).toEqual(user);
    expect(welcome["guest_token"]).toBeUndefined();
    expect(second.raw.protocol).toBe("earshot.v1");
    second.close();
  });

  test("the room limit it announces holds, and a room that was left makes place", async () => {
    const socket = await open();
    const name = newRoom();
    for (const at of upTo(100)) await join(socket, `${name} ${at}`);
    expect(await errorOf(socket, { type: "join", room: `${name} 101` })).toBe("bad_request");
    await ask(socket, { type: "leave", room: `${name} 1` }, "left");
    await join(socket, `${name} 101`);
    socket.close();
  });

  test("the frame limit it announces holds", async () => {
    const socket = await open();
    const room = newRoom();
    socket.send({ type: "say", room, client_id: "long", text: "x".repeat(65_536) });
    expect((await socket.next("error"))["code"]).toBe("frame_too_large");
    expect((await socket.closed).code).toBe(1009);
  });
});

describe("joining", () => {
  test("an empty room answers with nothing in it but oneself", async () => {
    const user = newUser();
    const socket = await open(user, "Asha");
    const joined = await join(socket, newRoom());
    expect(joined).toMatchObject({ offset: 0, recovered: false, more: false, messages: [] });
    expect(joined).toMatchObject({ read: 0, members: [{ id: user, name: "Asha" }] });
    expect(joined.epoch).not.toBe("");
    socket.close();
  });

  test("a newcomer gets the last 50 messages and then the live ones without a hole", async () => {
    const room = newRoom();
    const speaker = await member(room);
    for (const at of upTo(60)) await say(speaker, room, `message ${at}`);
    const newcomer = await open();
    const joined = await join(newcomer, room);
    expect(joined.messages.map(({ offset }) => offset)).toEqual(upTo(60, 11));
    expect(joined.messages.map(({ text }) => text)).toEqual(
      upTo(60, 11).map((at) => `message ${at}`),
    );
    expect(joined).toMatchObject({ offset: 60, recovered: false, more: false });
    await say(speaker, room, "live");
    expect(await newcomer.next("message")).toMatchObject({ offset: 61, epoch: joined.epoch });
    expect(newcomer.frames.findIndex(({ type }) => type === "message")).toBeGreaterThan(
      newcomer.frames.findIndex(({ type }) => type === "joined"),
    );
    speaker.close();
    newcomer.close();
  });

  test("a room in the address is joined at once, before any frame is answered", async () => {
    const room = newRoom();
    const address = `${app.wsUrl}/v1/ws/chat?user_id=${newUser()}&room=${encodeURIComponent(room)}`;
    const socket = await openSocket(address);
    socket.send({ type: "say", room, client_id: "first", text: "at once" });
    expect(await socket.next("sent")).toMatchObject({ room, offset: 1 });
    expect(socket.frames.map(({ type }) => type).slice(0, 2)).toEqual(["welcome", "joined"]);
    socket.close();
  });

  test("joining twice is an error, and the place in the room stays", async () => {
    const room = newRoom();
    const socket = await member(room);
    expect(await errorOf(socket, { type: "join", room })).toBe("bad_request");
    await say(socket, room, "still here");
    expect(heard(socket)).toHaveLength(1);
    socket.close();
  });

  test("a name may be anything that people write, up to 100 characters", async () => {
    const socket = await open();
    const names = [
      "सभा कक्ष",
      "a/b?c#d%20",
      "😀".repeat(100),
      "x".repeat(100),
      " ",
      "..",
      "日本 №1",
    ];
    for (const room of names) {
      await join(socket, room);
      await say(socket, room, room.trim() === "" ? "blank" : room);
      expect(heard(socket, room).map(({ text }) => text)).toContain(
        room.trim() === "" ? "blank" : room,
      );
    }
    socket.close();
  });

  test("names that are empty, too long or hold control characters are refused", async () => {
    const socket = await open();
    const names = ["", "x".repeat(101), "😀".repeat(101), "bell\u0007", "line\nbreak", "\u0000"];
    for (const room of [...names, "\u007f", "a|b", "half \ud83d", 7, null, ["a"], { a: 1 }]) {
      expect([room, await errorOf(socket, { type: "join", room })]).toEqual([room, "bad_request"]);
    }
    socket.close();
    const opening = openSocket(`${app.wsUrl}/v1/ws/chat?room=a%07`);
    expect(
      await opening.then(
        () => "opened",
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("several rooms live on one socket and are kept apart", async () => {
    const rooms = [newRoom(), newRoom(), newRoom()] as const;
    const both = await open();
    for (const room of rooms) await join(both, room);
    const other = await member(rooms[1]);
    await say(both, rooms[0], "to the first");
    await say(both, rooms[1], "to the second");
    await say(other, rooms[1], "from the other");
    await settle(both, other);
    expect(heard(both).map(({ room, offset }) => [room, offset])).toEqual([
      [rooms[0], 1],
      [rooms[1], 1],
      [rooms[1], 2],
    ]);
    expect(heard(other).map(({ text }) => text)).toEqual(["to the second", "from the other"]);
    both.close();
    other.close();
  });

  test("whoever leaves hears no more, and may come back", async () => {
    const room = newRoom();
    const stays = await member(room);
    const leaves = await member(room);
    const left = await ask(leaves, { type: "leave", room, ref: "bye" }, "left");
    expect(left).toEqual({ type: "left", room, ref: "bye" });
    await say(stays, room, "you do not hear this");
    await settle(leaves);
    expect(heard(leaves)).toEqual([]);
    expect((await join(leaves, room)).messages).toHaveLength(1);
    await say(stays, room, "but this");
    await settle(leaves);
    expect(heard(leaves).map(({ text }) => text)).toEqual(["but this"]);
    stays.close();
    leaves.close();
  });

  test("whoever is not in a room gets not_found for everything else there", async () => {
    const room = newRoom();
    const inside = await member(room);
    const { id } = await say(inside, room, "inside");
    const outside = await open();
    const frames = [
      { type: "leave", room },
      { type: "say", room, client_id: "a", text: "hello" },
      { type: "edit", room, id, text: "hello" },
      { type: "remove", room, id },
      { type: "typing", room },
      { type: "read", room, offset: 1 },
      { type: "history", room, after: 0 },
    ];
    for (const frame of frames) {
      expect([frame.type, await errorOf(outside, frame)]).toEqual([frame.type, "not_found"]);
    }
    await settle(inside);
    expect(heard(inside)).toHaveLength(1);
    inside.close();
    outside.close();
  });
});

describe("saying", () => {
  test("brings the message to everybody, the sender included, and `sent` to the sender", async () => {
    const room = newRoom();
    const user = newUser();
    const sender = await open(user, "Asha");
    await join(sender, room);
    const other = await member(room);
    const before = Date.now();
    const text = 'नमस्ते 😀 "quoted" \\ \u0000 line\nbreak <b>';
    const sent = await say(sender, room, text, "mine");
    expect(sent).toEqual({ type: "sent", client_id: "mine", room, id: sent.id, offset: 1 } as Sent);
    const mine = await sender.next("message");
    expect(mine).toMatchObject({ room, offset: 1, id: sent.id, client_id: "mine", kind: "text" });
    expect(mine).toMatchObject({ user: { id: user, name: "Asha" }, text });
    expect(mine["target"]).toBeUndefined();
    expect(mine["at"]).toBeGreaterThanOrEqual(before);
    expect(mine["at"]).toBeLessThanOrEqual(Date.now());
    expect(await other.next("message")).toEqual(mine);
    expect((await history(other, room))[0] as unknown).toEqual(mine);
    expect(other.frames.some(({ type }) => type === "sent")).toBe(false);
    sender.close();
    other.close();
  });

  test("the same client_id again is answered with the first id and said once", async () => {
    const room = newRoom();
    const user = newUser();
    const listener = await member(room);
    const first = await member(room, user);
    const { id, offset } = await say(first, room, "once", "the same");
    const again = { id, offset, client_id: "the same" };
    expect(await say(first, room, "once", "the same")).toMatchObject(again);
    expect(await say(first, room, "with other words", "the same")).toMatchObject(again);

    const second = await member(room, user);
    expect(await say(second, room, "once", "the same")).toMatchObject(again);
    first.close();
    second.close();

    const third = await member(room, user);
    expect(await say(third, room, "once", "the same")).toMatchObject(again);
    const address = `${app.url}/v1/rooms/${encodeURIComponent(room)}/messages?user_id=${user}`;
    const response = await postJson(address, { client_id: "the same", text: "once" });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ ...again, text: "once" });

    await settle(listener);
    expect(heard(listener).map(({ text }) => text)).toEqual(["once"]);
    listener.close();
    third.close();
  });

  test("the same client_id at the same time over many sockets is said once", async () => {
    const room = newRoom();
    const user = newUser();
    const sockets = await Promise.all(upTo(6).map(() => member(room, user)));
    const answers = await Promise.all(sockets.map((one) => say(one, room, "race", "one id")));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await settle(...sockets);
    for (const socket of sockets) {
      expect(heard(socket)).toHaveLength(1);
      socket.close();
    }
  });

  test("a client_id is one's own, and a room's own", async () => {
    const [room, elsewhere] = [newRoom(), newRoom()];
    const one = await member(room);
    await join(one, elsewhere);
    const other = await member(room);
    const ids = [
      await say(one, room, "mine", "1"),
      await say(other, room, "the other's", "1"),
      await say(one, elsewhere, "elsewhere", "1"),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    one.close();
    other.close();
  });

  test("8 speakers at once: every member sees every offset once and in order", async () => {
    const room = newRoom();
    const EACH = 200;
    const speakers = await Promise.all(upTo(8).map(() => member(room)));
    const listener = await member(room);
    for (const at of upTo(EACH)) {
      speakers.forEach((speaker, who) =>
        speaker.send({ type: "say", room, client_id: `${who}-${at}`, text: `${who} ${at}` }),
      );
    }
    // Somebody who comes in the middle continues exactly where `joined` ends.
    await until(() => heard(listener).length > 200);
    const late = await open();
    const joined = await join(late, room);

    const all = upTo(8 * EACH);
    const everybody = [...speakers, listener];
    await until(() => everybody.every((one) => heard(one).length >= all.length));
    await until(() => heard(late).at(-1)?.offset === all.length);
    await settle(...everybody, late);
    for (const one of everybody) expect(heard(one).map(({ offset }) => offset)).toEqual(all);
    const seen = [...joined.messages, ...heard(late)].map(({ offset }) => offset);
    expect(seen).toEqual(upTo(all.length, seen[0]));
    expect(heard(late)[0]?.offset).toBe(joined.offset + 1);
    for (const [who] of speakers.entries()) {
      const own = heard(listener).filter(({ text }) => text.startsWith(`${who} `));
      expect(own.map(({ text }) => text)).toEqual(upTo(EACH).map((at) => `${who} ${at}`));
    }
    for (const speaker of speakers) {
      const sent = speaker.frames.filter(({ type }) => type === "sent");
      expect(sent).toHaveLength(EACH);
      const offsets = new Map(heard(listener).map((one) => [one.id, one.offset]));
      for (const one of sent) expect(offsets.get(Number(one["id"]))).toBe(Number(one["offset"]));
    }
    for (const one of [...everybody, late]) one.close();
  });

  test("a text may have 4,000 characters, each counted once whatever it is made of", async () => {
    const room = newRoom();
    const socket = await member(room);
    for (const letter of ["x", "न", "😀"]) {
      await say(socket, room, letter.repeat(4_000));
      const tooLong = { type: "say", room, client_id: "long", text: letter.repeat(4_001) };
      expect(await errorOf(socket, tooLong)).toBe("bad_request");
    }
    expect((await history(socket, room)).map(({ text }) => [...text].length)).toEqual([
      4_000, 4_000, 4_000,
    ]);
    socket.close();
  });

  test("a text must say something", async () => {
    const room = newRoom();
    const socket = await member(room);
    const { id } = await say(socket, room, "something");
    for (const text of ["", " ", "\n\t \u00a0"]) {
      const saying = { type: "say", room, client_id: "empty", text };
      expect(await errorOf(socket, saying)).toBe("bad_request");
      expect(await errorOf(socket, { type: "edit", room, id, text })).toBe("bad_request");
    }
    expect(await history(socket, room)).toHaveLength(1);
    socket.close();
  });
});

describe("editing and removing", () => {
  test("one's own message, as later events that everybody gets", async () => {
    const room = newRoom();
    const author = await member(room);
    const other = await member(room);
    const { id } = await say(author, room, "frist");
    const edited = await ask(author, { type: "edit", room, id, text: "first" }, "sent");
    expect(edited).toMatchObject({ room, offset: 2 });
    const removed = await ask(author, { type: "remove", room, id }, "sent");
    expect(removed).toMatchObject({ room, offset: 3 });
    await settle(other);
    expect(
      heard(other).map(({ kind, target, text, offset }) => [kind, target, text, offset]),
    ).toEqual([
      ["text", undefined, "frist", 1],
      ["edit", id, "first", 2],
      ["remove", id, "", 3],
    ]);
    expect(heard(other)[1]?.id).toBe(Number(edited["id"]));
    author.close();
    other.close();
  });

  test("another's message is forbidden, and nothing happens", async () => {
    const room = newRoom();
    const author = await member(room);
    const other = await member(room);
    const { id } = await say(author, room, "mine");
    expect(await errorOf(other, { type: "edit", room, id, text: "yours" })).toBe("forbidden");
    expect(await errorOf(other, { type: "remove", room, id })).toBe("forbidden");
    expect((await history(other, room)).map(({ text }) => text)).toEqual(["mine"]);
    author.close();
    other.close();
  });

  test("the room's owner may remove any message and edit none", async () => {
    const room = newRoom();
    const owner = newUser();
    expect((await postJson(`${app.url}/v1/rooms?user_id=${owner}`, { room })).status).toBe(201);
    const author = await member(room);
    const own = await member(room, owner);
    const { id } = await say(author, room, "rude");
    expect(await errorOf(own, { type: "edit", room, id, text: "kind" })).toBe("forbidden");
    await ask(own, { type: "remove", room, id }, "sent");
    await settle(author);
    expect(heard(author).at(-1)).toMatchObject({ kind: "remove", target: id, user: { id: owner } });
    author.close();
    own.close();
  });

  test("what is gone, never was, is an edit itself, or is elsewhere is not found", async () => {
    const [room, elsewhere] = [newRoom(), newRoom()];
    const socket = await member(room);
    await join(socket, elsewhere);
    const { id } = await say(socket, room, "here");
    const other = await say(socket, elsewhere, "there");
    const edit = await ask(socket, { type: "edit", room, id, text: "Here" }, "sent");
    await ask(socket, { type: "remove", room, id }, "sent");
    for (const target of [id, Number(edit["id"]), other.id, 2 ** 40]) {
      expect(await errorOf(socket, { type: "edit", room, id: target, text: "x" })).toBe(
        "not_found",
      );
      expect(await errorOf(socket, { type: "remove", room, id: target })).toBe("not_found");
    }
    expect((await history(socket, elsewhere)).map(({ text }) => text)).toEqual(["there"]);
    socket.close();
  });

  test("removed words are in no history any more, nor those of their edits", async () => {
    const room = newRoom();
    const socket = await member(room);
    const { id } = await say(socket, room, "secret one");
    await ask(socket, { type: "edit", room, id, text: "secret two" }, "sent");
    await say(socket, room, "harmless");
    await ask(socket, { type: "remove", room, id }, "sent");
    const kept = await history(socket, room);
    expect(kept.map(({ offset, kind, text }) => [offset, kind, text])).toEqual([
      [1, "text", ""],
      [2, "edit", ""],
      [3, "text", "harmless"],
      [4, "remove", ""],
    ]);
    const newcomer = await open();
    const joined = await join(newcomer, room);
    const page = await fetch(`${app.url}/v1/rooms/${encodeURIComponent(room)}/messages`);
    expect(JSON.stringify([joined, await page.json()])).not.toContain("secret");
    socket.close();
    newcomer.close();
  });

  test("a message that was removed is not said again by its client_id", async () => {
    const room = newRoom();
    const socket = await member(room);
    const { id } = await say(socket, room, "gone", "gone");
    await ask(socket, { type: "remove", room, id }, "sent");
    expect((await say(socket, room, "gone", "gone")).id).toBe(id);
    expect(await history(socket, room)).toHaveLength(2);
    socket.close();
  });
});

describe("what is shown and not kept", () => {
  test("the others see that one is typing", async () => {
    const room = newRoom();
    const user = newUser();
    const typist = await open(user, "Ben");
    await join(typist, room);
    const other = await member(room);
    typist.send({ type: "typing", room });
    expect(await other.next("typing")).toEqual({
      type: "typing",
      room,
      user: { id: user, name: "Ben" },
    });
    expect(await history(other, room)).toEqual([]);
    typist.close();
    other.close();
  });
});

describe("the read position", () => {
  test("is the user's, comes back in joined, and never goes backwards or past the end", async () => {
    const room = newRoom();
    const user = newUser();
    const socket = await member(room, user);
    for (const at of upTo(5)) await say(socket, room, `message ${at}`);
    const readAfter = async (offset: number): Promise<number> => {
      socket.send({ type: "read", room, offset });
      await settle(socket);
      const again = await open(user);
      const { read } = await join(again, room);
      again.close();
      return read;
    };
    expect(await readAfter(3)).toBe(3);
    expect(await readAfter(1)).toBe(3);
    expect(await readAfter(4)).toBe(4);
    expect(await readAfter(1_000)).toBe(5);
    expect(await readAfter(0)).toBe(5);
    const stranger = await open();
    expect((await join(stranger, room)).read).toBe(0);
    socket.close();
    stranger.close();
  });
});

describe("frames", () => {
  test("`ref` comes back in every answer and every error", async () => {
    const room = newRoom();
    const socket = await open();
    const exchanges: [object, string][] = [
      [{ type: "ping" }, "pong"],
      [{ type: "join", room }, "joined"],
      [{ type: "join", room }, "error"],
      [{ type: "say", room, client_id: "1", text: "hello" }, "sent"],
      [{ type: "say", room, client_id: "1", text: "hello" }, "sent"],
      [{ type: "say", room, client_id: "2", text: "" }, "error"],
      [{ type: "edit", room, id: 2 ** 40, text: "x" }, "error"],
      [{ type: "remove", room, id: 2 ** 40 }, "error"],
      [{ type: "history", room }, "history"],
      [{ type: "history", room, before: 1 }, "history"],
      [{ type: "authenticate", token: "no token" }, "error"],
      [{ type: "dance" }, "error"],
      [{ type: "leave", room, extra: true }, "error"],
      [{}, "error"],
      [{ type: "leave", room }, "left"],
      [{ type: "leave", room }, "error"],
    ];
    for (const [at, [frame, answer]] of exchanges.entries()) {
      const ref = at % 2 === 0 ? `ref ${at}` : -at;
      expect(await ask(socket, { ...frame, ref }, answer)).toMatchObject({ ref });
    }
    await join(socket, room);
    const { id } = await say(socket, room, "to edit");
    for (const frame of [
      { type: "edit", id, text: "edited" },
      { type: "remove", id },
    ]) {
      expect(await ask(socket, { ...frame, room, ref: "r" }, "sent")).toMatchObject({ ref: "r" });
    }
    socket.close();
  });

  test("what is no frame, or not a known one, is an error and the socket lives", async () => {
    const room = newRoom();
    const socket = await member(room);
    const say = { type: "say", room, client_id: "c", text: "hello" };
    const wrong = [
      "",
      "{",
      "null",
      "[]",
      "7",
      '"ping"',
      "{}",

      { type: 7 },
      { type: null },
      { type: "Ping" },
      { type: "welcome" },
      { type: "__proto__" },

      { type: "ping", more: 1 },
      { ...say, extra: 1 },
      { ...say, client_id: "" },

      { ...say, client_id: "x".repeat(101) },
      { ...say, text: 7 },
      { type: "say", room },

      { ...say, ref: { a: 1 } },
      { ...say, ref: "r".repeat(65) },
      { ...say, ref: 1.5 },

      { type: "read", room, offset: -1 },
      { type: "read", room, offset: 1.5 },

      { type: "history", room, limit: 0 },
      { type: "history", room, limit: 501 },

      { type: "edit", room, id: "1", text: "x" },
      { type: "remove", room, id: 0 },
      { type: "join", room: `${room} 2`, after: { epoch: "e" } },
      { type: "join", room: `${room} 2`, after: { epoch: "e", offset: 1, more: 1 } },
      { type: "join", room: `${room} 2`, after: null },
    ];
    for (const frame of wrong) {
      socket.sendRaw(typeof frame === "string" ? frame : JSON.stringify(frame));
      const error = await socket.next("error");
      expect([frame, error["code"], error["retryable"]]).toEqual([frame, "bad_request", false]);
      expect(error["message"]).toBeString();
    }
    await settle(socket);
    expect(await history(socket, room)).toEqual([]);
    socket.close();
  });

  test("a binary frame is an error and the socket lives", async () => {
    const socket = await open();
    socket.sendRaw(new Uint8Array([1, 2, 3]));
    expect((await socket.next("error"))["code"]).toBe("bad_request");
    await settle(socket);
    socket.close();
  });
});
