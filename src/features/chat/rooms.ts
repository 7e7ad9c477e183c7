import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import type { Fanout } from "../../realtime/fanout.ts";
import type { Member, Presence } from "../../realtime/presence.ts";
import type { ChatLive, ChatMessage, Room } from "./model.ts";
import type { ChatStore } from "./store.ts";

/** Which rooms there are and who may enter them. */
export interface RoomsService {
  /** Throws `conflict` when there is one of that name. */
  create(caller: Caller, name: string, isPrivate: boolean): Promise<Room>;
  /** Those the caller may enter, by name. */
  list(caller: Caller, after: string, limit: number): Promise<Room[]>;
  /** Who is in the room now. */
  members(caller: Caller, name: string): Promise<Member[]>;
  /** Lets a user into the room; the owner's to do. */
  invite(caller: Caller, name: string, userId: number): Promise<void>;
  /** Sends a user out until invited again, as the owner; or goes, if it is the caller's own. */
  expel(caller: Caller, name: string, userId: number): Promise<void>;
  /** Throws `forbidden` unless the caller may enter. */
  checkMayEnter(caller: Caller, name: string): Promise<void>;
  /** Throws `not_found`. */
  checkExists(name: string): Promise<void>;
  /** Whether the caller may decide over others' messages there. */
  isOwner(caller: Caller, name: string): Promise<boolean>;
}

export interface RoomsServiceDependencies {
  store: ChatStore;
  fanout: Fanout<ChatMessage, ChatLive>;
  presence: Presence;
}

export function createRoomsService(dependencies: RoomsServiceDependencies): RoomsService {
  const { store, fanout, presence } = dependencies;

  const mustFind = async (name: string): Promise<Room> => {
    const room = await store.find(name);
    if (room === null) throw new Problem("not_found", "There is no such room");
    return room;
  };

  const owns = (caller: Caller, { ownerId }: { ownerId: number | null }): boolean =>
    caller.role === "admin" || ownerId === caller.userId;

  const checkMayEnter = async (caller: Caller, name: string): Promise<void> => {
    const access = await store.access(name, caller.userId);
    if (access === null || owns(caller, access)) return;
    if (access.membership === "removed") {
      throw new Problem("forbidden", "You were sent out of this room");
    }
    if (access.isPrivate && access.membership === null) {
      throw new Problem("forbidden", "This room is private");
    }
  };

  return {
    checkMayEnter,
    checkExists: async (name) => void (await mustFind(name)),
    isOwner: async (caller, name) => owns(caller, await mustFind(name)),
    create: async (caller, name, isPrivate) => {
      const room = await store.create(name, caller.userId, isPrivate);
      if (room === null) throw new Problem("conflict", "There is a room of that name");
      return room;
    },
    list: (caller, after, limit) =>
      store.list(caller.role === "admin" ? null : caller.userId, after, limit),
    members: async (caller, name) => {
      await mustFind(name);
      await checkMayEnter(caller, name);
      return presence.membersAnywhere(name);
    },
    invite: async (caller, name, userId) => {
      if (!owns(caller, await mustFind(name))) {
        throw new Problem("forbidden", "Only the room's owner may let others in");
      }
      await store.setMembership(name, userId, "invited");
    },
    expel: async (caller, name, userId) => {
      const room = await mustFind(name);
      const isOwn = caller.userId === userId;
      if (!owns(caller, room) && !isOwn) {
        throw new Problem("forbidden", "Only the room's owner may send others out");
      }
      if (room.ownerId === userId) throw new Problem("conflict", "The owner cannot be sent out");
      // Whoever goes may come back, where anybody may come in.
      if (isOwn) await store.dropInvitation(name, userId);
      else await store.setMembership(name, userId, "removed");
      fanout.tell(name, { kind: "expelled", userId });
    },
  };
}
