import { and, asc, eq, lt, notInArray } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import type { Removal } from "../../platform/retention.ts";
import { speech_sessions, transcriptions } from "../../schema.ts";
import { createEditStore } from "./edit.store.ts";
import { createSearchIndex } from "./search.store.ts";

const STATUSES = ["done", "interrupted"] as const;

/**
 * Removes transcriptions that nobody has added to or edited for too long, with their segments, what
 * edits replaced and their entries in the search. One that is being spoken, or whose sound still waits
 * for its words, stays.
 */
export function createTranscriptionRemoval(
  database: Pick<Database, "db" | "commit">,
  now: () => number,
): Removal {
  const { db } = database;
  const index = createSearchIndex(database);
  const { remove } = createEditStore({ database, index, now });

  /** The oldest of one status: the index holds them in this order. */
  const oldest = (status: (typeof STATUSES)[number], before: number): number | undefined =>
    db
      .select({ id: transcriptions.id })
      .from(transcriptions)
      .where(
        and(
          eq(transcriptions.status, status),
          lt(transcriptions.updated_at, before),
          notInArray(
            transcriptions.id,
            db.select({ id: speech_sessions.transcription_id }).from(speech_sessions),
          ),
        ),
      )
      .orderBy(asc(transcriptions.updated_at))
      .limit(1)
      .get()?.id;

  return {
    what: "transcriptions",
    removeSome: async (before) => {
      const id = oldest("done", before) ?? oldest("interrupted", before);
      if (id === undefined) return { count: 0, isDone: true };
      return { count: (await remove(id)) === "removed" ? 1 : 0, isDone: false };
    },
  };
}
