import { and, asc, eq, gt, lte } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import type { Removal } from "../../platform/retention.ts";
import { messages, rooms } from "../../schema.ts";

/** Messages that one transaction removes. */
const MESSAGES_AT_ONCE = 100;
/** Rooms that are looked into at once. */
const ROOMS_AT_ONCE = 50;

/**
 * Removes the oldest messages of each room, in the order of their offsets, so that what is left has no
 * hole. The room keeps its epoch and its newest offset: whoever asks for what came after an offset that
 * is gone gets the rest, and is told that it is not all. An edit goes when it is too old itself, and is
 * then an edit of nothing for a while.
 */
export function createMessageRemoval({ db, commit }: Pick<Database, "db" | "commit">): Removal {
  /** The room that was looked into last. */
  let reached = 0;

  const removeFrom = (roomId: number, before: number, limit: number): number => {
    const oldest = db
      .select({ offset: messages.offset, at: messages.at })
      .from(messages)
      .where(eq(messages.room_id, roomId))
      .orderBy(asc(messages.offset))
      .limit(limit)
      .all();
    const kept = oldest.findIndex(({ at }) => at >= before);
    const old = kept < 0 ? oldest : oldest.slice(0, kept);
    const last = old.at(-1);
    if (last === undefined) return 0;
    db.delete(messages)
      .where(and(eq(messages.room_id, roomId), lte(messages.offset, last.offset)))
      .run();
    return old.length;
  };

  return {
    what: "messages",
    removeSome: async (before) => {
      const some = db
        .select({ id: rooms.id })
        .from(rooms)
        .where(gt(rooms.id, reached))
        .orderBy(asc(rooms.id))
        .limit(ROOMS_AT_ONCE)
        .all();
      // Where nothing is old nobody's write has to wait for this.
      const due = some.filter(({ id }) => hasOld(db, id, before));
      const next = some.at(-1)?.id ?? 0;
      const left = due.length === 0 ? { count: 0, at: null } : await removeDue(due, before);
      reached = left.at ?? next;
      const isDone = left.at === null && some.length < ROOMS_AT_ONCE;
      if (isDone) reached = 0;
      return { count: left.count, isDone };
    },
  };

  /** `at` is the room before the first one that may have more; null when all are done. */
  function removeDue(due: readonly { id: number }[], before: number) {
    return commit((): { count: number; at: number | null } => {
      let count = 0;
      for (const { id } of due) {
        count += removeFrom(id, before, MESSAGES_AT_ONCE - count);
        if (count >= MESSAGES_AT_ONCE) return { count, at: id - 1 };
      }
      return { count, at: null };
    });
  }
}

function hasOld(db: Database["db"], roomId: number, before: number): boolean {
  const oldest = db
    .select({ at: messages.at })
    .from(messages)
    .where(eq(messages.room_id, roomId))
    .orderBy(asc(messages.offset))
    .limit(1)
    .get();
  return oldest !== undefined && oldest.at < before;
}
