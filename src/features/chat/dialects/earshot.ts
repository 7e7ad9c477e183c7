import type { Connection, Protocol } from "../../../realtime/connection.ts";
import { withRef } from "../../../realtime/connection.ts";
import type { Encoding, Fanout } from "../../../realtime/fanout.ts";
import { createFrameReader, refOf } from "../../../realtime/frames.ts";
import { type Ref, Refusal } from "../../../realtime/refusal.ts";
import {
  type ChatClientFrame,
  type ChatLive,
  type ChatMessage,
  HISTORY_MESSAGES_MAX,
  MESSAGE_CHARACTERS_MAX,
  ROOMS_PER_SOCKET_MAX,
  chatClientFrames,
} from "../model.ts";
import type { ChatService, HistoryPage } from "../service.ts";

/** The name of this dialect's topics. */
export const EARSHOT = "earshot";

/** How rooms' events look in this dialect. */
export const earshotEncoding: Encoding<ChatMessage, ChatLive> = {
  event: (room, message) => JSON.stringify(messageFrame(room, message)),
  live: (room, live) => {
    switch (live.kind) {
      case "typing":
        return JSON.stringify({ type: "typing", room, user: live.user });
      case "caption":
        return JSON.stringify({
          type: "caption",
          room,
          user: live.user,
          segment_id: live.segmentId,
          text: live.text,
        });
      case "presence":
        return JSON.stringify({ type: "presence", room, ...live.change });
    }
  },
};

export interface EarshotChatDependencies {
  service: ChatService;
  fanout: Fanout<ChatMessage, ChatLive>;
  idleMs: number;
  textFrameBytesMax: number;
}

/** A room this socket is in; one that is behind gets live messages once it has caught up. */
interface Seat {
  isBehind: boolean;
}

const readFrame = createFrameReader(chatClientFrames);

/** The chat protocol of `/v1/ws/chat`. `firstRoom` is joined at once. */
export function openEarshotChat(
  connection: Connection,
  { service, fanout, idleMs, textFrameBytesMax }: EarshotChatDependencies,
  firstRoom: string | undefined,
): Protocol {
  const { caller, guestToken, expiresAt } = connection.visitor;
  const seats = new Map<string, Seat>();

  const follow = (room: string, seat: Seat): void => {
    seat.isBehind = false;
    connection.follow(fanout.topic(room, EARSHOT));
  };

  const join = async (frame: ChatClientFrame & { type: "join" }): Promise<void> => {
    const { room, ref } = frame;
    if (seats.has(room)) throw new Refusal("bad_request", "this socket is in that room already");
    if (seats.size >= ROOMS_PER_SOCKET_MAX) {
      throw new Refusal("bad_request", `a socket may be in ${ROOMS_PER_SOCKET_MAX} rooms`);
    }
    const seat: Seat = { isBehind: true };
    await service.join(caller, room, frame.after ?? null, ({ place, messages, ...rest }) => {
      seats.set(room, seat);
      if (!rest.more) follow(room, seat);
      const list = messages.map((message) => messageFrame(room, message));
      connection.send({ type: "joined", room, ...place, ...rest, messages: list, ...withRef(ref) });
    });
  };

  const leave = async (room: string): Promise<void> => {
    seats.delete(room);
    connection.unfollow(fanout.topic(room, EARSHOT));
    await service.leave(caller, room);
  };

  const seatIn = (room: string): Seat => {
    const seat = seats.get(room);
    if (seat === undefined) throw new Refusal("not_found", "join the room first");
    return seat;
  };

  const history = (frame: ChatClientFrame & { type: "history" }): Promise<void> => {
    const { room, after, before, limit, ref } = frame;
    const seat = seatIn(room);
    return service.history(caller, room, { after, before, limit }, (page: HistoryPage) => {
      if (seat.isBehind && after !== undefined && !page.more) follow(room, seat);
      const list = page.messages.map((message) => messageFrame(room, message));
      connection.send({ type: "history", room, ...page, messages: list, ...withRef(ref) });
    });
  };

  const take = async (frame: ChatClientFrame, ref: Ref | undefined): Promise<void> => {
    switch (frame.type) {
      case "join":
        return join(frame);
      case "leave":
        seatIn(frame.room);
        await leave(frame.room);
        return connection.send({ type: "left", room: frame.room, ...withRef(ref) });
      case "say": {
        const { room, client_id, text } = frame;
        seatIn(room);
        const { id, offset } = await service.say(caller, room, {
          clientId: client_id,
          text,
          kind: "text",
        });
        return connection.send({ type: "sent", client_id, room, id, offset, ...withRef(ref) });
      }
      case "typing":
        seatIn(frame.room);
        return service.typing(caller, frame.room);
      case "history":
        return history(frame);
    }
  };

  connection.send({
    type: "welcome",
    session_id: connection.id,
    user: { id: caller.userId, name: caller.name },
    ...(guestToken === null ? {} : { guest_token: guestToken }),
    limits: {
      text_characters: MESSAGE_CHARACTERS_MAX,
      history_messages: HISTORY_MESSAGES_MAX,
      rooms: ROOMS_PER_SOCKET_MAX,
      frame_bytes: textFrameBytesMax,
      idle_ms: idleMs,
    },
    ...(expiresAt === null ? {} : { expires_at: expiresAt }),
  });

  // Joined as if the client had asked, so that a wrong name is answered in the same way.
  const first = { type: "join", room: firstRoom };
  let joining: Promise<void> | null =
    firstRoom === undefined
      ? null
      : Promise.resolve()
          .then(() => take(readFrame(first), undefined))
          .catch((error: unknown) => connection.refuse(error));

  return {
    frame: async (raw) => {
      if (joining !== null) {
        await joining;
        joining = null;
      }
      await take(readFrame(raw), refOf(raw));
    },
    binary: () => {
      throw new Refusal("bad_request", "the chat socket takes text frames only");
    },
    drain: () => {},
    closed: async () => {
      await joining;
      for (const room of seats.keys()) await leave(room);
    },
  };
}

function messageFrame(room: string, message: ChatMessage): object {
  const { epoch, offset, id, clientId, user, kind, text, at } = message;
  return { type: "message", room, epoch, offset, id, client_id: clientId, user, kind, text, at };
}
