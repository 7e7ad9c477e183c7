import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomInt, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ServerWebSocket } from "bun";
import * as fc from "fast-check";
import { type ChatRoom, connectChat } from "../../../src/client/chat.ts";
import {
  EARSHOT,
  EarshotChat,
  earshotEncoding,
  messageJson,
} from "../../../src/features/chat/dialects/earshot.ts";
import type {
  ChatLive,
  ChatMessage,
  ChatServerFrame,
  MessageFrame,
} from "../../../src/features/chat/model.ts";
import { createRoomsService } from "../../../src/features/chat/rooms.ts";
import { type ChatService, createChatService } from "../../../src/features/chat/service.ts";
import { type ChatStore, createChatStore } from "../../../src/features/chat/store.ts";
import { type Bus, createListeners } from "../../../src/platform/bus.ts";
import { type Database, openDatabase } from "../../../src/platform/database.ts";
import { createLog } from "../../../src/platform/log.ts";
import { SocketConnection } from "../../../src/realtime/connection.ts";
import { createFanout } from "../../../src/realtime/fanout.ts";
import { createPresence } from "../../../src/realtime/presence.ts";
import { UNLIMITED } from "../../../src/realtime/rate.ts";
import type { ErrorFrame } from "../../../src/realtime/refusal.ts";
import { temporaryFolder, until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";

// Random members do random things in a room that two processes share, while what is between them
// breaks. In the end every member holds exactly the room's log. A run is repeated by its seed:
// EARSHOT_SEED=… as printed; the one with real processes repeats its plan, though not its moments.

const SEED = Number(process.env["EARSHOT_SEED"] ?? randomInt(2 ** 31));
const SIMULATED_RUNS = 200;
/** A failing plan is made as short as this time allows. */
const SIMULATED_MS_MAX = 100_000;
const REAL_RUNS = Number(process.env["EARSHOT_REAL_RUNS"] ?? 10);
const REAL_RUN_MS_MAX = 20_000;

// ---- A member that believes the server word by word and notes what breaks its promises.

type ServerFrame = ChatServerFrame | ErrorFrame;
type Place = { epoch: string; offset: number };

/** One connection of a member. */
interface Link {
  send(frame: object): void;
  /** Breaks it without a goodbye; what is under way is lost. */
  cut(): void;
}

interface Member {
  readonly id: number;
  /** Promises that the server broke. */
  readonly faults: string[];
  /** What it was shown of the room. */
  readonly held: MessageFrame[];
  /** Offset and id of every message it said that was answered by `sent`. */
  readonly acknowledged: Map<string, { id: number; offset: number }>;
  isIn(): boolean;
  isConnected(): boolean;
  reached(): number;
  connected(link: Link): void;
  hear(frame: ServerFrame): void;
  broken(): void;
  cut(): void;
  /** Enters the room, from where it was unless it starts anew. */
  join(anew: boolean): void;
  leave(): void;
  /** Says something new, or with `again` what it said before. */
  say(text: string, again?: number): void;
  edit(id: number, text: string): void;
  remove(id: number): void;
}

/** `diskFails`: now and then a room cannot be read when it is to be entered. */
function createMember(room: string, id: number, diskFails = false): Member {
  const faults: string[] = [];
  let held: MessageFrame[] = [];
  const acknowledged = new Map<string, { id: number; offset: number }>();
  const said: string[] = [];
  let link: Link | null = null;
  let place: Place | null = null;
  let state: "out" | "joining" | "behind" | "in" | "leaving" = "out";
  let asked: Place | null = null;

  const fault = (words: string): void => {
    faults.push(`member ${id}: ${words}`);
  };

  const take = (message: MessageFrame): void => {
    if (place === null || message.offset !== place.offset + 1) {
      fault(`was sent ${message.offset} after ${place?.offset ?? "nothing"} while ${state}`);
      return;
    }
    if (message.epoch !== place.epoch) fault("the epoch changed");
    place = { epoch: message.epoch, offset: message.offset };
    held.push(message);
    if (message.kind === "remove") held = held.map((one) => withoutText(one, message.target));
  };

  const askForMore = (): void => {
    link?.send({ type: "history", room, after: place?.offset ?? 0, ref: "more" });
  };

  const joined = (frame: ServerFrame & { type: "joined" }): void => {
    if (frame.recovered !== (asked !== null)) fault(`recovered is ${frame.recovered}`);
    if (!frame.recovered) {
      held = [];
      place = { epoch: frame.epoch, offset: (frame.messages[0]?.offset ?? frame.offset + 1) - 1 };
    }
    for (const message of frame.messages) take(message);
    if (frame.offset !== place?.offset) {
      fault(`joined says ${frame.offset}, its messages say ${place?.offset}`);
    }
    state = frame.more ? "behind" : "in";
    if (frame.more) askForMore();
  };

  const sent = ({ client_id: clientId, id, offset }: ServerFrame & { type: "sent" }): void => {
    if (!said.includes(clientId)) return;
    const first = acknowledged.get(clientId) ?? { id, offset };
    if (first.id !== id || first.offset !== offset) fault(`${clientId} was answered in two ways`);
    acknowledged.set(clientId, first);
  };

  const hear = (frame: ServerFrame): void => {
    switch (frame.type) {
      case "joined":
        return joined(frame);
      case "message":
        if (state === "in") return take(frame);
        if (state !== "leaving") fault(`was sent ${frame.offset} while ${state}`);
        return;
      case "history":
        if (state !== "behind") return;
        for (const message of frame.messages) take(message);
        if (frame.more) return askForMore();
        state = "in";
        return;
      case "sent":
        return sent(frame);
      case "left":
        if (state !== "leaving") fault(`was shown out while ${state}`);
        state = "out";
        return;
      case "gap":
        return fault(`was told of a gap from ${frame.from} to ${frame.to}`);
      case "error":
        // What was removed meanwhile cannot be changed any more, nor what others said.
        if (frame.ref === "change" && ["not_found", "forbidden"].includes(frame.code)) return;
        if (diskFails && frame.ref === "join" && frame.code === "internal") {
          state = "out";
          return;
        }
        return fault(`was refused ${frame.ref}: ${frame.code} ${frame.message}`);
      case "welcome":
      case "presence":
      case "typing":
      case "caption":
    }
  };

  return {
    id,
    faults,
    get held() {
      return held;
    },
    acknowledged,
    isIn: () => state === "in",
    isConnected: () => link !== null,
    reached: () => place?.offset ?? 0,
    connected: (opened) => {
      link = opened;
    },
    hear,
    broken: () => {
      link = null;
      state = "out";
    },
    cut: () => link?.cut(),
    join: (anew) => {
      if (link === null || state !== "out") return;
      asked = anew ? null : place;
      state = "joining";
      link.send({ type: "join", room, ref: "join", ...(asked === null ? {} : { after: asked }) });
    },
    leave: () => {
      if (state !== "in") return;
      state = "leaving";
      link?.send({ type: "leave", room, ref: "leave" });
    },
    say: (text, again) => {
      if (state !== "in") return;
      const old = again === undefined ? undefined : said[again % said.length];
      const clientId = old ?? `${id}-${said.length}`;
      if (old === undefined) said.push(clientId);
      link?.send({ type: "say", room, client_id: clientId, text, ref: "say" });
    },
    edit: (messageId, text) => {
      if (state === "in") link?.send({ type: "edit", room, id: messageId, text, ref: "change" });
    },
    remove: (messageId) => {
      if (state === "in") link?.send({ type: "remove", room, id: messageId, ref: "change" });
    },
  };
}

function withoutText(message: MessageFrame, removed: number | undefined): MessageFrame {
  const isRemoved = message.id === removed || message.target === removed;
  return isRemoved ? { ...message, text: "" } : message;
}

/** What is wrong with what members hold and were promised, against the room's log. */
function differences(
  log: readonly MessageFrame[],
  members: readonly Pick<Member, "id" | "faults" | "held" | "acknowledged">[],
): string[] {
  const wrong = members.flatMap(({ faults }) => faults);
  log.forEach(({ offset }, at) => {
    if (offset !== at + 1) wrong.push(`the log has ${offset} at ${at + 1}`);
  });
  for (const { id, held, acknowledged } of members) {
    const start = (held[0]?.offset ?? log.length + 1) - 1;
    const there = held.map((message) => JSON.stringify(message));
    const expected = log.slice(start).map((message) => JSON.stringify(message));
    const at = expected.findIndex((line, index) => line !== there[index]);
    if (at >= 0) wrong.push(`member ${id} holds ${there[at]} for ${expected[at]}`);
    if (there.length > expected.length) wrong.push(`member ${id} holds more than the log`);
    for (const [clientId, { id: messageId, offset }] of acknowledged) {
      const found = log.filter((one) => one.client_id === clientId && one.user.id === id);
      if (found.length !== 1 || found[0]?.id !== messageId || found[0].offset !== offset) {
        wrong.push(`${clientId} of member ${id} was answered and is ${found.length} times there`);
      }
    }
  }
  const keys = log.map((message) => `${message.user.id} ${message.client_id}`);
  if (new Set(keys).size < keys.length) wrong.push("something was said twice");
  return wrong;
}

// ---- The simulated world: time, chance, a bus that cannot be trusted, processes that die.

type Chance = () => number;

/** Mulberry32 (Tommy Ettinger, public domain): small, and good enough for fates. */
function createChance(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Clock {
  now(): number;
  after(ms: number, run: () => void): void;
  every(ms: number, run: () => void): () => void;
  /** Lets time pass; between any two moments promises and commits have their turn. */
  advance(ms: number): Promise<void>;
}

function createClock(): Clock {
  let now = 1_000_000;
  let made = 0;
  const moments: { at: number; order: number; run: () => void }[] = [];

  const after = (ms: number, run: () => void): void => {
    const moment = { at: now + ms, order: made++, run };
    const later = moments.findLastIndex(({ at }) => at <= moment.at) + 1;
    moments.splice(later, 0, moment);
  };

  return {
    now: () => now,
    after,
    every: (ms, run) => {
      let isStopped = false;
      const again = (): void => {
        if (isStopped) return;
        run();
        after(ms, again);
      };
      after(ms, again);
      return () => {
        isStopped = true;
      };
    },
    advance: async (ms) => {
      const end = now + ms;
      await turn();
      while (moments[0] !== undefined && moments[0].at <= end) {
        const moment = moments.shift();
        now = moment?.at ?? now;
        moment?.run();
        await turn();
      }
      now = end;
    },
  };
}

/** Lets what waits for the event loop run, commits among it. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

interface Network {
  /** A process's end of it. */
  open(): Bus & { cutOff(): void };
  /** Whether nothing gets through; those who come back are told, or not, that they missed something. */
  setAway(isAway: boolean): void;
  /** From now on everything arrives, once. */
  heal(): void;
}

const BUS_DELAY_MS_MAX = 400;

function createNetwork(clock: Clock, chance: Chance): Network {
  const ends = new Set<{ hear(channel: string, text: string): void; missed(): void }>();
  let isAway = false;
  let isHealed = false;

  const carry = (channel: string, text: string, hear: (c: string, t: string) => void): void => {
    if (isAway || (!isHealed && chance() < 0.2)) return;
    const copies = !isHealed && chance() < 0.15 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = chance() < 0.6 ? chance() * 10 : chance() * BUS_DELAY_MS_MAX;
      clock.after(delayMs, () => hear(channel, text));
    }
  };

  return {
    open: () => {
      const own = createListeners();
      const others = createListeners();
      const missed: (() => void)[] = [];
      const end = {
        hear: (channel: string, text: string) => others.tell(channel, JSON.parse(text)),
        missed: () => missed.forEach((listener) => listener()),
      };
      ends.add(end);
      return {
        publish: (channel, message) => {
          if (!ends.has(end)) return;
          own.tell(channel, message);
          const text = JSON.stringify(message);
          for (const other of ends) {
            if (other !== end) carry(channel, text, (c, t) => ends.has(other) && other.hear(c, t));
          }
        },
        subscribe: (channel, listener) => {
          let isStopped = false;
          own.add(channel, listener);
          const ready = (async () => {
            if (!isAway) await sleepOn(clock, chance() * 50);
            if (!isStopped) others.add(channel, listener);
          })();
          return {
            ready,
            stop: () => {
              isStopped = true;
              own.remove(channel, listener);
              others.remove(channel, listener);
            },
          };
        },
        onMissed: (listener) => void missed.push(listener),
        connected: () => !isAway,
        close: () => Promise.resolve(),
        cutOff: () => void ends.delete(end),
      };
    },
    setAway: (next) => {
      if (isAway && !next) for (const end of ends) if (chance() < 0.5) end.missed();
      isAway = next;
    },
    heal: () => {
      isAway = false;
      isHealed = true;
    },
  };
}

