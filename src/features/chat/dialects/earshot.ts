import { type Connection, type Protocol, withRef } from "../../../realtime/connection.ts";
import type { Encoding, Fanout } from "../../../realtime/fanout.ts";
import { createFrameReader } from "../../../realtime/frames.ts";
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
import type { ChatService, HistoryPage, Seat } from "../service.ts";

/** The name of this dialect's topics. */
export const EARSHOT = "earshot";

/** How rooms' events look in this dialect. */
export const earshotEncoding: Encoding<ChatMessage, ChatLive> = {
  event: (room, message) => JSON.stringify(frameOf(room, message)),
  live: (room, live) => JSON.stringify(liveFrame(room, live)),
  gap: (room, from, to) => JSON.stringify({ type: "gap", room, from, to }),
};

export interface EarshotChatDependencies {
  service: ChatService;
  fanout: Fanout<ChatMessage, ChatLive>;
  /** What `welcome` announces beside the chat's own limits. */
  limits: Record<string, number>;
}

/** A room this socket is in; one that is behind gets live messages once it has caught up. */
interface Place {
  seat: Seat;
  isBehind: boolean;
}

const readFrame = createFrameReader(chatClientFrames);

/** The chat protocol of `/v1/ws/chat`. `firstRoom` is joined at once. */
export function openEarshotChat(
  connection: Connection,
  { service, fanout, limits }: EarshotChatDependencies,
  firstRoom: string | undefined,
): Protocol {
  const { caller, guestToken, expiresAt } = connection.visitor;
  const places = new Map<string, Place>();

  const follow = (room: string, place: Place): void => {
    place.isBehind = false;
    connection.follow(fanout.topic(room, EARSHOT));
  };

  const join = async ({ room, after, ref }: ChatClientFrame & { type: "join" }): Promise<void> => {
    if (places.has(room)) throw new Refusal("bad_request", "this socket is in that room already");
    if (places.size >= ROOMS_PER_SOCKET_MAX) {
      throw new Refusal("bad_request", `a socket may be in ${ROOMS_PER_SOCKET_MAX} rooms`);
    }
    const seat: Seat = {
      caller,
      joined: ({ place: reached, messages, ...rest }) => {
        const place = { seat, isBehind: true };
        places.set(room, place);
        if (!rest.more) follow(room, place);
        const list = messages.map((message) => frameOf(room, message));
        connection.send({
          type: "joined",
          room,
          ...reached,
          ...rest,
          messages: list,
          ...withRef(ref),
        });
      },
      expelled: () => {
        connection.refuse(new Refusal("forbidden", "you were sent out of the room"));
        connection.send({ type: "left", room });
        leave(room).catch((error: unknown) => connection.refuse(error));
      },
    };
    await service.join(seat, room, after ?? null);
  };

  const leave = async (room: string): Promise<void> => {
    const place = places.get(room);
    if (place === undefined) return;
    places.delete(room);
    connection.unfollow(fanout.topic(room, EARSHOT));
    await service.leave(place.seat, room);
  };

  const placeIn = (room: string): Place => {
    const place = places.get(room);
    if (place === undefined) throw new Refusal("not_found", "join the room first");
    return place;
  };

  const history = (frame: ChatClientFrame & { type: "history" }): Promise<void> => {
    const { room, after, before, limit, ref } = frame;
    const place = placeIn(room);
    return service.history(caller, room, { after, before, limit }, (page: HistoryPage) => {
      if (place.isBehind && after !== undefined && !page.more && places.has(room)) {
        follow(room, place);
      }
      const list = page.messages.map((message) => frameOf(room, message));
      connection.send({ type: "history", room, ...page, messages: list, ...withRef(ref) });
    });
  };

  const sent = (room: string, { clientId, id, offset }: ChatMessage, ref: Ref | undefined): void =>
    connection.send({ type: "sent", client_id: clientId, room, id, offset, ...withRef(ref) });

  const take = async (frame: ChatClientFrame): Promise<void> => {
    if (frame.type === "join") return join(frame);
    if (frame.type === "history") return history(frame);
    const { room, ref } = frame;
    placeIn(room);
    switch (frame.type) {
      case "leave":
        await leave(room);
        return connection.send({ type: "left", room, ...withRef(ref) });
      case "say": {
        const saying = { clientId: frame.client_id, text: frame.text, kind: "text" } as const;
        return sent(room, await service.say(caller, room, saying), ref);
      }
      case "edit":
        return sent(room, await service.edit(caller, room, frame.id, frame.text), ref);
      case "remove":
        return sent(room, await service.remove(caller, room, frame.id), ref);
      case "typing":
        return service.typing(caller, room);
      case "read":
        return service.read(caller, room, frame.offset);
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
      ...limits,
    },
    ...(expiresAt === null ? {} : { expires_at: expiresAt }),
  });

  // Joined as if the client had asked, so that a wrong name is answered in the same way.
  let joining =
    firstRoom === undefined
      ? null
      : join({ type: "join", room: firstRoom }).catch((error: unknown) => connection.refuse(error));

  return {
    frame: async (raw) => {
      if (joining !== null) {
        await joining;
        joining = null;
      }
      await take(readFrame(raw));
    },
    binary: () => {
      throw new Refusal("bad_request", "the chat socket takes text frames only");
    },
    drain: () => {},
    closed: async () => {
      await joining;
      for (const room of places.keys()) await leave(room);
    },
  };
}

function frameOf(room: string, message: ChatMessage): object {
  return { type: "message", ...messageJson(room, message) };
}

/** A message as it is told, on the socket and over HTTP. */
export function messageJson(room: string, message: ChatMessage) {
  const { epoch, offset, id, clientId, user, kind, target, text, at } = message;
  const aim = target === null ? {} : { target };
  return { room, epoch, offset, id, client_id: clientId, user, kind, ...aim, text, at };
}

function liveFrame(room: string, live: ChatLive): object | null {
  switch (live.kind) {
    case "typing":
      return { type: "typing", room, user: live.user };
    case "caption":
      return {
        type: "caption",
        room,
        user: live.user,
        segment_id: live.segmentId,
        text: live.text,
      };
    case "presence":
      return { type: "presence", room, ...live.change };
    case "expelled":
      return null;
  }
}
