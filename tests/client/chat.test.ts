import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { createHmac } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type ChatClient,
  type ChatClientOptions,
  ChatError,
  type RoomListener,
  connectChat,
} from "../../src/client/chat.ts";
import { type TestApp, postJson, startTestApp, temporaryFolder, until } from "../support/app.ts";
import { type TestServer, startTestServer } from "../support/server.ts";
import type { Frame } from "../support/socket.ts";

setDefaultTimeout(30_000);

type Message = Parameters<NonNullable<RoomListener["message"]>>[0];

/** A listener that writes everything down. */
interface Notes extends RoomListener {
  messages: Message[];
  /** What happened beside messages, such as `joined true` or `left forbidden`. */
  events: string[];
}

function takeNotes(): Notes {
  const messages: Message[] = [];
  const events: string[] = [];
  return {
    messages,
    events,
    message: (message) => void messages.push(message),
    joined: ({ recovered, read }) => void events.push(`joined ${recovered} ${read}`),
    reset: () => void events.push("reset"),
    gap: (from, to) => void events.push(`gap ${from} ${to}`),
    presence: ({ event, user }) => void events.push(`${event} ${user.id}`),
    typing: ({ id }) => void events.push(`typing ${id}`),
    left: (reason) => void events.push(`left ${reason?.code ?? "by itself"}`),
  };
}

let users = 100;
const newUser = (): number => ++users;
const newRoom = (): string => `room ${++users}`;

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

const offsets = ({ messages }: Notes): number[] => messages.map(({ offset }) => offset);
const texts = ({ messages }: Notes): string[] => messages.map(({ text }) => text);

/** Clients of a test; all are closed after it. */
const clients: ChatClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function connect(url: string, options: Partial<ChatClientOptions> = {}): ChatClient {
  const client = connectChat({ url: url.replace("http:", "ws:"), ...options });
  clients.push(client);
  return client;
}

const connectAs = (url: string, userId = newUser()): ChatClient =>
  connect(url, { userId, name: `User ${userId}` });

const hasJoined = (notes: Notes): Promise<void> =>
  until(() => notes.events.some((event) => event.startsWith("joined")));

/** `done`, or why not. */
async function outcome(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => "done",
    (error: unknown) => (error instanceof ChatError ? error.frame.code : "rejected"),
  );
}

interface Relay {
  url: string;
  /** What the client sent, over all its connections. */
  asked: Frame[];
  /** Changes what the server sends; null drops it. */
  tamper: (frame: Frame) => Frame | null;
  /** Ends every connection of the client with that code. */
  end(code: number): void;
  /** Gives the client something that the server did not send. */
  inject(frame: Frame): void;
  stop(): Promise<void>;
}

/** Stands between a client and the server, and does on demand what networks do by chance. */
function startRelay(target: string): Relay {
  interface Link {
    address: string;
    protocols: string[];
    upstream: WebSocket | null;
    waiting: string[];
  }
  const links = new Set<Bun.ServerWebSocket<Link>>();
  const server = Bun.serve<Link>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      const { pathname, search } = new URL(request.url);
      const offered = request.headers.get("sec-websocket-protocol") ?? "";
      const data: Link = {
        address: `${target}${pathname}${search}`,
        protocols: offered.split(",").map((one) => one.trim()),
        upstream: null,
        waiting: [],
      };
      const headers = { "sec-websocket-protocol": "earshot.v1" };
      return self.upgrade(request, { data, headers })
        ? undefined
        : new Response(null, { status: 400 });
    },
    websocket: {
      open: (socket) => {
        const { address, protocols, waiting } = socket.data;
        const upstream = new WebSocket(address, protocols);
        socket.data.upstream = upstream;
        links.add(socket);
        upstream.addEventListener("open", () => {
          for (const text of waiting.splice(0)) upstream.send(text);
        });
        upstream.addEventListener("message", ({ data }) => {
          const frame = relay.tamper(JSON.parse(String(data)) as Frame);
          if (frame !== null && links.has(socket)) socket.send(JSON.stringify(frame));
        });
        upstream.addEventListener("close", ({ code }) => {
          if (links.delete(socket)) socket.close(code === 1006 ? 1012 : code);
        });
      },
      message: (socket, text) => {
        const { upstream, waiting } = socket.data;
        relay.asked.push(JSON.parse(String(text)) as Frame);
        if (upstream?.readyState === WebSocket.OPEN) upstream.send(text);
        else waiting.push(String(text));
      },
      close: (socket) => {
        links.delete(socket);
        socket.data.upstream?.close();
      },
    },
  });
  const relay: Relay = {
    url: `http://127.0.0.1:${server.port}`,
    asked: [],
    tamper: (frame) => frame,
    end: (code) => {
      for (const socket of links) {
        links.delete(socket);
        socket.close(code);
      }
    },
    inject: (frame) => {
      for (const socket of links) socket.send(JSON.stringify(frame));
    },
    stop: () => server.stop(true),
  };
  return relay;
}

