import { type ReadonlySignal, batch, signal } from "@preact/signals";
import type { ChatClient, ChatRoom } from "../../client/chat.ts";
import { newId } from "../../client/ids.ts";
import type { MessageFrame } from "../../features/chat/model.ts";
import { reasonOf } from "../api.ts";

export type User = MessageFrame["user"];

/** Something that was said, as it is shown; a change makes a new object. */
export interface Said {
  /** The same while it is on its way and when it is there. */
  key: string;
  clientId: string;
  /** Null while it is on its way. */
  id: number | null;
  offset: number;
  user: User;
  kind: "text" | "caption";
  text: string;
  /** Unix milliseconds. */
  at: number;
  change: "edit" | "remove" | null;
}

/** Neighbours that are drawn together, so that one new message does not redraw all of a long room. */
export interface Block {
  key: number;
  said: ReadonlySignal<readonly Said[]>;
}

/** Words that are being spoken now. */
export interface Interim {
  segmentId: string;
  user: User;
  text: string;
  /** So many characters were the same before. */
  stable: number;
}

/** A message that could not be sent. */
export interface Unsent {
  clientId: string;
  text: string;
  reason: string;
}

export interface RoomState {
  blocks: ReadonlySignal<readonly Block[]>;
  /** This user's messages that are on their way. */
  sending: ReadonlySignal<readonly Said[]>;
  unsent: ReadonlySignal<readonly Unsent[]>;
  interim: ReadonlySignal<readonly Interim[]>;
  members: ReadonlySignal<readonly User[]>;
  typing: ReadonlySignal<readonly User[]>;
  /** The newest message, for those who listen to the page; null for this user's own. */
  latest: ReadonlySignal<Said | null>;
  /** How far this user had read on coming in; null until then. */
  readBefore: ReadonlySignal<number | null>;
  hasEarlier: ReadonlySignal<boolean>;
  /** Why this user is not in the room. */
  outside: ReadonlySignal<string | null>;
  say(text: string): void;
  sayAgain(unsent: Unsent): void;
  edit(id: number, text: string): Promise<void>;
  remove(id: number): Promise<void>;
  showTyping(): void;
  /** Loads older messages. */
  loadEarlier(): Promise<void>;
  /** Everything up to the newest was seen. */
  markRead(): void;
  leave(): void;
}

const BLOCK_MESSAGES = 50;
const EARLIER_MESSAGES = 100;
/** Somebody who wrote nothing more for so long is not typing. */
const TYPING_MS = 5_000;
const TYPING_EVERY_MS = 3_000;
/** Words whose end never came, as when the speaker's line broke. */
const INTERIM_MS_MAX = 15_000;
const EDITED = ["edit", "remove"];

