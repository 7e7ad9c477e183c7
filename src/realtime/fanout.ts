import type { Bus, Subscription } from "../platform/bus.ts";
import { type Log, errorFields } from "../platform/log.ts";
import { type Measure, counter, gauge } from "../platform/metrics.ts";
import { createTrouble } from "../platform/trouble.ts";

/** What happens in a room and is kept; offsets grow by one, without holes. */
export interface RoomEvent {
  offset: number;
}

/** Where the kept events of rooms can be read again. */
export interface RoomLog<Event extends RoomEvent> {
  /** The offset of the room's newest event; 0 when it has none. */
  head(room: string): Promise<number>;
  /** Events after `offset` in order, at most `limit`. */
  after(room: string, offset: number, limit: number): Promise<Event[]>;
}

/** How one wire protocol writes what happens in a room. */
export interface Encoding<Event, Live> {
  event(room: string, event: Event): string;
  live(room: string, live: Live): string;
  /** Events that nobody can have any more. */
  gap(room: string, from: number, to: number): string;
}

export interface FanoutDependencies<Event extends RoomEvent, Live> {
  bus: Bus;
  log: Log;
  roomLog: RoomLog<Event>;
  encodings: Record<string, Encoding<Event, Live>>;
  /** Sends one text to every socket that follows `topic`. */
  publish(topic: string, text: string): void;
  /** Runs for every live event before it goes out; null keeps it from this process's sockets. */
  refine(room: string, live: Live): Live | null;
  /** Runs when other processes may have said something that was not heard here. */
  onMissed(room: string): void;
  /** Runs before the sockets see what another process has written. Must not reject. */
  onChanged?(): Promise<void>;
  /** Whether another process has written to the database since it was last asked. */
  changedElsewhere(): boolean;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
}

/** Brings what happens in rooms to the sockets of every process. */
export interface Fanout<Event extends RoomEvent, Live> {
  /** Counts one more listener in; resolves when the room's events arrive here. */
  enter(room: string): Promise<void>;
  leave(room: string): void;
  /** The offset of the last event that this process's sockets were sent. */
  delivered(room: string): number;
  /**
   * Resolves when this process's sockets have been sent everything up to `offset`, which is on the
   * disk though the bus may not have told of it here. Rejects when it cannot be read.
   */
  reach(room: string, offset: number): Promise<void>;
  /** Tells of an event that is on the disk. */
  announce(room: string, event: Event): void;
  /** Tells of something that is not kept. */
  tell(room: string, live: Live): void;
  topic(room: string, encoding: string): string;
  openRooms(): string[];
  measure: Measure;
  close(): void;
}

/** Events read at once to fill a hole. */
const FILL_PAGE = 500;
const CHANGES_EVERY_MS = 250;

interface OpenRoom {
  listeners: number;
  delivered: number;
  /** The newest offset that is known to exist. */
  head: number;
  filling: boolean;
  /** The end of the latest filling. */
  filled: Promise<void>;
  subscription: Subscription;
  opened: Promise<void>;
}

type Payload<Event, Live> = { event: Event } | { live: Live };

/**
 * The bus only says that something happened and may lose or reorder it; the database decides. An
 * event that is not the next one makes this process read what lies between, so its sockets see every
 * offset once and in order. What is lost without a successor is found by watching the database for
 * other processes' writes.
 */
