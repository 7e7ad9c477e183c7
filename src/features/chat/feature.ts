import type { Caller } from "../../http/caller.ts";
import type { Bus } from "../../platform/bus.ts";
import type { Database } from "../../platform/database.ts";
import type { Log } from "../../platform/log.ts";
import type { Measure } from "../../platform/metrics.ts";
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
  /** What is spoken into rooms. */
  captions: RoomCaptions;
  /** What was said in public rooms, by its rows. */
  saidAfter: ChatStore["saidAfter"];
  measure: Measure;
  close(): Promise<void>;
}

type Told = (speaker: Caller, room: string, segmentId: string, text: string) => Promise<void>;

/** Each throws `forbidden` for a speaker who may not enter, or may no longer. */
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
    speaking: isRated ? createRateLimit(SPEAKING, () => performance.now()) : UNLIMITED,
    newId,
    now,
    log: log.part("chat"),
  });
  return {
    routes: { service, rooms, fanout },
    captions: {
      interim: service.caption,
      final: async (speaker, room, clientId, text) => {
        await service.say(speaker, room, { clientId, text, kind: "caption" });
      },
    },
    saidAfter: store.saidAfter,
    measure: async () => [...(await fanout.measure()), ...(await service.measure())],
    close: async () => {
      await presence.close();
      fanout.close();
    },
  };
}