function sleepOn(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** A read that answers what was there when it was asked, some time later. */
function slowed(store: ChatStore, clock: Clock, chance: Chance): ChatStore {
  const slow =
    <Args extends unknown[], T>(read: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const answer = await read(...args);
      if (chance() < 0.3) await sleepOn(clock, chance() * 80);
      return answer;
    };
  return {
    ...store,
    room: slow(store.room),
    find: slow(store.find),
    head: slow(store.head),
    after: slow(store.after),
    read: slow(store.read),
    access: slow(store.access),
  };
}

const DISK_FAILS = "the disk is away";

function failing<Args extends unknown[], T>(
  read: (...args: Args) => Promise<T>,
  chance: Chance,
): (...args: Args) => Promise<T> {
  return (...args) => (chance() < 0.03 ? Promise.reject(new Error(DISK_FAILS)) : read(...args));
}

interface World {
  path: string;
  clock: Clock;
  chance: Chance;
  network: Network;
  /** Lines of level error; there should be none. */
  errors: string[];
}

interface Process {
  service: ChatService;
  connect(member: Member): void;
  /** Ends it in the middle of whatever it does. */
  die(): Promise<void>;
}

/** What the app wires, of the real parts, with simulated sockets before it. */
function openProcess({ path, clock, chance, network, errors }: World): Process {
  const database = openDatabase(path);
  const bus = network.open();
  const links = new Set<{ topics: Set<string>; sendText(text: string): void; cut(): void }>();
  let isDead = false;
  // The dead complain of nothing.
  const log = createLog("error", (line) => void (isDead || errors.push(line)));

  const mortal: Database = {
    ...database,
    commit: (write) =>
      database.commit(() => {
        if (isDead) throw new Error("the process is dead");
        return write();
      }),
  };
  const { now } = clock;
  const store = slowed(
    createChatStore({ database: mortal, newId: randomUUID, now }),
    clock,
    chance,
  );
  const fanout = createFanout<ChatMessage, ChatLive>({
    bus,
    log,
    roomLog: { head: failing(store.head, chance), after: failing(store.after, chance) },
    encodings: { [EARSHOT]: earshotEncoding },
    publish: (topic, text) => {
      for (const link of links) if (link.topics.has(topic)) link.sendText(text);
    },
    refine: (room, live) => service.hear(room, live),
    onMissed: (room) => void presence.compare(room),
    changedElsewhere: database.changedElsewhere,
    every: clock.every,
  });
  const presence = createPresence({
    store: null,
    tell: (room, change) => fanout.tell(room, { kind: "presence", change }),
    leaseMs: 60_000,
    log,
  });
  const rooms = createRoomsService({ store, fanout, presence });
  const service = createChatService({
    store,
    rooms,
    fanout,
    presence,
    speaking: UNLIMITED,
    newId: randomUUID,
    now,
    log,
  });

  const connect = (member: Member): void => {
    const topics = new Set<string>();
    const waiting: string[] = [];
    let isCut = false;
    let downAt = 0;
    let upAt = 0;
    /** In order, each frame a little later than it was sent, as on a wire. */
    const lag = (lastAt: number): number => Math.max(lastAt, now() + chance() * 20);

    const cut = (): void => {
      if (isCut) return;
      isCut = true;
      member.broken();
      // The server notices when it notices, and sends into the void until then.
      clock.after(chance() * 500, () => {
        links.delete(link);
        void connection.gone();
      });
    };
    const sendText = (text: string): void => {
      if (isDead) return;
      downAt = lag(downAt);
      clock.after(downAt - now(), () => {
        if (!isCut) member.hear(JSON.parse(text) as ServerFrame);
      });
    };
    const socket = {
      isPaused: false,
      sendText,
      subscribe: (topic: string) => topics.add(topic),
      unsubscribe: (topic: string) => topics.delete(topic),
      pause: () => {
        socket.isPaused = true;
      },
      resume: () => {
        socket.isPaused = false;
        pump();
      },
      getBufferedAmount: () => 0,
      close: (code: number) => member.faults.push(`the server closed a socket with ${code}`),
    };
    const pump = (): void => {
      while (!socket.isPaused && !isDead) {
        const text = waiting.shift();
        if (text === undefined) return;
        connection.receive(text);
      }
    };
    const link = { topics, sendText, cut };
    links.add(link);
    const caller = { userId: member.id, name: `user ${member.id}`, role: "user" } as const;
    const visitor = { caller, expiresAt: null, guestToken: null };
    const connection = new SocketConnection(
      socket as unknown as ServerWebSocket<unknown>,
      { newId: randomUUID, verify: () => Promise.resolve(null), rate: UNLIMITED, now, log },
      { textFrameBytesMax: 2 ** 16, binaryFrameBytesMax: 2 ** 16, idleMs: 2 ** 31 },
      visitor,
      (one) => new EarshotChat(one, { service, fanout, limits: {} }, undefined),
    );
    member.connected({
      cut,
      send: (frame) => {
        upAt = lag(upAt);
        clock.after(upAt - now(), () => {
          if (isCut) return;
          waiting.push(JSON.stringify(frame));
          pump();
        });
      },
    });
  };

  return {
    service,
    connect,
    die: async () => {
      isDead = true;
      bus.cutOff();
      for (const link of links) link.cut();
      fanout.close();
      await presence.close();
      await database.close();
    },
  };
}

// ---- What happens in the simulated world.

const MEMBERS = 4;
/** Quarters of a second of simulated time; what was shouted waits its turn in an inbox for long. */
const SETTLING_LOOKS_MAX = 400;
const DOINGS = {
  say: 12,
  sayAgain: 3,
  shout: 1,
  post: 3,
  edit: 2,
  remove: 2,
  come: 6,
  leave: 2,
  break: 3,
  move: 4,
  die: 1,
  away: 1,
} as const;
type Doing = keyof typeof DOINGS;

interface Step {
  do: Doing;
  who: number;
  where: number;
  pick: number;
  waitMs: number;
}

const doings = Object.entries(DOINGS) as [Doing, number][];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    do: fc.oneof(...doings.map(([doing, weight]) => ({ weight, arbitrary: fc.constant(doing) }))),
    who: fc.nat(MEMBERS - 1),
    where: fc.nat(1),
    pick: fc.nat(999),
    waitMs: fc.oneof(fc.nat(30), fc.nat(400)),
  }),
  { minLength: 1, maxLength: 80, size: "max" },
);

