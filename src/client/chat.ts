import type { ChatClientFrame, ChatServerFrame, MessageFrame } from "../features/chat/model.ts";
import type { ErrorFrame } from "../realtime/refusal.ts";
import { newId } from "./ids.ts";
import { type ConnectionState, type Identity, RETRY_MS_MIN, keepConnected } from "./connection.ts";

// The chat socket for programs: it comes back by itself, and nothing is missed or said twice.

type Fields<Type extends ChatServerFrame["type"]> = ChatServerFrame & { type: Type };
type User = MessageFrame["user"];

/** What a room tells. Every message comes once and in order, over any number of breaks. */
export interface RoomListener {
  message?(message: MessageFrame): void;
  /** The room was entered, or entered again after a break; `members` are those who are there. */
  joined?(room: { members: User[]; read: number; recovered: boolean }): void;
  /** What was missed is more than the server keeps: show the room anew from the next message on. */
  reset?(): void;
  /** These offsets are gone for everybody. */
  gap?(from: number, to: number): void;
  presence?(change: Fields<"presence">): void;
  typing?(user: User): void;
  /** An interim caption; replaces the one before of the same `segment_id`. */
  caption?(caption: Fields<"caption">): void;
  /** The room was left, or its owner sent this user out, or it could not be entered. */
  left?(reason: ErrorFrame | null): void;
}

export interface ChatRoom {
  /**
   * Resolves when it is durable, however often the connection breaks until then. The message comes
   * back with `clientId`.
   */
  say(text: string, clientId?: string): Promise<{ id: number; offset: number }>;
  edit(id: number, text: string): Promise<{ id: number; offset: number }>;
  remove(id: number): Promise<{ id: number; offset: number }>;
  typing(): void;
  /** Remembers how far this user has read. */
  read(offset: number): void;
  /** Older messages than `before`, oldest first. */
  earlier(before: number, limit?: number): Promise<{ messages: MessageFrame[]; more: boolean }>;
  leave(): void;
}

export type ChatState = ConnectionState;

export interface ChatClient {
  /** Enters a room, now and after every break, until it is left. Throws when it is in it already. */
  join(room: string, listener: RoomListener): ChatRoom;
  state(): ChatState;
  /** Who this is, once the server has said so. */
  user(): User | null;
  /** Ends it for good: what still waits is rejected, and nothing keeps the program running. */
  close(): void;
}

export interface ChatClientOptions extends Identity {
  /** Runs at each change of state; `error` says why, when the server said so. */
  onState?(state: ChatState, error: ErrorFrame | null): void;
}

/** Something that was asked for and is not answered yet. */
interface Request {
  frame: ChatClientFrame & { ref: string };
  resolve(frame: ChatServerFrame): void;
  reject(error: Error): void;
  /** Asked again after a break; the server knows by its `client_id` whether it was done. */
  isKept: boolean;
}

interface JoinedRoom {
  /** Short, for the refs of what is asked about it. */
  key: number;
  listener: RoomListener;
  /** The last message that the listener has. */
  place: { epoch: string; offset: number } | null;
  isIn: boolean;
  /** A page of what was missed is on its way. */
  isAsking: boolean;
}

/** The server refused what was asked. */
export class ChatError extends Error {
  override name = "ChatError";
  readonly frame: ErrorFrame;
  constructor(frame: ErrorFrame) {
    super(frame.message);
    this.frame = frame;
  }
}

/** Requests that may wait for a connection; past it they are refused. */
const REQUESTS_MAX = 1_000;