/** Enters a room and keeps what it shows. */
export function enterRoom(client: ChatClient, name: string, me: () => User): RoomState {
  const blocks = signal<readonly (Block & { said: ReturnType<typeof saidSignal> })[]>([]);
  const sending = signal<readonly Said[]>([]);
  const unsent = signal<readonly Unsent[]>([]);
  const interim = signal<readonly Interim[]>([]);
  const members = signal<readonly User[]>([]);
  const typing = signal<readonly User[]>([]);
  const latest = signal<Said | null>(null);
  const readBefore = signal<number | null>(null);
  const hasEarlier = signal(false);
  const outside = signal<string | null>(null);

  /** Edits and removals by their target, which may be loaded after them. */
  const changes = new Map<number, MessageFrame>();
  const places = new Map<number, (typeof blocks.value)[number]>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  let keys = 0;
  let newest = 0;
  let earliest = 0;
  /** While the messages come that were there before. */
  let isQuiet = false;
  let isLoading = false;
  let typedAt = 0;

  const forgetLater = (key: string, afterMs: number, forget: () => void): void => {
    clearTimeout(timers.get(key));
    timers.set(key, setTimeout(forget, afterMs));
  };

  const quieten = (segmentId: string): void => {
    if (!interim.value.some((one) => one.segmentId === segmentId)) return;
    interim.value = interim.value.filter((one) => one.segmentId !== segmentId);
  };

  const stopTyping = (user: User): void => {
    if (!typing.value.some(({ id }) => id === user.id)) return;
    typing.value = typing.value.filter(({ id }) => id !== user.id);
  };

  const change = (event: MessageFrame): void => {
    if (event.target === undefined) return;
    changes.set(event.target, event);
    const block = places.get(event.target);
    if (block === undefined) return;
    block.said.value = block.said.value.map((one) =>
      one.id === event.target ? changed(one, event) : one,
    );
  };

  const shown = (message: MessageFrame): Said => {
    const event = changes.get(message.id);
    const said = saidOf(message);
    return event === undefined ? said : changed(said, event);
  };

  const append = (message: MessageFrame): void => {
    const said = shown(message);
    let block = blocks.value.at(-1);
    if (block === undefined || block.said.value.length >= BLOCK_MESSAGES) {
      block = { key: ++keys, said: saidSignal([]) };
      blocks.value = [...blocks.value, block];
    }
    places.set(message.id, block);
    block.said.value = [...block.said.value, said];
    sending.value = sending.value.filter(({ key }) => key !== said.key);
    if (!isQuiet) latest.value = said.user.id === me().id ? null : said;
    stopTyping(message.user);
    if (message.kind === "caption") quieten(message.client_id);
  };

  const take = (message: MessageFrame): void =>
    batch(() => {
      newest = message.offset;
      if (earliest === 0) {
        earliest = message.offset;
        hasEarlier.value = earliest > 1;
      }
      if (EDITED.includes(message.kind)) change(message);
      else append(message);
    });

  const clear = (): void => {
    earliest = 0;
    blocks.value = [];
    places.clear();
    changes.clear();
  };

  const room: ChatRoom = client.join(name, {
    message: take,
    reset: clear,
    joined: (joined) => {
      outside.value = null;
      members.value = joined.members;
      readBefore.value ??= joined.read;
      interim.value = [];
      if (joined.recovered) return;
      isQuiet = true;
      queueMicrotask(() => {
        isQuiet = false;
      });
    },
    presence: ({ event, user }) => {
      const others = members.value.filter(({ id }) => id !== user.id);
      members.value = event === "join" ? [...others, user] : others;
      if (event === "leave") stopTyping(user);
    },
    typing: (user) => {
      if (user.id === me().id) return;
      stopTyping(user);
      typing.value = [...typing.value, user];
      forgetLater(`typing ${user.id}`, TYPING_MS, () => stopTyping(user));
    },
    caption: ({ user, segment_id: segmentId, text }) => {
      if (text === "") return quieten(segmentId);
      const before = interim.value.find((one) => one.segmentId === segmentId);
      const next = { segmentId, user, text, stable: sameCharacters(before?.text ?? "", text) };
      interim.value =
        before === undefined
          ? [...interim.value, next]
          : interim.value.map((one) => (one === before ? next : one));
      forgetLater(segmentId, INTERIM_MS_MAX, () => quieten(segmentId));
    },
    left: (reason) => {
      outside.value = reason?.message ?? "You are no longer in this room";
    },
  });

  const send = (text: string, clientId: string): void => {
    const user = me();
    const said: Said = {
      key: keyOf(user, clientId),
      clientId,
      id: null,
      offset: Number.MAX_SAFE_INTEGER,
      user,
      kind: "text",
      text,
      at: Date.now(),
      change: null,
    };
    sending.value = [...sending.value, said];
    room.say(text, clientId).catch((error: unknown) => {
      sending.value = sending.value.filter(({ key }) => key !== said.key);
      unsent.value = [...unsent.value, { clientId, text, reason: reasonOf(error) }];
    });
  };

  return {
    blocks,
    sending,
    unsent,
    interim,
    members,
    typing,
    latest,
    readBefore,
    hasEarlier,
    outside,
    say: (text) => send(text, newId()),
    sayAgain: ({ clientId, text }) => {
      unsent.value = unsent.value.filter((one) => one.clientId !== clientId);
      // The same id: had it arrived after all, it is not said twice.
      send(text, clientId);
    },
    edit: async (id, text) => void (await room.edit(id, text)),
    remove: async (id) => void (await room.remove(id)),
    showTyping: () => {
      if (Date.now() - typedAt < TYPING_EVERY_MS) return;
      typedAt = Date.now();
      room.typing();
    },
    loadEarlier: async () => {
      if (isLoading || earliest === 0) return;
      isLoading = true;
      try {
        const { messages, more } = await room.earlier(earliest, EARLIER_MESSAGES);
        earliest = messages[0]?.offset ?? earliest;
        batch(() => {
          for (const message of messages) {
            // A later change of the same message is known already.
            if (message.target !== undefined && !changes.has(message.target)) change(message);
          }
          const older = messages.filter(({ kind }) => !EDITED.includes(kind)).map(shown);
          const block = { key: ++keys, said: saidSignal(older) };
          for (const { id } of older) if (id !== null) places.set(id, block);
          if (older.length > 0) blocks.value = [block, ...blocks.value];
          hasEarlier.value = more && messages.length > 0;
        });
      } finally {
        isLoading = false;
      }
    },
    markRead: () => room.read(newest),
    leave: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      room.leave();
    },
  };
}

function saidSignal(said: readonly Said[]) {
  return signal(said);
}

function saidOf({ id, client_id, offset, user, kind, text, at }: MessageFrame): Said {
  const shownKind = kind === "caption" ? "caption" : "text";
  return {
    key: keyOf(user, client_id),
    clientId: client_id,
    id,
    offset,
    user,
    kind: shownKind,
    text,
    at,
    change: text === "" ? "remove" : null,
  };
}

function keyOf({ id }: User, clientId: string): string {
  return `${id} ${clientId}`;
}

function changed(said: Said, event: MessageFrame): Said {
  return { ...said, text: event.text, change: event.kind === "edit" ? "edit" : "remove" };
}

/** How many characters two texts share at their beginning, up to the last whole word. */
function sameCharacters(before: string, after: string): number {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  return same === after.length ? same : after.lastIndexOf(" ", same) + 1;
}
