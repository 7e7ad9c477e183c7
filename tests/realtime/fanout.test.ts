import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Bus, createMemoryBus } from "../../src/platform/bus.ts";
import { createLog } from "../../src/platform/log.ts";
import { type Fanout, type RoomLog, createFanout } from "../../src/realtime/fanout.ts";
import { until } from "../support/app.ts";

interface Said {
  offset: number;
  text: string;
}

/** The database: what is in it is there at once, and reading takes as long as a test wants. */
interface TestLog extends RoomLog<Said> {
  add(room: string): Said;
  remove(room: string, offset: number): void;
  /** Every read from now on waits until `release`. */
  hold(): void;
  release(): void;
  /** The next read fails. */
  failOnce(): void;
  /** A room that cannot be read; null for none. */
  broken: string | null;
  reads: number;
  waiting: number;
}

function createTestLog(): TestLog {
  const rooms = new Map<string, Said[]>();
  const heads = new Map<string, number>();
  let gate: PromiseWithResolvers<void> | null = null;
  let fails = false;
  const read = async <T>(room: string, answer: () => T): Promise<T> => {
    log.reads++;
    if (fails || room === log.broken) {
      fails = false;
      throw new Error("the disk is away");
    }
    // What it answers is what was there when it was asked, as with a database.
    const value = answer();
    log.waiting++;
    await gate?.promise;
    log.waiting--;
    return value;
  };
  const log: TestLog = {
    reads: 0,
    waiting: 0,
    broken: null,
    add: (room) => {
      const offset = (heads.get(room) ?? 0) + 1;
      const said = { offset, text: `${room} ${offset}` };
      heads.set(room, offset);
      rooms.set(room, [...(rooms.get(room) ?? []), said]);
      return said;
    },
    remove: (room, offset) => {
      rooms.set(room, rooms.get(room)?.filter((said) => said.offset !== offset) ?? []);
    },
    hold: () => {
      gate = Promise.withResolvers<void>();
    },
    release: () => {
      gate?.resolve();
      gate = null;
    },
    failOnce: () => {
      fails = true;
    },
    head: (room) => read(room, () => heads.get(room) ?? 0),
    after: (room, offset, limit) =>
      read(room, () =>
        (rooms.get(room) ?? []).filter((said) => said.offset > offset).slice(0, limit),
      ),
  };
  return log;
}

/** The network: a bus whose messages tests carry themselves, in any order, or never. */
interface TestBus extends Bus {
  miss(): void;
  /** What `subscribe` waits for before other processes are heard. */
  subscribing: Promise<void>;
  channels: number;
}

function createTestBus(): TestBus {
  const bus = createMemoryBus();
  const missed: (() => void)[] = [];
  const network: TestBus = {
    ...bus,
    subscribing: Promise.resolve(),
    channels: 0,
    subscribe: (channel, listener) => {
      network.channels++;
      const { stop } = bus.subscribe(channel, listener);
      return {
        ready: network.subscribing,
        stop: () => {
          network.channels--;
          stop();
        },
      };
    },
    onMissed: (listener) => void missed.push(listener),
    miss: () => {
      for (const listener of missed) listener();
    },
  };
  return network;
}

let network: TestBus;
let database: TestLog;
let fanout: Fanout<Said, { shown: boolean; text: string }>;
/** What went out to sockets, as `topic text`. */
let sent: string[];
let missedRooms: string[];
let errors: string[];
let isChanged: boolean;

const plain = {
  event: (_: string, { text }: Said) => text,
  live: (_: string, { text }: { text: string }) => `live ${text}`,
  gap: (_: string, from: number, to: number) => `gap ${from}-${to}`,
};

beforeEach(() => {
  network = createTestBus();
  database = createTestLog();
  sent = [];
  missedRooms = [];
  errors = [];
  isChanged = false;
  fanout = createFanout<Said, { shown: boolean; text: string }>({
    bus: network,
    log: createLog("info", (line) => errors.push(line)),
    roomLog: database,
    encodings: { plain },
    publish: (topic, text) => sent.push(`${topic} ${text}`),
    refine: (_, live) => (live.shown ? live : null),
    onMissed: (room) => missedRooms.push(room),
    changedElsewhere: () => {
      const was = isChanged;
      isChanged = false;
      return was;
    },
  });
});

