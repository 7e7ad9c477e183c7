import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { Fanout } from "../../realtime/fanout.ts";
import type { Member, Presence } from "../../realtime/presence.ts";
import {
  type ChatLive,
  type ChatMessage,
  HISTORY_MESSAGES_MAX,
  MESSAGE_CHARACTERS_MAX,
  type Place,
  RECENT_MESSAGES,
} from "./model.ts";
import type { ChatStore } from "./store.ts";

/** A room as somebody who joins finds it. */
export interface JoinedRoom {
  place: Place;
  recovered: boolean;
  more: boolean;
  messages: ChatMessage[];
  members: Member[];
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

/**
 * `attach` runs in the same moment as the answer is made: whoever follows the room's topic from
 * there misses nothing and gets nothing twice. It runs only when nothing more is to be caught up.
 */
export type Attach<Answer> = (answer: Answer) => void;

export interface ChatService {
  join(
    caller: Caller,
    room: string,
    after: Place | null,
    attach: Attach<JoinedRoom>,
  ): Promise<void>;
  leave(caller: Caller, room: string): Promise<void>;
  /** Resolves when the message is durable; the same `clientId` again gives the first one. */
  say(caller: Caller, room: string, saying: Saying): Promise<ChatMessage>;
  typing(caller: Caller, room: string): void;
  /** Shows an interim caption. */
  caption(caller: Caller, room: string, segmentId: string, text: string): void;
  history(
    caller: Caller,
    room: string,
    query: HistoryQuery,
    attach: Attach<HistoryPage>,
  ): Promise<void>;
}

export interface ChatServiceDependencies {
  store: ChatStore;
  fanout: Fanout<ChatMessage, ChatLive>;
  presence: Presence;
  now(): number;
  log: Log;
}

export function createChatService(dependencies: ChatServiceDependencies): ChatService {
  const { store, fanout, presence, now, log } = dependencies;

  /**
   * Messages after `offset` up to what this process's sockets have been sent, so that the live ones
   * continue them exactly. `isAll` is false when the limit cut them.
   */
  const upToLive = async (
    room: string,
    offset: number,
    limit: number,
  ): Promise<{ messages: ChatMessage[]; isAll: boolean }> => {
    const messages: ChatMessage[] = [];
    let reached = offset;
    for (;;) {
      const read = await store.after(room, reached, limit - messages.length);
      // From here to the return nothing is awaited.
      const live = fanout.delivered(room);
      for (const message of read) if (message.offset <= live) messages.push(message);
      reached = Math.max(reached, messages.at(-1)?.offset ?? reached);
      const isAll = reached >= live;
      if (isAll || messages.length >= limit || read.length === 0) return { messages, isAll };
    }
  };

  const join = async (
    room: string,
    after: Place | null,
    attach: Attach<JoinedRoom>,
  ): Promise<void> => {
    const { epoch, head } = await store.room(room);
    const canRecover = after !== null && after.epoch === epoch && after.offset <= head;
    const start = canRecover ? after.offset : Math.max(0, fanout.delivered(room) - RECENT_MESSAGES);
    const limit = canRecover ? HISTORY_MESSAGES_MAX : HISTORY_MESSAGES_MAX + RECENT_MESSAGES;
    const { messages, isAll } = await upToLive(room, start, limit);
    attach({
      place: {
        epoch,
        offset: messages.at(-1)?.offset ?? (canRecover ? start : fanout.delivered(room)),
      },
      recovered: canRecover,
      more: !isAll,
      messages: canRecover ? messages : messages.slice(-RECENT_MESSAGES),
      members: presence.members(room),
    });
  };

  return {
    join: async (caller, room, after, attach) => {
      await fanout.enter(room);
      try {
        await presence.join(room, memberOf(caller));
        await join(room, after, attach);
      } catch (error) {
        await presence.leave(room, caller.userId);
        fanout.leave(room);
        throw error;
      }
    },
    leave: async (caller, room) => {
      await presence.leave(room, caller.userId);
      fanout.leave(room);
    },
    say: async (caller, room, { clientId, text, kind }) => {
      checkText(text);
      const said = { clientId, user: memberOf(caller), kind, text, at: now() };
      const { message, isNew } = await store.add(room, said);
      if (isNew) {
        try {
          fanout.announce(room, message);
        } catch (error) {
          // It is kept, so it has been said; whoever missed it here finds it in the history.
          log.error(errorFields(error), "a message was kept but not announced");
        }
      }
      return message;
    },
    typing: (caller, room) => fanout.tell(room, { kind: "typing", user: memberOf(caller) }),
    caption: (caller, room, segmentId, text) =>
      fanout.tell(room, { kind: "caption", user: memberOf(caller), segmentId, text }),
    history: async (_caller, room, { after, before, limit = HISTORY_MESSAGES_MAX }, attach) => {
      const { epoch, head } = await store.room(room);
      if (after !== undefined) {
        const { messages, isAll } = await upToLive(room, after, limit);
        attach({ epoch, messages, more: !isAll });
        return;
      }
      const messages = await store.before(room, before ?? head + 1, limit);
      attach({ epoch, messages, more: (messages[0]?.offset ?? 1) > 1 });
    },
  };
}

function memberOf({ userId, name }: Caller): Member {
  return { id: userId, name };
}

function checkText(text: string): void {
  // Code points, as a person counts; the length alone would count many characters twice.
  if (text.length > MESSAGE_CHARACTERS_MAX && [...text].length > MESSAGE_CHARACTERS_MAX) {
    throw new Problem("invalid", `text may have ${MESSAGE_CHARACTERS_MAX} characters`);
  }
  if (text.trim() === "") throw new Problem("invalid", "text must not be empty");
}
