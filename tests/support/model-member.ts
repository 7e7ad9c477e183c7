import type { ChatServerFrame, MessageFrame } from "../../src/features/chat/model.ts";
import type { ErrorFrame } from "../../src/realtime/refusal.ts";

// A member that believes the server word by word and notes what breaks its promises.

export type ServerFrame = ChatServerFrame | ErrorFrame;
type Place = { epoch: string; offset: number };

/** One connection of a member. */
interface Link {
  send(frame: object): void;
  /** Breaks it without a goodbye; what is under way is lost. */
  cut(): void;
}

export interface Member {
  readonly id: number;
  /** Promises that the server broke. */
  readonly faults: string[];
  /** What it was shown of the room. */
  readonly held: MessageFrame[];
  /** Offset and id of every message it said that was answered by `sent`. */
  readonly acknowledged: Map<string, { id: number; offset: number }>;
  isIn(): boolean;
  isConnected(): boolean;
  reached(): number;
  connected(link: Link): void;
  hear(frame: ServerFrame): void;
  broken(): void;
  cut(): void;
  /** Enters the room, from where it was unless it starts anew. */
  join(anew: boolean): void;
  leave(): void;
  /** Says something new, or with `again` what it said before. */
  say(text: string, again?: number): void;
  edit(id: number, text: string): void;
  remove(id: number): void;
}

/** `diskFails`: now and then a room cannot be read when it is to be entered. */
export function createMember(room: string, id: number, diskFails = false): Member {
  const faults: string[] = [];
  let held: MessageFrame[] = [];
  const acknowledged = new Map<string, { id: number; offset: number }>();
  const said: string[] = [];
  let link: Link | null = null;
  let place: Place | null = null;
  let state: "out" | "joining" | "behind" | "in" | "leaving" = "out";
  let asked: Place | null = null;

  const fault = (words: string): void => {
    faults.push(`member ${id}: ${words}`);
  };

  const take = (message: MessageFrame): void => {
    if (place === null || message.offset !== place.offset + 1) {
      fault(`was sent ${message.offset} after ${place?.offset ?? "nothing"} while ${state}`);
      return;
    }
    if (message.epoch !== place.epoch) fault("the epoch changed");
    place = { epoch: message.epoch, offset: message.offset };
    held.push(message);
    if (message.kind === "remove") held = held.map((one) => withoutText(one, message.target));
  };

  const askForMore = (): void => {
    link?.send({ type: "history", room, after: place?.offset ?? 0, ref: "more" });
  };

  const joined = (frame: ServerFrame & { type: "joined" }): void => {
    if (frame.recovered !== (asked !== null)) fault(`recovered is ${frame.recovered}`);
    if (!frame.recovered) {
      held = [];
      place = { epoch: frame.epoch, offset: (frame.messages[0]?.offset ?? frame.offset + 1) - 1 };
    }
    for (const message of frame.messages) take(message);
    if (frame.offset !== place?.offset) {
      fault(`joined says ${frame.offset}, its messages say ${place?.offset}`);
    }
    state = frame.more ? "behind" : "in";
    if (frame.more) askForMore();
  };

  const sent = ({ client_id: clientId, id, offset }: ServerFrame & { type: "sent" }): void => {
    if (!said.includes(clientId)) return;
    const first = acknowledged.get(clientId) ?? { id, offset };
    if (first.id !== id || first.offset !== offset) fault(`${clientId} was answered in two ways`);
    acknowledged.set(clientId, first);
  };

  const hear = (frame: ServerFrame): void => {
    switch (frame.type) {
      case "joined":
        return joined(frame);
      case "message":
        if (state === "in") return take(frame);
        if (state !== "leaving") fault(`was sent ${frame.offset} while ${state}`);
        return;
      case "history":
        if (state !== "behind") return;
        for (const message of frame.messages) take(message);
        if (frame.more) return askForMore();
        state = "in";
        return;
      case "sent":
        return sent(frame);
      case "left":
        if (state !== "leaving") fault(`was shown out while ${state}`);
        state = "out";
        return;
      case "gap":
        return fault(`was told of a gap from ${frame.from} to ${frame.to}`);
      case "error":
        // A server that stops says so and breaks no promise.
        if (frame.code === "draining") return;
        // What was removed meanwhile cannot be changed any more, nor what others said.
        if (frame.ref === "change" && ["not_found", "forbidden"].includes(frame.code)) return;
        if (diskFails && frame.ref === "join" && frame.code === "internal") {
          state = "out";
          return;
        }
        return fault(`was refused ${frame.ref}: ${frame.code} ${frame.message}`);
      case "welcome":
      case "presence":
      case "typing":
      case "caption":
    }
  };

  return {
    id,
    faults,
    get held() {
      return held;
    },
    acknowledged,
    isIn: () => state === "in",
    isConnected: () => link !== null,
    reached: () => place?.offset ?? 0,
    connected: (opened) => {
      link = opened;
    },
    hear,
    broken: () => {
      link = null;
      state = "out";
    },
    cut: () => link?.cut(),
    join: (anew) => {
      if (link === null || state !== "out") return;
      asked = anew ? null : place;
      state = "joining";
      link.send({ type: "join", room, ref: "join", ...(asked === null ? {} : { after: asked }) });
    },
    leave: () => {
      if (state !== "in") return;
      state = "leaving";
      link?.send({ type: "leave", room, ref: "leave" });
    },
    say: (text, again) => {
      if (state !== "in") return;
      const old = again === undefined ? undefined : said[again % said.length];
      const clientId = old ?? `${id}-${said.length}`;
      if (old === undefined) said.push(clientId);
      link?.send({ type: "say", room, client_id: clientId, text, ref: "say" });
    },
    edit: (messageId, text) => {
      if (state === "in") link?.send({ type: "edit", room, id: messageId, text, ref: "change" });
    },
    remove: (messageId) => {
      if (state === "in") link?.send({ type: "remove", room, id: messageId, ref: "change" });
    },
  };
}

export function withoutText(message: MessageFrame, removed: number | undefined): MessageFrame {
  const isRemoved = message.id === removed || message.target === removed;
  return isRemoved ? { ...message, text: "" } : message;
}

/** What is wrong with what members hold and were promised, against the room's log. */
export function differences(
  log: readonly MessageFrame[],
  members: readonly Pick<Member, "id" | "faults" | "held" | "acknowledged">[],
): string[] {
  const wrong = members.flatMap(({ faults }) => faults);
  log.forEach(({ offset }, at) => {
    if (offset !== at + 1) wrong.push(`the log has ${offset} at ${at + 1}`);
  });
  for (const { id, held, acknowledged } of members) {
    const start = (held[0]?.offset ?? log.length + 1) - 1;
    const there = held.map((message) => JSON.stringify(message));
    const expected = log.slice(start).map((message) => JSON.stringify(message));
    const at = expected.findIndex((line, index) => line !== there[index]);
    if (at >= 0) wrong.push(`member ${id} holds ${there[at]} for ${expected[at]}`);
    if (there.length > expected.length) wrong.push(`member ${id} holds more than the log`);
    for (const [clientId, { id: messageId, offset }] of acknowledged) {
      const found = log.filter((one) => one.client_id === clientId && one.user.id === id);
      if (found.length !== 1 || found[0]?.id !== messageId || found[0].offset !== offset) {
        wrong.push(`${clientId} of member ${id} was answered and is ${found.length} times there`);
      }
    }
  }
  const keys = log.map((message) => `${message.user.id} ${message.client_id}`);
  if (new Set(keys).size < keys.length) wrong.push("something was said twice");
  return wrong;
}