export function createFanout<Event extends RoomEvent, Live>(
  dependencies: FanoutDependencies<Event, Live>,
): Fanout<Event, Live> {
  const { bus, log, roomLog, encodings, publish, refine, every = repeat } = dependencies;
  const rooms = new Map<string, OpenRoom>();
  /** A read failed; the next look at the database is for everything, changed or not. */
  let mustLook = false;
  const counts = { deliveries: 0, refetched: 0, gaps: 0 };
  /** What cannot be read is read again four times a second, for each room. */
  const trouble = createTrouble({ log, level: "error" });
  let failures = 0;

  const channel = (room: string): string => `room:${room}`;
  const topic = (room: string, encoding: string): string => `${encoding}|${room}`;

  const deliver = (name: string, room: OpenRoom, event: Event): void => {
    if (event.offset > room.delivered + 1) skip(name, room, event.offset - 1);
    room.delivered = event.offset;
    counts.deliveries += room.listeners;
    for (const [encoding, { event: encode }] of Object.entries(encodings)) {
      publish(topic(name, encoding), encode(name, event));
    }
  };

  /** Tells that the events up to `to` are gone from the database too. */
  const skip = (name: string, room: OpenRoom, to: number): void => {
    counts.gaps++;
    for (const [encoding, { gap }] of Object.entries(encodings)) {
      publish(topic(name, encoding), gap(name, room.delivered + 1, to));
    }
    room.delivered = to;
  };

  const receive = (name: string, payload: Payload<Event, Live>): void => {
    const room = rooms.get(name);
    if (room === undefined) return;
    if ("live" in payload) return receiveLive(name, payload.live);
    const { event } = payload;
    room.head = Math.max(room.head, event.offset);
    if (event.offset === room.delivered + 1 && !room.filling) deliver(name, room, event);
    else if (event.offset > room.delivered) void fill(name, room);
  };

  const receiveLive = (name: string, live: Live): void => {
    const refined = refine(name, live);
    if (refined === null) return;
    counts.deliveries += rooms.get(name)?.listeners ?? 0;
    for (const [encoding, { live: encode }] of Object.entries(encodings)) {
      publish(topic(name, encoding), encode(name, refined));
    }
  };

  /** Reads and delivers up to the newest known event, once at a time. Never rejects. */
  const fill = (name: string, room: OpenRoom): Promise<void> => {
    if (!room.filling) room.filled = readOn(name, room);
    return room.filled;
  };

  const readOn = async (name: string, room: OpenRoom): Promise<void> => {
    room.filling = true;
    try {
      while (room.delivered < room.head && rooms.get(name) === room) {
        const events = await roomLog.after(name, room.delivered, FILL_PAGE);
        // While it was read, the room may have been left and opened again for others.
        if (rooms.get(name) !== room) break;
        if (events.length === 0) skip(name, room, room.head);
        counts.refetched += events.length;
        for (const event of events) deliver(name, room, event);
        room.head = Math.max(room.head, room.delivered);
      }
    } catch (error) {
      // The next event, or the next look at the database, tries again.
      fail(error, "a hole in a room could not be filled yet");
    } finally {
      room.filling = false;
    }
  };

  const catchUp = async (name: string, room: OpenRoom): Promise<void> => {
    try {
      room.head = Math.max(room.head, await roomLog.head(name));
    } catch (error) {
      fail(error, "a room's newest message could not be read");
    }
    await fill(name, room);
  };

  const fail = (error: unknown, message: string): void => {
    mustLook = true;
    failures++;
    trouble.begin(errorFields(error), message);
  };

  /** One room that can be read says nothing of the others: a trouble is over when all were. */
  const catchUpAll = async (): Promise<void> => {
    const before = failures;
    await Promise.all([...rooms].map(([name, room]) => catchUp(name, room)));
    if (failures === before) trouble.end("rooms are read again");
  };

  const open = (name: string): OpenRoom => {
    const subscription = bus.subscribe(channel(name), (message) =>
      receive(name, message as Payload<Event, Live>),
    );
    const room: OpenRoom = {
      listeners: 0,
      delivered: 0,
      head: 0,
      filling: true,
      filled: Promise.resolve(),
      subscription,
      opened: Promise.resolve(),
    };
    room.opened = (async () => {
      // What was heard while subscribing is covered by the head, read after it.
      await subscription.ready;
      room.delivered = await roomLog.head(name);
      room.filling = false;
      if (room.head > room.delivered) await fill(name, room);
    })();
    rooms.set(name, room);
    return room;
  };

  const look = async (): Promise<void> => {
    await dependencies.onChanged?.();
    await catchUpAll();
  };

  const stopLooking = every(CHANGES_EVERY_MS, () => {
    if (rooms.size === 0 || !(dependencies.changedElsewhere() || mustLook)) return;
    mustLook = false;
    void look();
  });
  bus.onMissed(() => {
    void catchUpAll();
    for (const name of rooms.keys()) dependencies.onMissed(name);
  });

  const shut = (name: string): void => {
    rooms.get(name)?.subscription.stop();
    rooms.delete(name);
  };

  return {
    enter: async (name) => {
      const room = rooms.get(name) ?? open(name);
      room.listeners++;
      try {
        await room.opened;
      } catch (error) {
        if (rooms.get(name) === room) shut(name);
        throw error;
      }
    },
    leave: (name) => {
      const room = rooms.get(name);
      if (room !== undefined && --room.listeners <= 0) shut(name);
    },
    delivered: (name) => rooms.get(name)?.delivered ?? 0,
    reach: async (name, offset) => {
      const room = rooms.get(name);
      if (room === undefined || room.delivered >= offset) return;
      room.head = Math.max(room.head, offset);
      await fill(name, room);
      if (room.delivered < offset) throw new Error("a room could not be read up to its newest");
    },
    announce: (name, event) => bus.publish(channel(name), { event }),
    tell: (name, live) => bus.publish(channel(name), { live }),
    topic,
    openRooms: () => [...rooms.keys()],
    measure: () => [
      gauge("earshot_rooms_open", "Rooms that somebody here is in.", rooms.size),
      gauge(
        "earshot_room_seats",
        "Places in rooms that sockets here have taken.",
        [...rooms.values()].reduce((sum, { listeners }) => sum + listeners, 0),
      ),
      counter(
        "earshot_room_deliveries_total",
        "Frames of rooms that went out, counted for each socket.",
        counts.deliveries,
      ),
      counter(
        "earshot_room_refetched_total",
        "Messages that were read from the database since nobody had told of them here.",
        counts.refetched,
      ),
      counter(
        "earshot_room_gaps_total",
        "Holes that could not be filled, and were told to the room.",
        counts.gaps,
      ),
    ],
    close: () => {
      stopLooking();
      for (const name of rooms.keys()) shut(name);
    },
  };
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