/** Lives through the steps; resolves with everything that is wrong in the end. */
async function simulate(path: string, room: string, seed: number, plan: Step[]): Promise<string[]> {
  const errors: string[] = [];
  const clock = createClock();
  const chance = createChance(seed);
  const network = createNetwork(clock, chance);
  const world: World = { path, clock, chance, network, errors };
  const processes = [openProcess(world), openProcess(world)];
  const members = Array.from({ length: MEMBERS }, (_, at) => createMember(room, at + 1, true));
  const poster = { userId: 99, name: "poster", role: "user" } as const;
  const posted = createMember(room, poster.userId);
  let posts = 0;

  const post = async (process: Process | undefined): Promise<void> => {
    const clientId = `post ${++posts}`;
    const saying = { clientId, text: clientId, kind: "text" } as const;
    try {
      const message = await process?.service.say(poster, room, saying);
      if (message !== undefined) posted.acknowledged.set(clientId, message);
    } catch {
      // Its process died; whether it was said is open.
    }
  };
  const come = (member: Member, where: number, anew: boolean): void => {
    if (!member.isConnected()) processes[where]?.connect(member);
    member.join(anew);
  };

  const act = async ({ do: doing, who, where, pick }: Step): Promise<void> => {
    const member = members[who];
    if (member === undefined) return;
    const { held } = member;
    const target = held[pick % Math.max(1, held.length)]?.id ?? 1;
    switch (doing) {
      case "say":
        return member.say(`said ${pick}`);
      case "sayAgain":
        return member.say(`said again ${pick}`, pick);
      case "shout":
        // More than one page of the history, now and then.
        for (let i = pick > 800 ? 700 : pick % 100; i > 0; i--) member.say(`shout ${i}`);
        return;
      case "post":
        return void post(processes[where]);
      case "edit":
        return member.edit(target, `edited ${pick}`);
      case "remove":
        return member.remove(target);
      case "come":
        return come(member, where, pick % 5 === 0);
      case "leave":
        return member.leave();
      case "break":
        return member.cut();
      case "move":
        member.cut();
        return come(member, where, false);
      case "die":
        await processes[where]?.die();
        processes[where] = openProcess(world);
        return;
      case "away":
        return network.setAway(pick % 2 === 0);
    }
  };

  for (const step of plan) {
    await act(step);
    await clock.advance(step.waitMs);
  }
  network.heal();
  const entered = members.filter((member) => member.reached() > 0);
  const store = openDatabase(path);
  const reader = createChatStore({ database: store, newId: randomUUID, now: clock.now });
  // Those who are broken come back; for those who are in, a few looks at the database must do.
  for (let look = 0; look < SETTLING_LOOKS_MAX; look++) {
    await clock.advance(250);
    for (const [at, member] of entered.entries()) come(member, at % 2, false);
    const head = await reader.head(room);
    if (look > 4 && entered.every((one) => one.isIn() && one.reached() === head)) break;
  }

  const { epoch } = await reader.room(room);
  const all = await reader.after(room, 0, 1_000_000);
  const kept = all.map((one): MessageFrame => ({ type: "message", ...messageJson(room, one) }));
  const wrong = differences(kept, [...entered, { ...posted, held: kept }]);
  for (const member of entered) if (!member.isIn()) wrong.push(`member ${member.id} is not in`);
  if (kept.some((message) => message.epoch !== epoch)) wrong.push("the epoch changed");
  await store.close();
  for (const process of processes) await process.die();
  const known = [DISK_FAILS, "a room could not be read up to its newest"];
  return [...wrong, ...errors.filter((line) => !known.some((words) => line.includes(words)))];
}

