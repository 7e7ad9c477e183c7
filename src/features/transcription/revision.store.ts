import { and, desc, eq, lt, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { revisions } from "../../schema.ts";
import type { Revision } from "./kept-model.ts";

/** What edits replaced. All synchronous; `keep` belongs inside the edit's commit. */
export interface RevisionStore {
  keep(revision: NewRevision): void;
  /** The newest one's number; 0 when there is none. */
  newest(transcriptionId: number): number;
  /** Newest first, older than the number `before`. */
  list(transcriptionId: number, before: number | null, limit: number): Revision[];
}

export interface NewRevision extends Omit<Revision, "id" | "at"> {
  transcription_id: number;
}

/** Older ones of the same transcription are forgotten; the original text is kept with the segments. */
const REVISIONS_MAX = 100;
/** The same for their bytes; the newest is always kept. */
const REVISIONS_BYTES_MAX = 16 * 1024 * 1024;

export function createRevisionStore(db: Database["db"], now: () => number): RevisionStore {
  return {
    keep: (revision) => {
      db.insert(revisions)
        .values({ ...revision, at: now() })
        .run();
      // The size of a text is read without reading the text.
      db.run(sql`
        DELETE FROM ${revisions} WHERE id IN (
          SELECT id FROM (
            SELECT id, row_number() OVER newest AS place,
              sum(octet_length(text)) OVER newest AS bytes
            FROM ${revisions} WHERE transcription_id = ${revision.transcription_id}
            WINDOW newest AS (ORDER BY id DESC)
          ) WHERE place > ${REVISIONS_MAX} OR (place > 1 AND bytes > ${REVISIONS_BYTES_MAX})
        )`);
    },
    newest: (transcriptionId) =>
      db
        .select({ id: revisions.id })
        .from(revisions)
        .where(eq(revisions.transcription_id, transcriptionId))
        .orderBy(desc(revisions.id))
        .limit(1)
        .get()?.id ?? 0,
    list: (transcriptionId, before, limit) =>
      db
        .select({
          id: revisions.id,
          what: revisions.what,
          segment_id: revisions.segment_id,
          text: revisions.text,
          user_id: revisions.user_id,
          at: revisions.at,
        })
        .from(revisions)
        .where(
          and(
            eq(revisions.transcription_id, transcriptionId),
            before === null ? undefined : lt(revisions.id, before),
          ),
        )
        .orderBy(desc(revisions.id))
        .limit(limit)
        .all(),
  };
}
