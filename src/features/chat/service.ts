import type { Caller } from "../../http/caller.ts";
import { hasMoreCharacters } from "../../http/characters.ts";
import { Problem } from "../../http/problem.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { type Measure, byLabel, counter } from "../../platform/metrics.ts";
import type { RateLimit } from "../../platform/rate.ts";
import type { Fanout } from "../../realtime/fanout.ts";
import type { Member, Presence } from "../../realtime/presence.ts";
import {
  type ChatLive,
  type ChatMessage,
  HISTORY_MESSAGES_MAX,
  PAGE_CHARACTERS_MAX,
  MEMBERS_TOLD_MAX,
  MESSAGE_CHARACTERS_MAX,
  type Place,
  RECENT_MESSAGES,
} from "./model.ts";
import type { RoomsService } from "./rooms.ts";
import type { ChatStore } from "./store.ts";

/** A room as somebody who joins finds it. */
export interface JoinedRoom {
  place: Place;
  recovered: boolean;
  more: boolean;
  messages: ChatMessage[];
  members: Member[];
  read: number;
}

/** Kept messages in order; `more` when others follow (or came before, when asked for those). */
export interface HistoryPage {
  epoch: string;
  messages: ChatMessage[];
  more: boolean;
}

export interface HistoryQuery {
  after?: number | undefined;
  before?: number | undefined;
  limit?: number | undefined;
}

export interface Saying {
  clientId: string;
  text: string;
  kind: "text" | "caption";
}

/** Somebody's place in a room, on one socket. */
export interface Seat {
  caller: Caller;
  /**
   * Runs in the same moment as the answer is made: whoever follows the room's topic from there
   * misses nothing and gets nothing twice.
   */
  joined(room: JoinedRoom): void;
  /** Its user was sent out of the room. */
  expelled(room: string): void;
}

export interface ChatService {
  join(seat: Seat, room: string, after: Place | null): Promise<void>;
  leave(seat: Seat, room: string): Promise<void>;
  /** Resolves when the message is durable; the same `clientId` again gives the first one. */
  say(caller: Caller, room: string, saying: Saying): Promise<ChatMessage>;
  edit(caller: Caller, room: string, id: number, text: string): Promise<ChatMessage>;
  remove(caller: Caller, room: string, id: number): Promise<ChatMessage>;
  typing(caller: Caller, room: string): void;
  /** Shows an interim caption. */
  caption(caller: Caller, room: string, segmentId: string, text: string): Promise<void>;
  read(caller: Caller, room: string, offset: number): Promise<void>;
  /** `answer` runs in the same moment as the page is made, as `Seat.joined` does. */
  history(
    caller: Caller,
    room: string,
    query: HistoryQuery,
    answer: (page: HistoryPage) => void,
  ): Promise<void>;
  /** Shows out who was sent out by another process whose word did not arrive. Never rejects. */
  recheck(): Promise<void>;
  /** What this process's sockets are to see of something that is not kept; null for nothing. */
  hear(room: string, live: ChatLive): ChatLive | null;
  measure: Measure;
}

export interface ChatServiceDependencies {
  store: ChatStore;
  rooms: RoomsService;
  fanout: Fanout<ChatMessage, ChatLive>;
  presence: Presence;
  /** How fast one user may speak, over all its sockets here. */
  speaking: RateLimit;
  newId(): string;
  now(): number;
  log: Log;
}

/** Clocks and commits of several processes are not one. */
const RECHECK_OVERLAP_MS = 10_000;