describe("a simulated room over two processes", () => {
  const folder = temporaryFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test(
    `${SIMULATED_RUNS} times, every member holds exactly the log`,
    async () => {
      console.log(`simulated rooms: EARSHOT_SEED=${SEED}`);
      let rooms = 0;
      let events = 0;
      await fc.assert(
        fc.asyncProperty(fc.integer(), steps, async (seed, plan) => {
          events += plan.length;
          const path = join(folder, "earshot.db");
          expect(await simulate(path, `room ${++rooms}`, seed, plan)).toEqual([]);
        }),
        { numRuns: SIMULATED_RUNS, seed: SEED, interruptAfterTimeLimit: SIMULATED_MS_MAX },
      );
      expect(rooms).toBe(SIMULATED_RUNS);
      console.log(`simulated rooms: ${rooms} runs of ${events} steps`);
    },
    SIMULATED_MS_MAX + 20_000,
  );
});

// ---- The real world: two processes, one file, one Redis, and a killer.

const REAL_MS = 1_500;
const TYPED = 3;
const RAW = 3;

/** A member who breaks and comes back at random, by itself, as long as it is wanted there. */
interface RawMember {
  member: Member;
  /** Breaks the connection now; the next one goes to the process at `url`. */
  move(url: string): void;
  close(): void;
}