afterEach(() => {
  fanout.close();
  expect(network.channels).toBe(0);
});

function frames(from: number, to: number, room = "a"): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `plain|${room} ${room} ${from + i}`);
}

/** Adds `count` events to the database without telling anybody. */
function add(count: number, room = "a"): Said[] {
  return Array.from({ length: count }, () => database.add(room));
}

describe("events", () => {
  test("that come in order go out at once, once in each encoding", async () => {
    await fanout.enter("a");
    for (const said of add(3)) {
      fanout.announce("a", said);
      expect(sent.at(-1)).toBe(`plain|a a ${said.offset}`);
    }
    expect(sent).toEqual(frames(1, 3));
    expect(fanout.delivered("a")).toBe(3);
  });

  test("that come out of order, twice or never go out once and in order", async () => {
    await fanout.enter("a");
    const [one, two, three, four, five, six, seven] = add(7) as [
      Said,
      Said,
      Said,
      Said,
      Said,
      Said,
      Said,
    ];
    for (const said of [two, one, one, two, five, four]) fanout.announce("a", said);
    await until(() => fanout.delivered("a") >= 5);
    // 3 never came; 7 is before 6.
    for (const said of [seven, three, six, five, seven]) fanout.announce("a", said);
    await until(() => fanout.delivered("a") >= 7);
    expect(sent).toEqual(frames(1, 7));
  });

  test("that come while a hole is being read wait for it", async () => {
    await fanout.enter("a");
    const [, two] = add(2);
    database.hold();
    if (two !== undefined) fanout.announce("a", two);
    await until(() => database.waiting > 0);
    for (const said of add(3)) fanout.announce("a", said);
    expect(sent).toEqual([]);
    database.release();
    await until(() => fanout.delivered("a") >= 5);
    expect(sent).toEqual(frames(1, 5));
  });

  test("of a hole that is longer than a page are all read", async () => {
    await fanout.enter("a");
    const last = add(1_234).at(-1);
    if (last !== undefined) fanout.announce("a", last);
    await until(() => fanout.delivered("a") >= 1_234);
    expect(sent).toEqual(frames(1, 1_234));
  });

  test("that are gone from the database too are told of as a gap", async () => {
    await fanout.enter("a");
    const [, , , four] = add(4);
    database.remove("a", 2);
    database.remove("a", 3);
    if (four !== undefined) fanout.announce("a", four);
    await until(() => fanout.delivered("a") >= 4);
    expect(sent).toEqual(["plain|a a 1", "plain|a gap 2-3", "plain|a a 4"]);
  });

  test("of one room do not go to another", async () => {
    await fanout.enter("a");
    await fanout.enter("b");
    fanout.announce("a", database.add("a"));
    fanout.announce("b", database.add("b"));
    fanout.announce("c", database.add("c"));
    expect(sent).toEqual(["plain|a a 1", "plain|b b 1"]);
    expect(fanout.openRooms()).toEqual(["a", "b"]);
  });

  test("that could not be read are read at the next one", async () => {
    await fanout.enter("a");
    const [, two] = add(2);
    database.failOnce();
    if (two !== undefined) fanout.announce("a", two);
    await until(() => errors.length > 0);
    expect(sent).toEqual([]);
    fanout.announce("a", database.add("a"));
    await until(() => fanout.delivered("a") >= 3);
    expect(sent).toEqual(frames(1, 3));
  });
});