export function createChatService(dependencies: ChatServiceDependencies): ChatService {
  const { store, rooms, fanout, presence, speaking, newId, now, log } = dependencies;
  const seats = new Map<string, Set<Seat>>();
  let recheckedAt = now();
  const kept = { text: 0, caption: 0, edit: 0, remove: 0 };
  const joins = { new: 0, recovered: 0, lost: 0 };

  /**
   * Messages after `offset` up to what this process's sockets have been sent, so that the live ones
   * continue them exactly after `reached`. `isAll` is false when the limit cut them.
   */
  const upToLive = async (
    room: string,
    offset: number,
    limit: number,
  ): Promise<{ messages: ChatMessage[]; reached: number; isAll: boolean }> => {
    const messages: ChatMessage[] = [];
    let reached = offset;
    let characters = 0;
    for (;;) {
      const before = fanout.delivered(room);
      const read = await store.after(room, reached, limit - messages.length);
      // From here to the return nothing is awaited.
      const live = fanout.delivered(room);
      for (const message of read) {
        if (message.offset > live || characters > PAGE_CHARACTERS_MAX) break;
        messages.push(message);
        characters += message.text.length;
      }
      reached = messages.at(-1)?.offset ?? reached;
      // What was sent before the reading began and is not there has been cleared away.
      const isFull = characters > PAGE_CHARACTERS_MAX;
      if (!isFull && read.some((message) => message.offset > live)) reached = live;
      else if (read.length === 0) reached = Math.max(reached, before);
      const isAll = reached >= live;
      if (isAll || isFull || messages.length >= limit) return { messages, reached, isAll };
    }
  };

  const answerJoin = async (seat: Seat, name: string, after: Place | null): Promise<void> => {
    const room = await store.room(name);
    const read = await store.read(name, seat.caller.userId);
    const isKnown = after !== null && after.epoch === room.epoch && after.offset <= room.head;
    // Another process may have shown more than this one knows of yet, and that must not come again.
    if (isKnown) await fanout.reach(name, after.offset);
    const start = isKnown ? after.offset : Math.max(0, fanout.delivered(name) - RECENT_MESSAGES);
    const { messages, reached, isAll } = await upToLive(name, start, HISTORY_MESSAGES_MAX);
    const first = messages[0]?.offset ?? reached + 1;
    // Messages that were old enough to be cleared away leave a hole at the beginning.
    const recovered = isKnown && first === start + 1;
    joins[after === null ? "new" : recovered ? "recovered" : "lost"]++;
    seat.joined({
      place: { epoch: room.epoch, offset: reached },
      recovered,
      more: !isAll,
      messages,
      members: presence.members(name).slice(0, MEMBERS_TOLD_MAX),
      read,
    });
  };

  const speak = (caller: Caller): void => {
    const retryAfterMs = speaking.take(caller.userId);
    if (retryAfterMs === 0) return;
    throw new Problem("rate_limited", "You speak faster than the limit", { retryAfterMs });
  };

  const announce = (room: string, message: ChatMessage): void => {
    kept[message.kind]++;
    try {
      fanout.announce(room, message);
    } catch (error) {
      // It is kept, so it has been said; whoever missed it here finds it in the history.
      log.error(errorFields(error), "a message was kept but not announced");
    }
  };

  const amend = async (
    caller: Caller,
    room: string,
    amendment: { kind: "edit" | "remove"; target: number; text: string },
  ): Promise<ChatMessage> => {
    speak(caller);
    await rooms.checkMayEnter(caller, room);
    const isOwner = amendment.kind === "remove" && (await rooms.isOwner(caller, room));
    const message = await store.amend(
      room,
      { ...amendment, clientId: newId(), user: memberOf(caller), at: now() },
      (authorId) => isOwner || authorId === caller.userId,
    );
    if (message === null) throw new Problem("not_found", "There is no such message in this room");
    if (message === "forbidden") throw new Problem("forbidden", "That message is not yours");
    announce(room, message);
    return message;
  };

  const expel = (room: string, userId: number): void => {
    for (const seat of seats.get(room) ?? []) {
      if (seat.caller.userId === userId) seat.expelled(room);
    }
  };

  const leave = async (seat: Seat, room: string): Promise<void> => {
    const there = seats.get(room);
    if (there?.delete(seat) !== true) return;
    if (there.size === 0) seats.delete(room);
    await presence.leave(room, seat.caller.userId);
    fanout.leave(room);
  };

  return {
    measure: () => [
      counter(
        "earshot_messages_kept_total",
        "Messages, captions, edits and removals that were kept.",
        byLabel("kind", Object.entries(kept)),
      ),
      counter(
        "earshot_room_joins_total",
        "Rooms that sockets joined: for the first time, or again with all that was missed, or not all.",
        byLabel("outcome", Object.entries(joins)),
      ),
    ],
    leave,
    join: async (seat, room, after) => {
      await rooms.checkMayEnter(seat.caller, room);
      await fanout.enter(room);
      const there = seats.get(room) ?? new Set();
      seats.set(room, there.add(seat));
      try {
        await presence.join(room, memberOf(seat.caller));
        // Again, now that this seat would hear of it: its user may have been sent out meanwhile.
        await rooms.checkMayEnter(seat.caller, room);
        await answerJoin(seat, room, after);
      } catch (error) {
        await leave(seat, room);
        throw error;
      }
    },
    say: async (caller, room, { clientId, text, kind }) => {
      checkText(text);
      // A caption is as fast as its speaker.
      if (kind === "text") speak(caller);
      await rooms.checkMayEnter(caller, room);
      const said = { clientId, user: memberOf(caller), kind, text, at: now() };
      const { message, isNew } = await store.add(room, said);
      if (isNew) announce(room, message);
      return message;
    },
    edit: (caller, room, target, text) => {
      checkText(text);
      return amend(caller, room, { kind: "edit", target, text });
    },
    remove: (caller, room, target) => amend(caller, room, { kind: "remove", target, text: "" }),
    typing: (caller, room) => {
      speak(caller);
      fanout.tell(room, { kind: "typing", user: memberOf(caller) });
    },
    caption: async (caller, room, segmentId, text) => {
      await rooms.checkMayEnter(caller, room);
      fanout.tell(room, { kind: "caption", user: memberOf(caller), segmentId, text });
    },
    read: async (caller, room, offset) => {
      await rooms.checkMayEnter(caller, room);
      await store.setRead(room, caller.userId, offset);
    },
    history: async (caller, room, query, answer) => {
      const { after, before, limit = HISTORY_MESSAGES_MAX } = query;
      await rooms.checkMayEnter(caller, room);
      const { epoch, head } = await store.room(room);
      if (after !== undefined && fanout.delivered(room) > 0) {
        const { messages, isAll } = await upToLive(room, after, limit);
        return answer({ epoch, messages, more: !isAll });
      }
      if (after !== undefined) {
        const messages = firstOf(await store.after(room, after, limit), PAGE_CHARACTERS_MAX);
        return answer({ epoch, messages, more: (messages.at(-1)?.offset ?? head) < head });
      }
      const all = await store.before(room, before ?? head + 1, limit);
      const messages = lastOf(all, PAGE_CHARACTERS_MAX);
      answer({ epoch, messages, more: (messages[0]?.offset ?? 1) > 1 });
    },
    recheck: async () => {
      const since = recheckedAt - RECHECK_OVERLAP_MS;
      try {
        const startedAt = now();
        for (const { room, userId } of await store.removedSince(since)) expel(room, userId);
        recheckedAt = startedAt;
      } catch (error) {
        log.error(errorFields(error), "who was sent out could not be read yet");
      }
    },
    hear: (room, live) => {
      switch (live.kind) {
        case "presence": {
          const change = presence.apply(room, live.change);
          return change === null ? null : { kind: "presence", change };
        }
        case "expelled":
          expel(room, live.userId);
          return null;
        case "typing":
        case "caption":
          return live;
      }
    },
  };
}

/** As many as fit, from the beginning; one at least. */
function firstOf(messages: ChatMessage[], charactersMax: number): ChatMessage[] {
  let characters = 0;
  const cut = messages.findIndex(({ text }) => (characters += text.length) > charactersMax);
  return cut < 0 ? messages : messages.slice(0, Math.max(1, cut));
}

/** As many as fit, from the end. */
function lastOf(messages: ChatMessage[], charactersMax: number): ChatMessage[] {
  return firstOf(messages.toReversed(), charactersMax).toReversed();
}

function memberOf({ userId, name }: Caller): Member {
  return { id: userId, name };
}

function checkText(text: string): void {
  if (hasMoreCharacters(text, MESSAGE_CHARACTERS_MAX)) {
    throw new Problem("invalid", `text may have ${MESSAGE_CHARACTERS_MAX} characters`);
  }
  if (text.trim() === "") throw new Problem("invalid", "text must not be empty");
}