function connectRaw(room: string, id: number, firstUrl: string): RawMember {
  const member = createMember(room, id);
  const chance = createChance(id);
  let url = firstUrl;
  let isClosed = false;
  let cutNow = (): void => {};

  const connect = (): void => {
    if (isClosed) return;
    const socket = new WebSocket(`${url}/v1/ws/chat?user_id=${id}&name=raw${id}`);
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      socket.terminate();
      member.broken();
      setTimeout(connect, 50 + chance() * 150);
    };
    cutNow = over;
    socket.addEventListener("open", () => {
      if (isOver) return;
      member.connected({
        cut: over,
        send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame)),
      });
      member.join(false);
    });
    socket.addEventListener("message", ({ data }) => {
      if (!isOver) member.hear(JSON.parse(String(data)) as ServerFrame);
    });
    socket.addEventListener("close", over);
    socket.addEventListener("error", over);
  };
  connect();
  return {
    member,
    move: (next) => {
      url = next;
      cutNow();
    },
    close: () => {
      isClosed = true;
      cutNow();
    },
  };
}

/** The typed client as a member: what its listener was told, and what its promises said. */
function connectTyped(room: string, id: number, url: string) {
  const faults: string[] = [];
  let held: MessageFrame[] = [];
  const acknowledged = new Map<string, { id: number; offset: number }>();
  const texts = new Map<string, { id: number; offset: number }>();
  let unanswered = 0;
  let leaves = 0;
  let isIn = false;
  const client = connectChat({ url, userId: id, name: `typed${id}` });
  const enter = (): ChatRoom => {
    let isHere = true;
    const told = (words: string): void => {
      if (!isHere) faults.push(`typed member ${id} was told of ${words} after it had left`);
    };
    return client.join(room, {
      joined: () => {
        told("the room");
        isIn = true;
      },
      reset: () => faults.push(`typed member ${id} had to begin anew`),
      gap: (from, to) => faults.push(`typed member ${id} was told of a gap from ${from} to ${to}`),
      left: (reason) => {
        isHere = false;
        if (reason !== null) faults.push(`typed member ${id} was shown out: ${reason.message}`);
      },
      message: (message) => {
        told(`${message.offset}`);
        held.push(message);
        if (message.kind === "remove") held = held.map((one) => withoutText(one, message.target));
      },
    });
  };
  let chat = enter();
  const own = (asked: Promise<unknown>, mustSucceed: boolean): void => {
    unanswered++;
    const leavesBefore = leaves;
    asked
      .catch((error: unknown) => {
        // A change is not asked for again after a break, and may concern what is gone; and who leaves
        // while it is not in the room gives up what it wanted to say there.
        if (mustSucceed && leaves === leavesBefore)
          faults.push(`typed member ${id} was refused: ${String(error)}`);
      })
      .finally(() => unanswered--);
  };
  return {
    id,
    faults,
    acknowledged,
    texts,
    get held() {
      return held;
    },
    isIn: () => isIn,
    isAnswered: () => unanswered === 0,
    reached: () => held.at(-1)?.offset ?? 0,
    say: (text: string) =>
      own(
        chat.say(text).then((sent) => texts.set(text, sent)),
        true,
      ),
    edit: (messageId: number, text: string) => own(chat.edit(messageId, text), false),
    remove: (messageId: number) => own(chat.remove(messageId), false),
    /** Leaves the room and enters it again at once. */
    reenter: () => {
      leaves++;
      chat.leave();
      held = [];
      isIn = false;
      chat = enter();
    },
    close: () => client.close(),
  };
}