describe("a client", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  const kept = async (room: string): Promise<Message[]> => {
    const address = `${app.url}/v1/rooms/${encodeURIComponent(room)}/messages?after=0`;
    return ((await (await fetch(address)).json()) as { messages: Message[] }).messages;
  };

  test("has said something when it is kept, and hears it like everybody else", async () => {
    const room = newRoom();
    const [mine, others] = [takeNotes(), takeNotes()];
    const user = newUser();
    const client = connectAs(app.url, user);
    connectAs(app.url).join(room, others);
    await hasJoined(others);
    // It need not wait for the connection.
    const { id, offset } = await client.join(room, mine).say("hello");
    expect(offset).toBe(1);
    expect(await kept(room)).toMatchObject([{ id, offset, text: "hello" }]);
    expect(client.user()).toEqual({ id: user, name: `User ${user}` });
    expect(client.state()).toBe("open");
    await until(() => mine.messages.length === 1 && others.messages.length === 1);
    expect(others.messages).toEqual(mine.messages);
  });

  test("edits, removes, reads earlier ones, types, marks what is read, and leaves", async () => {
    const room = newRoom();
    const [user, other] = [newUser(), newUser()];
    const [mine, others] = [takeNotes(), takeNotes()];
    const entered = connectAs(app.url, user).join(room, mine);
    const heard = connectAs(app.url, other).join(room, others);
    await hasJoined(others);
    await hasJoined(mine);
    const { id } = await entered.say("frist");
    for (const at of upTo(60, 2)) await entered.say(`message ${at}`);
    expect((await entered.edit(id, "first")).offset).toBe(61);
    expect((await entered.remove(id)).offset).toBe(62);
    expect(await outcome(entered.edit(id, "too late"))).toBe("not_found");
    await until(() => others.messages.length === 62);
    expect(others.messages.slice(-2)).toMatchObject([
      { kind: "edit", target: id, text: "first" },
      { kind: "remove", target: id, text: "" },
    ]);
    expect(await outcome(heard.remove(others.messages[1]?.id ?? 0))).toBe("forbidden");

    const { messages, more } = await heard.earlier(11, 5);
    expect(messages.map(({ offset }) => offset)).toEqual(upTo(10, 6));
    expect(more).toBe(true);
    expect((await heard.earlier(6)).more).toBe(false);
    expect(others.messages).toHaveLength(62);

    entered.typing();
    await until(() => others.events.includes(`typing ${user}`));
    heard.read(40);
    heard.leave();
    expect(others.events.at(-1)).toBe("left by itself");
    await until(() => mine.events.includes(`leave ${other}`));
    expect(await outcome(heard.say("nobody is here"))).toBe("rejected");
    const again = takeNotes();
    connectAs(app.url, other).join(room, again);
    await until(() => again.messages.length === 50);
    expect(again.events).toEqual(["joined false 40"]);
    expect(offsets(again)).toEqual(upTo(62, 13));
  });

  test("is in many rooms, may leave and come back, and is in each once", async () => {
    const client = connectAs(app.url);
    const rooms = upTo(5).map(() => newRoom());
    const notes = rooms.map(() => takeNotes());
    const entered = rooms.map((room, at) => client.join(room, notes[at] ?? takeNotes()));
    await Promise.all(entered.map((room, at) => room.say(`to ${at}`)));
    for (const [at, own] of notes.entries()) {
      await until(() => own.messages.length === 1);
      expect(texts(own)).toEqual([`to ${at}`]);
    }
    const [room = ""] = rooms;
    expect(() => client.join(room, takeNotes())).toThrow("already");
    // At once, before the server has answered.
    const again = takeNotes();
    entered[0]?.leave();
    const back = client.join(room, again);
    entered[0]?.leave();
    await back.say("back");
    await until(() => again.messages.length === 2);
    expect(again.events).toEqual(["joined false 0"]);
    expect(notes[0]?.events).toEqual(["joined false 0", "left by itself"]);
  });

  test("that is sent out, or not let in, is told why and what waits is rejected", async () => {
    const [owner, guest] = [newUser(), newUser()];
    const room = newRoom();
    await postJson(`${app.url}/v1/rooms?user_id=${owner}`, { room, private: true });
    const members = `${app.url}/v1/rooms/${encodeURIComponent(room)}/members/${guest}`;
    const client = connectAs(app.url, guest);
    const shut = takeNotes();
    const saying = client.join(room, shut).say("let me in");
    expect(await outcome(saying)).toBe("rejected");
    expect(shut.events).toEqual(["left forbidden"]);

    await postJson(`${members}?user_id=${owner}`, undefined);
    const inside = takeNotes();
    const entered = client.join(room, inside);
    await entered.say("thank you");
    await fetch(`${members}?user_id=${owner}`, { method: "DELETE" });
    await until(() => inside.events.at(-1) === "left forbidden");
    expect(await outcome(entered.say("wait"))).toBe("rejected");
    expect(client.state()).toBe("open");
  });

  test("that is too fast says everything all the same, each once", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const entered = connectAs(app.url).join(room, notes);
    let next = 0;
    const sayOn = async (): Promise<void> => {
      while (next < 1_100) await entered.say(`message ${++next}`);
    };
    await Promise.all(upTo(900).map(sayOn));
    await until(() => notes.messages.length === 1_100);
    expect(offsets(notes)).toEqual(upTo(1_100));
    expect(new Set(texts(notes)).size).toBe(1_100);
    expect(notes.events).toEqual(["joined false 0"]);
  });

  test("keeps a limited number of requests waiting, and rejects them when it is closed", async () => {
    const states: string[] = [];
    const client = connect("ws://127.0.0.1:1", {
      userId: 1,
      onState: (state) => states.push(state),
    });
    const entered = client.join("nowhere", takeNotes());
    const waiting = upTo(1_000).map((at) => outcome(entered.say(`${at}`)));
    expect(await outcome(entered.say("one too many"))).toBe("rejected");
    expect(await outcome(entered.edit(1, "not without a connection"))).toBe("rejected");
    await until(() => states.includes("waiting"));
    client.close();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["rejected"]));
    expect(client.state()).toBe("closed");
    expect(await outcome(entered.say("too late"))).toBe("rejected");
    client.close();
    expect(states.filter((state) => state === "closed")).toHaveLength(1);
  });

  test("whose token cannot be had now tries again later", async () => {
    const guest = connect(app.url);
    await until(() => guest.user() !== null);
    let asked = 0;
    const client = connect(app.url, {
      userId: 1,
      token: () => {
        if (++asked < 2) throw new Error("not now");
        return "no token at all";
      },
    });
    await until(() => asked >= 3);
    expect(client.state()).not.toBe("closed");
  });

  test("that was closed, by itself or for good by the server, lets its program end", async () => {
    const relay = startRelay(app.wsUrl);
    relay.tamper = (frame) => {
      if (frame.type === "sent") queueMicrotask(() => relay.end(4403));
      return frame;
    };
    for (const [url, ending] of [
      [app.wsUrl, "client.close();"],
      [relay.url, ""],
    ] as const) {
      const program = `
        import { connectChat } from ${JSON.stringify(join(import.meta.dir, "../../src/client/chat.ts"))};
        const client = connectChat({ url: ${JSON.stringify(url.replace("http:", "ws:"))}, userId: 5 });
        await client.join("the end", {}).say("last words");
        ${ending}
        console.log("said");
      `;
      const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
      expect(await child.stdout.text()).toBe("said\n");
      expect(await child.exited).toBe(0);
    }
    await relay.stop();
  });
});

