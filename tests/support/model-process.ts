import { randomUUID } from "node:crypto";
import type { ServerWebSocket } from "bun";
import { EARSHOT, EarshotChat, earshotEncoding } from "../../src/features/chat/dialects/earshot.ts";
import type { ChatLive, ChatMessage } from "../../src/features/chat/model.ts";
import { createRoomsService } from "../../src/features/chat/rooms.ts";
import { type ChatService, createChatService } from "../../src/features/chat/service.ts";
import { type ChatStore, createChatStore } from "../../src/features/chat/store.ts";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import { createLog } from "../../src/platform/log.ts";
import { UNLIMITED } from "../../src/platform/rate.ts";
import { SocketConnection } from "../../src/realtime/connection.ts";
import { createFanout } from "../../src/realtime/fanout.ts";
import { createPresence } from "../../src/realtime/presence.ts";
import { type Clock, sleepOn } from "./model-clock.ts";
import type { Member, ServerFrame } from "./model-member.ts";
import type { Network } from "./model-network.ts";

// A process in the simulated world: slow, with a failing disk, and mortal.

/** A read that answers what was there when it was asked, some time later. */
function slowed(store: ChatStore, clock: Clock, chance: () => number): ChatStore {
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

export const DISK_FAILS = "the disk is away";

function failing<Args extends unknown[], T>(
  read: (...args: Args) => Promise<T>,
  chance: () => number,
): (...args: Args) => Promise<T> {
  return (...args) => (chance() < 0.03 ? Promise.reject(new Error(DISK_FAILS)) : read(...args));
}

export interface World {
  path: string;
  clock: Clock;
  chance(this: void): number;
  network: Network;
  /** Lines of level error; there should be none. */
  errors: string[];
}

export interface Process {
  service: ChatService;
  connect(member: Member): void;
  /** Ends it in the middle of whatever it does. */
  die(): Promise<void>;
}

/** What the app wires, of the real parts, with simulated sockets before it. */
export function openProcess({ path, clock, chance, network, errors }: World): Process {
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
      {
        textFrameBytesMax: 2 ** 16,
        binaryFrameBytesMax: 2 ** 16,
        idleMs: 2 ** 31,
        isBinaryRated: true,
      },
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
