import type { Caller } from "../../http/caller.ts";
import type { Bus } from "../../platform/bus.ts";
import type { Database } from "../../platform/database.ts";
import type { Log } from "../../platform/log.ts";
import { type Allowance, UNLIMITED, createRateLimit } from "../../platform/rate.ts";
import type { RedisClient } from "../../platform/redis.ts";
import { createFanout } from "../../realtime/fanout.ts";
import { createPresenceStore } from "../../realtime/presence.store.ts";
import { createPresence } from "../../realtime/presence.ts";
import { EARSHOT, earshotEncoding } from "./dialects/earshot.ts";
import type { ChatLive, ChatMessage } from "./model.ts";
import { createRoomsService } from "./rooms.ts";
import type { ChatRoutesDependencies } from "./routes.ts";
import { createChatService } from "./service.ts";
import { type ChatStore, createChatStore } from "./store.ts";

/** Rooms and what is said in them, joined. */
export interface ChatFeature {
  routes: Omit<ChatRoutesDependencies, "guard" | "gateway">;
  /** What is spoken into rooms, by people who were let in when they began. */
  captions: RoomCaptions;
  /** What was said in public rooms, by its rows. */
  saidAfter: ChatStore["saidAfter"];
  close(): Promise<void>;
}

type Speaker = Pick<Caller, "userId" | "name">;
type Told = (speaker: Speaker, room: string, segmentId: string, text: string) => Promise<void>;

/** Each throws `forbidden` for a speaker who was sent out since. */
interface RoomCaptions {
  /** Shows what may still change. */
  interim: Told;
  /** Keeps what will not; the same `segmentId` again adds nothing. */
  final: Told;
}

export interface ChatFeatureDependencies {
  database: Database;
  bus: Bus;
  redis: RedisClient | null;
  /** Sends a text to this process's sockets that follow a topic. */
  publish(topic: string, text: string): void;
  /** Whether people may speak only so fast. */
  isRated: boolean;
  presenceLeaseMs: number;
  processId: string;
  newId(): string;
  now(): number;
  log: Log;
}

/** What one user may say over all its sockets in this process. */
const SPEAKING: Allowance = { burst: 1_000, everyMs: 5 };

export function createChatFeature(dependencies: ChatFeatureDependencies): ChatFeature {
  const { database, bus, redis, publish, isRated, presenceLeaseMs: leaseMs } = dependencies;
  const { processId, newId, now, log } = dependencies;
  const store = createChatStore({ database, newId, now });
  const fanout = createFanout<ChatMessage, ChatLive>({
    bus,
    log: log.part("rooms"),
    roomLog: store,
    encodings: { [EARSHOT]: earshotEncoding },
    publish,
    refine: (room, live) => service.hear(room, live),
    onMissed: (room) => void presence.compare(room),
    changedElsewhere: database.changedElsewhere,
    onChanged: () => service.recheck(),
  });
  const presence = createPresence({
    store: redis === null ? null : createPresenceStore({ redis, processId, leaseMs, now }),
    tell: (room, change) => fanout.tell(room, { kind: "presence", change }),
    leaseMs,
    log: log.part("presence"),
  });
  const rooms = createRoomsService({ store, fanout, presence });
  const service = createChatService({
    store,
    rooms,
    fanout,
    presence,
    speaking: isRated ? createRateLimit(SPEAKING, now) : UNLIMITED,
    newId,
    now,
    log: log.part("chat"),
  });
  // Only who was sent out since may not go on: nobody knows any more whether an admin began.
  const letIn = async (speaker: Speaker, room: string): Promise<Caller> => {
    await rooms.checkNotSentOut(speaker.userId, room);
    return { ...speaker, role: "admin" };
  };
  return {
    routes: { service, rooms, fanout },
    captions: {
      interim: async (speaker, room, segmentId, text) =>
        service.caption(await letIn(speaker, room), room, segmentId, text),
      final: async (speaker, room, clientId, text) => {
        const caller = await letIn(speaker, room);
        await service.say(caller, room, { clientId, text, kind: "caption" });
      },
    },
    saidAfter: store.saidAfter,
    close: async () => {
      await presence.close();
      fanout.close();
    },
  };
}