describe("a client over a bad connection", () => {
  let app: TestApp;
  let relay: Relay;
  beforeAll(async () => {
    app = await startTestApp();
    relay = startRelay(app.wsUrl);
  });
  afterEach(() => {
    relay.tamper = (frame) => frame;
    relay.asked.length = 0;
  });
  afterAll(async () => {
    await relay.stop();
    await app.stop();
  });

  test("asks for messages that did not come, and gives them in order and once", async () => {
    const room = newRoom();
    const notes = takeNotes();
    connectAs(relay.url).join(room, notes);
    await hasJoined(notes);
    const lost = new Set([2, 3, 7]);
    relay.tamper = (frame) =>
      frame.type === "message" && lost.delete(Number(frame["offset"])) ? null : frame;
    const speaker = connectAs(app.url).join(room, takeNotes());
    for (const at of upTo(12)) await speaker.say(`message ${at}`);
    await until(() => notes.messages.length >= 12);
    expect(offsets(notes)).toEqual(upTo(12));
    expect(lost.size).toBe(0);
    expect(notes.events.filter((event) => event.startsWith("gap"))).toEqual([]);
  });

  test("drops what comes twice", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const entered = connectAs(relay.url).join(room, notes);
    relay.tamper = (frame) => {
      if (frame.type === "message") relay.inject(frame);
      return frame;
    };
    for (const at of upTo(5)) await entered.say(`message ${at}`);
    await until(() => notes.messages.length >= 5);
    expect(offsets(notes)).toEqual(upTo(5));
  });

  test("is told of what nobody has any more, and goes on behind it", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const entered = connectAs(relay.url).join(room, notes);
    await entered.say("first");
    const isGone = (frame: unknown): boolean => [2, 3].includes((frame as Message).offset);
    relay.tamper = (frame) => {
      if (frame.type === "message" && isGone(frame)) return null;
      if (frame.type !== "history") return frame;
      const left = (frame["messages"] as unknown[]).filter((message) => !isGone(message));
      return { ...frame, messages: left };
    };
    for (const at of upTo(5, 2)) await entered.say(`message ${at}`);
    await until(() => notes.messages.length >= 3);
    await entered.say("on");
    await until(() => notes.messages.length >= 4);
    expect(offsets(notes)).toEqual([1, 4, 5, 6]);
    expect(notes.events).toContain("gap 2 3");

    relay.inject({ type: "gap", room, from: 7, to: 9 });
    await until(() => notes.events.includes("gap 7 9"));
  });

  test("asks nothing twice because a hole was filled", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const entered = connectAs(relay.url).join(room, notes);
    const { id } = await entered.say("to edit");
    const speaker = connectAs(app.url).join(room, takeNotes());
    let isLost = false;
    relay.tamper = (frame) => {
      // The hole is there while the edit waits for its answer.
      if (frame.type !== "message" || frame["kind"] !== "text" || isLost) return frame;
      isLost = true;
      return null;
    };
    await speaker.say("lost");
    const editing = entered.edit(id, "edited");
    await speaker.say("after it");
    await editing;
    await entered.say("the end");
    await until(() => texts(notes).includes("the end"));
    expect(relay.asked.filter(({ type }) => type === "history")).toHaveLength(1);
    expect(relay.asked.filter(({ type }) => type === "edit")).toHaveLength(1);
    expect(texts(notes).toSorted()).toEqual(["after it", "edited", "lost", "the end", "to edit"]);
    expect(offsets(notes)).toEqual(upTo(5));
  });

  test("asks again when the server was too busy to answer", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const busy = new Set(["history", "sent"]);
    relay.tamper = (frame) => {
      if (!busy.delete(frame.type ?? "")) return frame;
      const error = { type: "error", code: "overloaded", message: "busy", retryable: true };
      return { ...error, retry_after_ms: 20, ref: frame["ref"] };
    };
    const speaker = connectAs(app.url).join(room, takeNotes());
    for (const at of upTo(3)) await speaker.say(`message ${at}`);
    const entered = connectAs(relay.url).join(room, notes);
    const { offset } = await entered.say("mine");
    expect(offset).toBe(4);
    let isLost = false;
    const refuseOnce = relay.tamper;
    relay.tamper = (frame) => {
      if (frame.type !== "message" || isLost) return refuseOnce(frame);
      isLost = true;
      return null;
    };
    for (const at of upTo(3)) await speaker.say(`more ${at}`);
    await until(() => notes.messages.length >= 7);
    expect(offsets(notes)).toEqual(upTo(7));
    expect(relay.asked.filter(({ type }) => type === "history")).toHaveLength(2);
    expect(busy.size).toBe(0);
  });

  test("comes back after a close that asks for it, as the same guest, without a repeat", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const states: string[] = [];
    const client = connect(relay.url, { onState: (state) => states.push(state) });
    const entered = client.join(room, notes);
    const speaker = connectAs(app.url).join(room, takeNotes());
    await entered.say("as a guest");
    const user = client.user();
    for (const code of [1012, 1013, 4408, 4429, 4503]) {
      relay.end(code);
      await until(() => client.state() === "waiting");
      await speaker.say(`while it was away: ${code}`);
      const { offset } = await entered.say(`back after ${code}`);
      await until(() => offsets(notes).at(-1) === offset);
      expect(client.user()).toEqual(user);
    }
    expect(offsets(notes)).toEqual(upTo(11));
    expect(new Set(texts(notes)).size).toBe(11);
    const own = notes.messages.filter(({ text }) => !text.startsWith("while"));
    expect(new Set(own.map((message) => message.user.id))).toEqual(new Set([user?.id ?? 0]));
    expect(notes.events.filter((event) => event.startsWith("joined"))).toEqual([
      "joined false 0",
      ...upTo(5).map(() => "joined true 0"),
    ]);
    expect(states.slice(0, 5)).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
  });

  test("ends for good after a close that says so", async () => {
    for (const code of [1000, 4400, 4401, 4403]) {
      const room = newRoom();
      const client = connectAs(relay.url);
      const entered = client.join(room, takeNotes());
      await entered.say("still open");
      relay.tamper = (frame) => (frame.type === "sent" ? null : frame);
      const waiting = outcome(entered.say("never answered"));
      relay.end(code);
      expect(await waiting).toBe("rejected");
      expect([code, client.state()]).toEqual([code, "closed"]);
      expect(await outcome(entered.say("too late"))).toBe("rejected");
      relay.tamper = (frame) => frame;
    }
  });

  test("does not say twice what was said when the answer was lost", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const client = connectAs(relay.url);
    const entered = client.join(room, notes);
    await entered.say("first");
    relay.tamper = (frame) => (frame.type === "sent" ? null : frame);
    const saying = entered.say("said, but not answered");
    const editing = outcome(entered.edit(notes.messages[0]?.id ?? 1, "not known whether done"));
    await until(() => notes.messages.length >= 2);
    relay.end(1012);
    expect(await editing).toBe("rejected");
    relay.tamper = (frame) => frame;
    expect((await saying).offset).toBe(2);
    expect(texts(notes).filter((text) => text.startsWith("said"))).toHaveLength(1);
  });

  test("catches up with more than one answer holds", async () => {
    const room = newRoom();
    const notes = takeNotes();
    const client = connectAs(relay.url);
    const entered = client.join(room, notes);
    await entered.say("before");
    relay.end(1012);
    const speaker = connectAs(app.url).join(room, takeNotes());
    // Each time it is back too early, it is away again.
    relay.tamper = ({ type }) => {
      if (type === "welcome") queueMicrotask(() => relay.end(1012));
      return null;
    };
    await Promise.all(upTo(700).map((at) => speaker.say(`meanwhile ${at}`)));
    relay.tamper = (frame) => frame;
    await until(() => notes.messages.length >= 701);
    expect((await entered.say("after")).offset).toBe(702);
    await until(() => notes.messages.length >= 702);
    expect(offsets(notes)).toEqual(upTo(702));
  });
});