/** All of a room's log, as HTTP tells it. */
async function readLog(url: string, room: string): Promise<MessageFrame[]> {
  const log: MessageFrame[] = [];
  for (let after: number | null = 0; after !== null;) {
    const address = `${url}/v1/rooms/${encodeURIComponent(room)}/messages?after=${after}&limit=100`;
    const response = await fetch(address);
    if (!response.ok) throw new Error(`the log was not read: ${response.status}`);
    const page = (await response.json()) as {
      messages: Omit<MessageFrame, "type">[];
      next: number | null;
    };
    for (const message of page.messages) log.push({ type: "message", ...message });
    after = page.next;
  }
  return log;
}

describe.skipIf(!hasRedis)("a real room over two processes (needs redis-server)", () => {
  let redis: TestRedis;
  let settings: Record<string, string>;
  const folder = temporaryFolder();
  const servers: TestServer[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    settings = { REDIS_URL: redis.url, RATE_LIMITS: "off" };
    for (let i = 0; i < 2; i++) servers.push(await startTestServer(settings, folder));
  });

  afterAll(async () => {
    for (const server of servers) await server.dispose();
    await redis.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const killServer = async (which: number, pauseMs: number): Promise<void> => {
    const server = servers[which];
    if (server === undefined) return;
    await server.dispose();
    await Bun.sleep(pauseMs);
    const { port } = new URL(server.url);
    servers[which] = await startTestServer({ ...settings, PORT: port }, folder);
  };
  const killRedis = async (pauseMs: number): Promise<void> => {
    await redis.kill();
    await Bun.sleep(pauseMs);
    await redis.start();
  };
  const urlOf = (which: number): string => servers[which]?.url ?? "";

  /** Lives through one run; resolves with everything that is wrong in the end. */
  const live = async (room: string, chance: Chance): Promise<string[]> => {
    const pick = (below: number): number => Math.floor(chance() * below);
    const typed = Array.from({ length: TYPED }, (_, at) =>
      connectTyped(room, at + 1, urlOf(at % 2).replace("http:", "ws:")),
    );
    const raw = Array.from({ length: RAW }, (_, at) =>
      connectRaw(room, TYPED + at + 1, urlOf(at % 2).replace("http:", "ws:")),
    );
    const members = [...typed, ...raw.map(({ member }) => member)];
    await until(() => members.every((member) => member.isIn()));

    const disasters = Array.from({ length: 1 + pick(2) }, () => {
      const [atMs, what, pauseMs] = [chance() * REAL_MS, pick(3), chance() * 300];
      return { atMs, what, pauseMs };
    });
    const plan = disasters.filter(
      // What is dead already is not killed again.
      ({ what }, at, all) => all.findIndex((other) => other.what === what) === at,
    );
    const killing = Promise.all(
      plan.map(async ({ atMs, what, pauseMs }) => {
        await Bun.sleep(atMs);
        await (what === 2 ? killRedis(pauseMs) : killServer(what, pauseMs));
      }),
    );

    const end = performance.now() + REAL_MS;
    for (let step = 0; performance.now() < end; step++) {
      const member = members[pick(members.length)];
      const one = raw[pick(raw.length)];
      const target = member?.held[pick(member.held.length)]?.id ?? 1;
      const fate = chance();
      if (fate < 0.6) member?.say(`${room} ${member.id} ${step}`);
      else if (fate < 0.7) one?.member.say(`${room} again ${step}`, pick(1_000));
      else if (fate < 0.78) member?.edit(target, `edited ${step}`);
      else if (fate < 0.84) member?.remove(target);
      else if (fate < 0.9) one?.member.cut();
      else if (fate < 0.96) one?.move(urlOf(pick(2)).replace("http:", "ws:"));
      else if (fate < 0.97) typed[pick(typed.length)]?.reenter();
      else if (fate < 0.985) one?.member.leave();
      else one?.member.join(false);
      await Bun.sleep(chance() * 15);
    }
    await killing;

    let log: MessageFrame[] = [];
    const isDone = async (): Promise<boolean> => {
      for (const { member } of raw) member.join(false);
      if (!members.every((member) => member.isIn())) return false;
      if (!typed.every((member) => member.isAnswered())) return false;
      log = await readLog(urlOf(0), room);
      return members.every((member) => member.reached() === log.length);
    };
    const late = await until(isDone, REAL_RUN_MS_MAX / 2).then(
      () => [],
      () => members.map((one) => `${one.id} is at ${one.reached()}, in: ${one.isIn()}`),
    );
    const wrong = differences(log, members);
    for (const { id, texts } of typed) {
      for (const [text, sent] of texts) {
        const found = log.filter((one) => one.offset === sent.offset && one.id === sent.id);
        // Its text may have been removed since.
        const isThere = found.length === 1 && ["", text].includes(found[0]?.text ?? "?");
        if (!isThere || log.filter((one) => one.text === text && one.kind === "text").length > 1) {
          wrong.push(`what typed member ${id} said is not in the log once: ${text}`);
        }
      }
    }
    const other = await readLog(urlOf(1), room);
    if (JSON.stringify(other) !== JSON.stringify(log)) wrong.push("the processes tell two logs");
    for (const member of [...typed, ...raw]) member.close();
    const what = plan.map(({ what }) => ["first", "second", "redis"][what]).join(" and ");
    console.log(`${room}: killed ${what}; ${log.length} messages`);
    return [...wrong, ...late];
  };

  test(
    `${REAL_RUNS} times, every member holds exactly the log, whatever is killed`,
    async () => {
      console.log(`real rooms: EARSHOT_SEED=${SEED}`);
      for (let run = 1; run <= REAL_RUNS; run++) {
        const wrong = await live(`real ${SEED} ${run}`, createChance(SEED + run));
        expect(wrong).toEqual([]);
      }
    },
    REAL_RUNS * REAL_RUN_MS_MAX,
  );
});