/** Connects, and keeps connecting, until `close`. */
export function connectChat(options: ChatClientOptions): ChatClient {
  const rooms = new Map<string, JoinedRoom>();
  const requests = new Map<string, Request>();
  let user: User | null = null;
  let keys = 0;
  /** Requests that were refused for now and wait for their turn. */
  let turns = 0;

  const broken = (isFinal: boolean): void => {
    for (const room of rooms.values()) {
      room.isIn = false;
      room.isAsking = false;
    }
    for (const [ref, request] of requests) {
      if (request.isKept && !isFinal && rooms.has(request.frame.room)) continue;
      requests.delete(ref);
      request.reject(new Error("the connection broke"));
    }
  };

  const sendJoin = (name: string, room: JoinedRoom): void => {
    const after = room.place === null ? {} : { after: room.place };
    send({ type: "join", room: name, ref: `join ${room.key}`, ...after });
  };

  const take = (frame: ChatServerFrame | ErrorFrame): void => {
    switch (frame.type) {
      case "welcome":
        user = frame.user;
        for (const [name, room] of rooms) sendJoin(name, room);
        return;
      case "joined":
        return joined(frame);
      case "message":
        return deliver(frame);
      case "history":
        return caughtUp(frame);
      case "sent":
        return answer(frame.ref, frame);
      case "error":
        return refused(frame);
      case "left":
        // With a ref it is the answer to `leave`, and the room may have been entered again since.
        return frame.ref === undefined ? expelled(frame.room) : undefined;
      case "gap":
        return skip(frame);
      case "presence":
        return rooms.get(frame.room)?.listener.presence?.(frame);
      case "typing":
        return rooms.get(frame.room)?.listener.typing?.(frame.user);
      case "caption":
        return rooms.get(frame.room)?.listener.caption?.(frame);
    }
  };

  const joined = (frame: Fields<"joined">): void => {
    const room = rooms.get(frame.room);
    // Left since, and maybe entered again: the answer to that is on its way.
    if (room === undefined || frame.ref !== `join ${room.key}`) return;
    if (!frame.recovered) {
      if (room.place !== null) room.listener.reset?.();
      const first = frame.messages[0]?.offset ?? frame.offset + 1;
      room.place = { epoch: frame.epoch, offset: first - 1 };
    }
    const { members, read, recovered } = frame;
    room.listener.joined?.({ members, read, recovered });
    for (const message of frame.messages) deliver(message);
    if (frame.more) return askForMore(frame.room, room);
    caught(frame.room, room);
  };

  /** Asks for what came after the last message; the server holds live ones back until then. */
  const askForMore = (name: string, room: JoinedRoom): void => {
    if (room.isAsking) return;
    room.isAsking = true;
    const after = room.place?.offset ?? 0;
    send({ type: "history", room: name, after, ref: `more ${room.key}` });
  };

  const caughtUp = (frame: Fields<"history">): void => {
    const room = rooms.get(frame.room);
    if (room === undefined || frame.ref !== `more ${room.key}`) return answer(frame.ref, frame);
    room.isAsking = false;
    const [first] = frame.messages;
    const from = (room.place?.offset ?? 0) + 1;
    // What a page leaves out is not there any more, and asking again would not bring it.
    if (first !== undefined && first.offset > from) {
      skip({ type: "gap", room: frame.room, from, to: first.offset - 1 });
    }
    for (const message of frame.messages) deliver(message);
    if (frame.more) return askForMore(frame.room, room);
    caught(frame.room, room);
  };

  const caught = (name: string, room: JoinedRoom): void => {
    // After a hole that was filled meanwhile, everything has been asked already.
    if (room.isIn) return;
    room.isIn = true;
    for (const { frame } of requests.values()) if (frame.room === name) send(frame);
  };

  const deliver = (message: MessageFrame): void => {
    const room = rooms.get(message.room);
    if (room?.place == null || message.offset <= room.place.offset) return;
    if (message.offset > room.place.offset + 1) {
      // A hole the server did not speak of: what lies between is asked for, this one with it.
      return askForMore(message.room, room);
    }
    room.place = { epoch: message.epoch, offset: message.offset };
    room.listener.message?.(message);
  };

  const skip = ({ room: name, from, to }: Fields<"gap">): void => {
    const room = rooms.get(name);
    if (room?.place == null || to <= room.place.offset) return;
    room.place = { ...room.place, offset: to };
    room.listener.gap?.(from, to);
  };

  const answer = (ref: string | number | undefined, frame: ChatServerFrame): void => {
    const request = requests.get(String(ref));
    if (request === undefined) return;
    requests.delete(String(ref));
    request.resolve(frame);
  };

  const refused = (frame: ErrorFrame): void => {
    const ref = String(frame.ref);
    const retryMs = frame.retry_after_ms ?? RETRY_MS_MIN;
    const [what, key] = ref.split(" ");
    const [name, room] = [...rooms].find(([, one]) => key === String(one.key)) ?? [];
    if (name !== undefined && room !== undefined) {
      const again = (act: () => void): void =>
        connection.laterHere(retryMs, () => {
          if (rooms.get(name) === room) act();
        });
      if (what === "more") {
        room.isAsking = false;
        if (frame.retryable) again(() => askForMore(name, room));
      } else if (frame.retryable) again(() => sendJoin(name, room));
      else forget(name, room, frame);
      return;
    }
    const request = requests.get(ref);
    if (request === undefined) return;
    if (request.isKept && frame.retryable) {
      // One after the other: all at once, only the first would be in time.
      connection.later(retryMs * ++turns, () => turns--);
      connection.laterHere(retryMs * turns, () => {
        if (requests.has(ref) && rooms.has(request.frame.room)) send(request.frame);
      });
      return;
    }
    requests.delete(ref);
    request.reject(new ChatError(frame));
  };

  const expelled = (name: string): void => {
    const room = rooms.get(name);
    if (room !== undefined) forget(name, room, connection.lastError());
  };

  /** Lets go of a room and of what waits for it, which will not be answered any more. */
  const forget = (name: string, room: JoinedRoom, reason: ErrorFrame | null): void => {
    rooms.delete(name);
    room.isIn = false;
    for (const [ref, { frame, reject }] of requests) {
      if (frame.room !== name) continue;
      requests.delete(ref);
      reject(new Error("the room was left"));
    }
    room.listener.left?.(reason);
  };

  const ask = (frame: ChatClientFrame, isKept: boolean): Promise<ChatServerFrame> => {
    const ref = newId();
    if (requests.size >= REQUESTS_MAX || connection.state() === "closed") {
      return Promise.reject(new Error("too much waits for the connection, or it is closed"));
    }
    if (!rooms.has(frame.room)) return Promise.reject(new Error("the room was left"));
    return new Promise((resolve, reject) => {
      const request = { frame: { ...frame, ref }, resolve, reject, isKept };
      requests.set(ref, request);
      if (rooms.get(frame.room)?.isIn === true) send(request.frame);
      else if (!isKept) {
        requests.delete(ref);
        reject(new Error("the room is not open now"));
      }
    });
  };

  const connection = keepConnected({
    identity: options,
    path: "/v1/ws/chat",
    greeting: "welcome",
    onFrame: (frame) => take(frame as ChatServerFrame | ErrorFrame),
    onBroken: broken,
    ...(options.onState && { onState: options.onState }),
  });
  const { send } = connection;
  return {
    join: (name, listener) => {
      if (rooms.has(name)) throw new Error("this client is in that room already");
      const room: JoinedRoom = { key: ++keys, listener, place: null, isIn: false, isAsking: false };
      rooms.set(name, room);
      if (connection.state() === "open") sendJoin(name, room);
      const change = async (
        frame: ChatClientFrame,
        isKept: boolean,
      ): Promise<{ id: number; offset: number }> => {
        const { id, offset } = (await ask(frame, isKept)) as Fields<"sent">;
        return { id, offset };
      };
      return {
        say: (text, clientId = newId()) =>
          change({ type: "say", room: name, client_id: clientId, text }, true),
        // Not asked again by itself: after a break it is not known whether it was done.
        edit: (id, text) => change({ type: "edit", room: name, id, text }, false),
        remove: (id) => change({ type: "remove", room: name, id }, false),
        typing: () => room.isIn && send({ type: "typing", room: name }),
        read: (offset) => room.isIn && send({ type: "read", room: name, offset }),
        earlier: async (before, limit = 50) => {
          const frame = await ask({ type: "history", room: name, before, limit }, false);
          const { messages, more } = frame as Fields<"history">;
          return { messages, more };
        },
        leave: () => {
          if (rooms.get(name) !== room) return;
          send({ type: "leave", room: name, ref: "leave" });
          if (!room.isIn) return forget(name, room, null);
          // What was asked before is answered before the room is left.
          rooms.delete(name);
          room.isIn = false;
          listener.left?.(null);
        },
      };
    },
    state: connection.state,
    user: () => user,
    close: connection.close,
  };
}
