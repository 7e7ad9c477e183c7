import type { Caller } from "../../../http/caller.ts";
import { type Connection, type Protocol, withRef } from "../../../realtime/connection.ts";
import type { Encoding, Fanout } from "../../../realtime/fanout.ts";
import { type RawFrame, createFrameReader } from "../../../realtime/frames.ts";
import { type Ref, Refusal } from "../../../realtime/refusal.ts";
import {
  type ChatClientFrame,
  type ChatLive,
  type ChatMessage,
  ROOMS_PER_SOCKET_MAX,
  chatClientFrames,
} from "../model.ts";
import type { ChatService, JoinedRoom, Seat } from "../service.ts";

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
  /** What `welcome` announces. */
  limits: Record<string, number>;
}

const readFrame = createFrameReader(chatClientFrames);

/** A room one socket is in; one that is behind gets live messages once it has caught up. */
class RoomSeat implements Seat {
  isBehind = true;

  constructor(
    private readonly chat: EarshotChat,
    readonly room: string,
    readonly caller: Caller,
    private readonly ref: Ref | undefined,
  ) {}

  joined(joined: JoinedRoom): void {
    this.chat.seated(this, joined, this.ref);
  }

  expelled(): void {
    this.chat.expelled(this);
  }
}

/** The chat protocol of `/v1/ws/chat`; a class, since there is one for each idle socket. */
export class EarshotChat implements Protocol {
  private readonly seats = new Map<string, RoomSeat>();
  private joining: Promise<void> | null = null;

  /** `firstRoom` is joined at once. */
  constructor(
    private readonly connection: Connection,
    private readonly shared: EarshotChatDependencies,
    firstRoom: string | undefined,
  ) {
    const { caller, guestToken, expiresAt } = connection.visitor;
    connection.send({
      type: "welcome",
      session_id: connection.id,
      user: { id: caller.userId, name: caller.name },
      ...(guestToken === null ? {} : { guest_token: guestToken }),
      limits: shared.limits,
      ...(expiresAt === null ? {} : { expires_at: expiresAt }),
    });
    // Joined as if the client had asked, so that a wrong name is answered in the same way.
    if (firstRoom !== undefined) this.joining = this.joinFirst(firstRoom);
  }

  async frame(raw: RawFrame): Promise<void> {
    if (this.joining !== null) await this.joining;
    await this.take(readFrame(raw));
  }

  binary(): void {
    throw new Refusal("bad_request", "the chat socket takes text frames only");
  }

  drain(): void {}

  async closed(): Promise<void> {
    await this.joining;
    for (const seat of this.seats.values()) await this.leave(seat);
  }

  /** Runs in the moment in which the room was read, so that live messages continue it. */
  seated(seat: RoomSeat, { place, messages, ...rest }: JoinedRoom, ref: Ref | undefined): void {
    const { room } = seat;
    this.seats.set(room, seat);
    if (!rest.more) this.follow(seat);
    const list = messages.map((message) => frameOf(room, message));
    this.connection.send({
      type: "joined",
      room,
      ...place,
      ...rest,
      messages: list,
      ...withRef(ref),
    });
  }

  expelled(seat: RoomSeat): void {
    if (this.seats.get(seat.room) !== seat) return;
    this.connection.refuse(new Refusal("forbidden", "you were sent out of the room"));
    this.connection.send({ type: "left", room: seat.room });
    this.leave(seat).catch((error: unknown) => this.connection.refuse(error));
  }

  private async joinFirst(room: string): Promise<void> {
    try {
      await this.join({ type: "join", room });
    } catch (error) {
      this.connection.refuse(error);
    }
    this.joining = null;
  }

  private async take(frame: ChatClientFrame): Promise<void> {
    if (frame.type === "join") return this.join(frame);
    const { service } = this.shared;
    const { caller } = this.connection.visitor;
    const { room, ref } = frame;
    const seat = this.seatIn(room);
    switch (frame.type) {
      case "leave":
        await this.leave(seat);
        return this.connection.send({ type: "left", room, ...withRef(ref) });
      case "say": {
        const saying = { clientId: frame.client_id, text: frame.text, kind: "text" } as const;
        return this.sent(room, await service.say(caller, room, saying), ref);
      }
      case "edit":
        return this.sent(room, await service.edit(caller, room, frame.id, frame.text), ref);
      case "remove":
        return this.sent(room, await service.remove(caller, room, frame.id), ref);
      case "typing":
        return service.typing(caller, room);
      case "read":
        return service.read(caller, room, frame.offset);
      case "history":
        return this.history(frame, seat);
    }
  }

  private async join({ room, after, ref }: ChatClientFrame & { type: "join" }): Promise<void> {
    if (this.seats.has(room)) {
      throw new Refusal("bad_request", "this socket is in that room already");
    }
    if (this.seats.size >= ROOMS_PER_SOCKET_MAX) {
      throw new Refusal("bad_request", `a socket may be in ${ROOMS_PER_SOCKET_MAX} rooms`);
    }
    const seat = new RoomSeat(this, room, this.connection.visitor.caller, ref);
    await this.shared.service.join(seat, room, after ?? null);
  }

  private async leave(seat: RoomSeat): Promise<void> {
    if (this.seats.get(seat.room) !== seat) return;
    this.seats.delete(seat.room);
    this.connection.unfollow(this.shared.fanout.topic(seat.room, EARSHOT));
    await this.shared.service.leave(seat, seat.room);
  }

  private history(frame: ChatClientFrame & { type: "history" }, seat: RoomSeat): Promise<void> {
    const { room, epoch, after, before, limit, ref } = frame;
    const { service } = this.shared;
    if (after !== undefined && before !== undefined) {
      throw new Refusal("bad_request", "give after or before, not both");
    }
    return service.history(seat.caller, room, { after, before, limit }, (page) => {
      if (epoch !== undefined && epoch !== page.epoch) {
        throw new Refusal("not_found", "the history of that epoch is gone; join again");
      }
      const isCurrent = this.seats.get(room) === seat;
      if (seat.isBehind && after !== undefined && !page.more && isCurrent) this.follow(seat);
      const list = page.messages.map((message) => frameOf(room, message));
      this.connection.send({ type: "history", room, ...page, messages: list, ...withRef(ref) });
    });
  }

  private follow(seat: RoomSeat): void {
    seat.isBehind = false;
    this.connection.follow(this.shared.fanout.topic(seat.room, EARSHOT));
  }

  private seatIn(room: string): RoomSeat {
    const seat = this.seats.get(room);
    if (seat === undefined) throw new Refusal("not_found", "join the room first");
    return seat;
  }

  private sent(room: string, { clientId, id, offset }: ChatMessage, ref: Ref | undefined): void {
    this.connection.send({ type: "sent", client_id: clientId, room, id, offset, ...withRef(ref) });
  }
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
