import { type ReadonlySignal, batch, signal } from "@preact/signals";
import type { ChatClient, ChatRoom } from "../../client/chat.ts";
import type { MessageFrame } from "../../features/chat/model.ts";
import { type History, createHistory } from "./history.ts";
import { type Outbox, createOutbox } from "./outbox.ts";
import { type Present, createPresent } from "./present.ts";
import type { Said, User } from "./said.ts";

/** A room that one is in: what was said, who is there, and what one says oneself. */
export interface RoomState
  extends
    Pick<History, "blocks" | "hasEarlier">,
    Pick<Present, "members" | "typing" | "interim">,
    Pick<Outbox, "sending" | "unsent" | "say" | "sayAgain" | "forget"> {
  /** What others have just said, since the room was entered. */
  fresh: ReadonlySignal<readonly Said[]>;
  /** How far this user had read on coming in; null until then. */
  readBefore: ReadonlySignal<number | null>;
  /** Why this user is not in the room. */
  outside: ReadonlySignal<string | null>;
  edit(id: number, text: string): Promise<void>;
  remove(id: number): Promise<void>;
  showTyping(): void;
  /** Loads older messages. */
  loadEarlier(): Promise<void>;
  /** Everything up to the newest was seen. */
  markRead(): void;
  leave(): void;
}

const EARLIER_MESSAGES = 100;
const TYPING_EVERY_MS = 3_000;
/** Messages that come within so long are shown together: the page stays alive in a flood of them. */
const TOGETHER_MS = 50;

/** Enters a room and keeps what it shows. */
export function enterRoom(client: ChatClient, name: string, me: () => User): RoomState {
  const history = createHistory();
  const present = createPresent();
  const fresh = signal<readonly Said[]>([]);
  const readBefore = signal<number | null>(null);
  const outside = signal<string | null>(null);

  let arrivals: { message: MessageFrame; isQuiet: boolean }[] = [];
  let showing: ReturnType<typeof setTimeout> | undefined;
  let shownAt = -Infinity;
  /** While the messages come that were there before. */
  let isQuiet = false;
  let typedAt = 0;

  const show = (): void => {
    clearTimeout(showing);
    showing = undefined;
    shownAt = performance.now();
    const some = arrivals;
    arrivals = [];
    const quiet = new Set(some.filter((one) => one.isQuiet).map(({ message }) => message.id));
    batch(() => {
      const added = history.add(some.map(({ message }) => message));
      outbox.arrived(added);
      for (const said of added) {
        present.stopTyping(said.user);
        if (said.kind === "caption") present.stopSpeaking(said.clientId);
      }
      const others = added.filter(
        ({ id, user }) => id !== null && !quiet.has(id) && user.id !== me().id,
      );
      if (others.length > 0) fresh.value = others;
    });
  };

  const take = (message: MessageFrame): void => {
    arrivals.push({ message, isQuiet });
    if (showing !== undefined) return;
    const sinceMs = performance.now() - shownAt;
    // Alone it is shown at once, with what came along in the same turn.
    if (sinceMs < TOGETHER_MS) showing = setTimeout(show, TOGETHER_MS - sinceMs);
    else showing = setTimeout(show, 0);
  };

  const room: ChatRoom = client.join(name, {
    message: take,
    reset: () => {
      arrivals = [];
      history.clear();
    },
    joined: (joined) => {
      outside.value = null;
      readBefore.value ??= joined.read;
      present.enter(joined.members);
      if (joined.recovered) return;
      isQuiet = true;
      queueMicrotask(() => {
        isQuiet = false;
      });
    },
    presence: ({ event, user }) => (event === "join" ? present.come(user) : present.go(user)),
    typing: (user) => {
      if (user.id !== me().id) present.startTyping(user);
    },
    caption: ({ user, segment_id: segmentId, text }) => present.speak(user, segmentId, text),
    left: (reason) => {
      outside.value = reason?.message ?? "You are no longer in this room";
    },
  });
  const outbox = createOutbox({ say: room.say, me });

  return {
    blocks: history.blocks,
    hasEarlier: history.hasEarlier,
    members: present.members,
    typing: present.typing,
    interim: present.interim,
    sending: outbox.sending,
    unsent: outbox.unsent,
    say: outbox.say,
    sayAgain: outbox.sayAgain,
    forget: outbox.forget,
    fresh,
    readBefore,
    outside,
    edit: async (id, text) => void (await room.edit(id, text)),
    remove: async (id) => void (await room.remove(id)),
    showTyping: () => {
      if (Date.now() - typedAt < TYPING_EVERY_MS) return;
      typedAt = Date.now();
      room.typing();
    },
    loadEarlier: () => history.addEarlier((before) => room.earlier(before, EARLIER_MESSAGES)),
    markRead: () => room.read(history.newest()),
    leave: () => {
      clearTimeout(showing);
      present.close();
      room.leave();
    },
  };
}
