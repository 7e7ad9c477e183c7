import { and, asc, eq, gt, gte, inArray, lte, ne, or, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { messages, reads, room_members, rooms, users } from "../../schema.ts";

/** What one user has in rooms, by the names that the kinds have outside. */
export interface ChatBelongings {
  /** Read room by room, in the order of saying. Their places stay, so that nobody's history gets a hole. */
  messages: RoomBelongings<OwnMessage>;
  /**
   * Rooms that the user made, was let into or was sent out of. When they are erased, a private room
   * goes to whoever was let in longest ago.
   */
  rooms: RoomBelongings<OwnRoom>;
  /** How far the user has read. */
  reads: RoomBelongings<OwnRead>;
}

export interface RoomBelongings<T> {
  /** Everything of the kind, a page at a time. */
  read(userId: number): AsyncGenerator<T[]>;
  /** Removes it in short transactions; again is no error. */
  erase(userId: number): Promise<void>;
}

/** A message as its author takes it along. */
export interface OwnMessage {
  room: string;
  id: number;
  kind: string;
  target: number | null;
  text: string;
  at: number;
}

/** A room as the user knows it: whether it is the user's, and what its owner has decided, and when. */
export interface OwnRoom {
  room: string;
  private: boolean;
  owned: boolean;
  membership: "invited" | "removed" | null;
  at: number | null;
  created_at: number;
}

/** How far somebody has read a room. */
export interface OwnRead {
  room: string;
  offset: number;
}

/** Messages of one transaction, or of one page. */
const MESSAGES_AT_ONCE = 200;
/** Rooms that are looked into before others have their turn. */
const ROOMS_AT_ONCE = 50;

/** The ids of rooms that lie between two, both of them included. */
interface RoomRange {
  first: number;
  last: number;
  names: ReadonlyMap<number, string>;
}

export function createChatBelongings({ db, commit }: Database): ChatBelongings {
  /** All rooms, some at a time: they have no index by owner, and members have one by room only. */
  async function* ranges(): AsyncGenerator<RoomRange> {
    let reached = 0;
    for (;;) {
      const some = db
        .select({ id: rooms.id, name: rooms.name })
        .from(rooms)
        .where(gt(rooms.id, reached))
        .orderBy(asc(rooms.id))
        .limit(ROOMS_AT_ONCE)
        .all();
      const [first, last] = [some[0]?.id, some.at(-1)?.id];
      if (first === undefined || last === undefined) return;
      yield { first, last, names: new Map(some.map(({ id, name }) => [id, name])) };
      if (some.length < ROOMS_AT_ONCE) return;
      reached = last;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const within = ({ first, last }: RoomRange) => and(gte(rooms.id, first), lte(rooms.id, last));

  /** The user's messages after one in a room; its index leads to them room by room. */
  const idsAfter = (roomId: number, userId: number, after: number): number[] =>
    db
      .all<{ id: number }>(
        sql`SELECT id FROM ${messages} INDEXED BY messages_once
          WHERE room_id = ${roomId} AND user_id = ${userId} AND id > ${after}
          ORDER BY id LIMIT ${MESSAGES_AT_ONCE}`,
      )
      .map(({ id }) => id);

  /** Pages of ids in every room that the user has said something in. */
  async function* pages(userId: number): AsyncGenerator<{ room: string; ids: number[] }> {
    for await (const { names } of ranges()) {
      for (const [roomId, room] of names) {
        let ids = idsAfter(roomId, userId, 0);
        while (ids.length > 0) {
          yield { room, ids };
          ids = idsAfter(roomId, userId, ids.at(-1) ?? 0);
        }
      }
    }
  }

  async function* readMessages(userId: number): AsyncGenerator<OwnMessage[]> {
    for await (const { room, ids } of pages(userId)) {
      yield db
        .select({
          id: messages.id,
          kind: messages.kind,
          target: messages.target,
          text: messages.text,
          at: messages.at,
        })
        .from(messages)
        .where(inArray(messages.id, ids))
        .orderBy(asc(messages.id))
        .all()
        .map((message) => ({ room, ...message }));
    }
  }

  async function* readRooms(userId: number): AsyncGenerator<OwnRoom[]> {
    for await (const range of ranges()) {
      yield db
        .select({ room: rooms, membership: room_members.status, at: room_members.at })
        .from(rooms)
        .leftJoin(
          room_members,
          and(eq(room_members.room_id, rooms.id), eq(room_members.user_id, userId)),
        )
        .where(and(within(range), or(eq(rooms.owner_id, userId), eq(room_members.user_id, userId))))
        .orderBy(asc(rooms.id))
        .all()
        .map(({ room, membership, at }) => ({
          room: room.name,
          private: room.private,
          owned: room.owner_id === userId,
          membership,
          at,
          created_at: room.created_at,
        }));
    }
  }

  async function* readReads(userId: number): AsyncGenerator<OwnRead[]> {
    for await (const range of ranges()) {
      yield db
        .select({ room: rooms.name, offset: reads.offset })
        .from(reads)
        .innerJoin(rooms, eq(rooms.id, reads.room_id))
        .where(and(within(range), eq(reads.user_id, userId)))
        .orderBy(asc(rooms.id))
        .all();
    }
  }

  /** Who was let in longest ago and has not left; accounts that are closed are about to. */
  const heirOf = (roomId: number, ownerId: number): number | null =>
    db
      .select({ userId: room_members.user_id })
      .from(room_members)
      .leftJoin(users, eq(users.id, room_members.user_id))
      .where(
        and(
          eq(room_members.room_id, roomId),
          eq(room_members.status, "invited"),
          ne(room_members.user_id, ownerId),
          sql`${users.closed_at} IS NULL`,
        ),
      )
      .orderBy(asc(room_members.at), asc(room_members.user_id))
      .limit(1)
      .get()?.userId ?? null;

  /**
   * A private room without other members keeps the number of its owner, which nobody will ever have
   * again: only admins may enter it and let others in. So does a public room, which anybody may enter.
   */
  const handOn = (range: RoomRange, userId: number): void => {
    const owned = db
      .select({ id: rooms.id })
      .from(rooms)
      .where(and(within(range), eq(rooms.owner_id, userId), eq(rooms.private, true)))
      .all();
    for (const { id } of owned) {
      const heir = heirOf(id, userId);
      if (heir === null) continue;
      db.update(rooms).set({ owner_id: heir }).where(eq(rooms.id, id)).run();
    }
  };

  return {
    messages: {
      read: readMessages,
      erase: async (userId) => {
        for await (const { ids } of pages(userId)) {
          await commit(
            () =>
              void db
                .update(messages)
                .set({ text: "", user_name: "" })
                .where(
                  and(
                    inArray(messages.id, ids),
                    or(ne(messages.text, ""), ne(messages.user_name, "")),
                  ),
                )
                .run(),
          );
        }
      },
    },
    rooms: {
      read: readRooms,
      erase: async (userId) => {
        for await (const range of ranges()) await commit(() => handOn(range, userId));
        await commit(
          () => void db.delete(room_members).where(eq(room_members.user_id, userId)).run(),
        );
      },
    },
    reads: {
      read: readReads,
      erase: (userId) => commit(() => void db.delete(reads).where(eq(reads.user_id, userId)).run()),
    },
  };
}