test("a trouble lasts as long as one room cannot be read, whatever becomes of the others", async () => {
  for (const room of ["a", "b", "c"]) await fanout.enter(room);
  database.broken = "b";
  for (let times = 0; times < 3; times++) {
    const { reads } = database;
    network.miss();
    await until(() => database.reads >= reads + 3 && database.waiting === 0);
  }
  expect(errors.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(["error"]);
  database.broken = null;
  await until(() => errors.length > 1);
  expect(JSON.parse(errors[1] ?? "")).toMatchObject({ level: "info", msg: "rooms are read again" });
});

describe("entering a room", () => {
  test("starts at its newest event", async () => {
    add(10);
    await fanout.enter("a");
    expect(fanout.delivered("a")).toBe(10);
    fanout.announce("a", database.add("a"));
    expect(sent).toEqual(["plain|a a 11"]);
  });

  test("loses nothing that is announced meanwhile, and doubles nothing", async () => {
    add(5);
    const subscribing = Promise.withResolvers<void>();
    network.subscribing = subscribing.promise;
    const entering = fanout.enter("a");
    fanout.announce("a", database.add("a"));
    database.hold();
    subscribing.resolve();
    await until(() => database.waiting > 0);
    // The head has been read as 6 when these come; they are out of order.
    const [seven, eight] = add(2);
    if (eight !== undefined) fanout.announce("a", eight);
    if (seven !== undefined) fanout.announce("a", seven);
    database.release();
    await entering;
    await until(() => fanout.delivered("a") >= 8);
    expect(sent).toEqual(frames(7, 8));
    fanout.announce("a", database.add("a"));
    expect(sent).toEqual(frames(7, 9));
  });

  test("together opens it once, and it closes with the last who leaves", async () => {
    await Promise.all([fanout.enter("a"), fanout.enter("a")]);
    expect(network.channels).toBe(1);
    fanout.leave("a");
    fanout.announce("a", database.add("a"));
    expect(sent).toEqual(frames(1, 1));
    fanout.leave("a");
    fanout.announce("a", database.add("a"));
    expect(sent).toEqual(frames(1, 1));
    expect(fanout.openRooms()).toEqual([]);
    fanout.leave("a");
  });

  test("fails for all who wait when the database is away, and works later", async () => {
    database.failOnce();
    const outcomes = await Promise.allSettled([fanout.enter("a"), fanout.enter("a")]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
    expect(fanout.openRooms()).toEqual([]);
    await fanout.enter("a");
    fanout.announce("a", database.add("a"));
    expect(sent).toEqual(frames(1, 1));
  });

  test("again while a hole of before is still being read doubles nothing", async () => {
    await fanout.enter("a");
    const [, two] = add(2);
    database.hold();
    if (two !== undefined) fanout.announce("a", two);
    await until(() => database.waiting > 0);
    fanout.leave("a");
    const entering = fanout.enter("a");
    database.release();
    await entering;
    expect(fanout.delivered("a")).toBe(2);
    fanout.announce("a", database.add("a"));
    await until(() => database.waiting === 0 && fanout.delivered("a") >= 3);
    expect(sent).toEqual(frames(3, 3));
  });
});

describe("what was lost without a successor", () => {
  test("is found when another process has changed the database", async () => {
    await fanout.enter("a");
    await fanout.enter("b");
    add(2, "a");
    add(1, "b");
    isChanged = true;
    await until(() => fanout.delivered("a") >= 2 && fanout.delivered("b") >= 1);
    expect(sent.toSorted()).toEqual([...frames(1, 2), ...frames(1, 1, "b")]);
  });

  test("costs no read as long as nobody has changed it", async () => {
    await fanout.enter("a");
    const { reads } = database;
    await Bun.sleep(300);
    expect(database.reads).toBe(reads);
  });

  test("is found when the bus may have missed something", async () => {
    await fanout.enter("a");
    add(2);
    network.miss();
    expect(missedRooms).toEqual(["a"]);
    await until(() => fanout.delivered("a") >= 2);
    expect(sent).toEqual(frames(1, 2));
  });

  test("is not doubled when its announcement comes late", async () => {
    await fanout.enter("a");
    const saids = add(2);
    network.miss();
    await until(() => fanout.delivered("a") >= 2);
    for (const said of saids) fanout.announce("a", said);
    expect(sent).toEqual(frames(1, 2));
  });
});

describe("what is not kept", () => {
  test("goes out as it comes, unless it is refined away", async () => {
    await fanout.enter("a");
    fanout.tell("a", { shown: true, text: "typing" });
    fanout.tell("a", { shown: false, text: "seen already" });
    fanout.tell("b", { shown: true, text: "nobody is there" });
    expect(sent).toEqual(["plain|a live typing"]);
  });
});
