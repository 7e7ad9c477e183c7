import { asc, eq, lt } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { pending_captions } from "../../schema.ts";

/** Finals on their way to their rooms. They are put there together with their segments. */
export interface CaptionStore {
  /** Those that were kept before a moment and are not in their room yet, the oldest first. */
  pending(before: number, limit: number): Promise<PendingCaption[]>;
  /** It is in its room, or will never be. */
  posted(segmentId: string): Promise<void>;
  /** None of the user's will ever be in its room. */
  eraseOf(userId: number): Promise<void>;
}

export interface PendingCaption {
  segmentId: string;
  room: string;
  userId: number;
  userName: string;
  text: string;
}

export function createCaptionStore({ db, commit }: Pick<Database, "db" | "commit">): CaptionStore {
  return {
    pending: async (before, limit) =>
      db
        .select()
        .from(pending_captions)
        .where(lt(pending_captions.at, before))
        .orderBy(asc(pending_captions.at), asc(pending_captions.segment_id))
        .limit(limit)
        .all()
        .map((row) => ({
          segmentId: row.segment_id,
          room: row.room,
          userId: row.user_id,
          userName: row.user_name,
          text: row.text,
        })),

    posted: (segmentId) =>
      commit(
        () =>
          void db.delete(pending_captions).where(eq(pending_captions.segment_id, segmentId)).run(),
      ),

    eraseOf: (userId) =>
      commit(
        () => void db.delete(pending_captions).where(eq(pending_captions.user_id, userId)).run(),
      ),
  };
}
