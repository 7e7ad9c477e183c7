import { and, asc, eq, gt, inArray, ne, or, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { messages, reads, room_members, rooms } from "../../schema.ts";

/** What one user has said in rooms. */
export interface MessageBelongings {
  /** Room by room, in the order of saying, a page at a time. */
  read(userId: number): AsyncGenerator<OwnMessage[]>;
  /**
   * Takes words and name out of all messages, whose places stay so that nobody's history gets a hole,
   * and forgets which rooms the user was let into and how far it has read.
   */
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

/** Messages of one transaction, or of one page. */
const MESSAGES_AT_ONCE = 200;
/** Rooms that are looked into before others have their turn. */
const ROOMS_AT_ONCE = 50;

export function createMessageBelongings({ db, commit }: Database): MessageBelongings {
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
    let reached = 0;
    for (;;) {
      const some = db
        .select({ id: rooms.id, name: rooms.name })
        .from(rooms)
        .where(gt(rooms.id, reached))
        .orderBy(asc(rooms.id))
        .limit(ROOMS_AT_ONCE)
        .all();
      for (const { id: roomId, name: room } of some) {
        let ids = idsAfter(roomId, userId, 0);
        while (ids.length > 0) {
          yield { room, ids };
          ids = idsAfter(roomId, userId, ids.at(-1) ?? 0);
        }
      }
      reached = some.at(-1)?.id ?? reached;
      if (some.length < ROOMS_AT_ONCE) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  return {
    read: async function* (userId) {
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
    },
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
      await commit(() => {
        db.delete(reads).where(eq(reads.user_id, userId)).run();
        db.delete(room_members).where(eq(room_members.user_id, userId)).run();
      });
    },
  };
}