describe("a client with a token", () => {
  const SECRET = "the secret of these tests, long enough";

  const tokenFor = (ms: number): string => {
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor((Date.now() + ms) / 1000);
    const claims = { iss: "earshot", aud: "earshot", sub: "7", role: "user", name: "Seven", exp };
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
  };

  test("comes back with a new one when the old one has expired", async () => {
    const app = await startTestApp({ JWT_SECRET: SECRET });
    const notes = takeNotes();
    let asked = 0;
    const token = (): string => tokenFor(++asked === 1 ? 1_500 : 60_000);
    const client = connect(app.url, { token });
    const room = client.join("tokens", notes);
    await room.say("with the first");
    expect(client.user()).toEqual({ id: 7, name: "Seven" });
    await until(() => client.state() === "waiting");
    expect((await room.say("with the second")).offset).toBe(2);
    expect(asked).toBe(2);
    await until(() => notes.messages.length === 2);
    client.close();
    await app.stop();
  });
});

describe("a client and a server that dies", () => {
  const restart = async (old: TestServer): Promise<TestServer> => {
    old.signal("SIGKILL");
    await old.exited;
    const { port } = new URL(old.url);
    await old.dispose();
    return startTestServer({ PORT: port }, old.folder);
  };

  test("loses nothing, doubles nothing and keeps the order, for speaker and listener", async () => {
    const folder = temporaryFolder();
    let server = await startTestServer({}, folder);
    const room = newRoom();
    const [mine, others] = [takeNotes(), takeNotes()];
    const entered = connectAs(server.url).join(room, mine);
    connectAs(server.url).join(room, others);
    await hasJoined(mine);
    await hasJoined(others);

    const COUNT = 300;
    const answers: { id: number; offset: number }[] = [];
    let next = 0;
    const sayOn = async (): Promise<void> => {
      while (next < COUNT) answers.push(await entered.say(`message ${++next}`));
    };
    const saying = Promise.all(upTo(20).map(sayOn));
    for (const enough of [50, 150]) {
      await until(() => answers.length >= enough);
      server = await restart(server);
    }
    await saying;
    await until(() => mine.messages.length >= COUNT && others.messages.length >= COUNT);
    expect(answers).toHaveLength(COUNT);
    for (const notes of [mine, others]) {
      expect(offsets(notes)).toEqual(upTo(COUNT));
      expect(new Set(texts(notes)).size).toBe(COUNT);
      expect(notes.events).not.toContain("reset");
    }
    const offsetOf = new Map(others.messages.map(({ id, offset }) => [id, offset]));
    for (const { id, offset } of answers) expect(offsetOf.get(id)).toBe(offset);
    await server.dispose();
    rmSync(folder, { recursive: true });
  });

  test("is told to begin anew when the history is lost", async () => {
    const first = await startTestApp();
    const room = newRoom();
    const notes = takeNotes();
    const entered = connectAs(first.url).join(room, notes);
    for (const at of upTo(3)) await entered.say(`old ${at}`);
    await first.stop();
    // At the same address, with a database of its own.
    const second = await startTestApp({ PORT: String(first.port) });
    expect((await entered.say("new")).offset).toBe(1);
    await until(() => texts(notes).includes("new"));
    expect(texts(notes)).toEqual(["old 1", "old 2", "old 3", "new"]);
    expect(notes.events.slice(0, 3)).toEqual(["joined false 0", "reset", "joined false 0"]);
    await second.stop();
  });
});
