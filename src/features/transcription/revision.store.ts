import { and, asc, desc, eq, gt, gte, inArray, lt, or, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { revisions, transcriptions } from "../../schema.ts";
import type { Revision } from "./kept-model.ts";

/** What edits replaced. All synchronous; `keep` belongs inside the edit's commit. */
export interface RevisionStore {
  keep(revision: NewRevision): void;
  /** The newest one's number; 0 when there is none. */
  newest(transcriptionId: number): number;
  /** Newest first, older than the number `before`. */
  list(transcriptionId: number, before: number | null, limit: number): Revision[];
  /**
   * Those of all transcriptions of a user after a place, transcription by transcription, the oldest
   * first. `reached` is the place to go on from, also when there were none on the way; null at the end.
   */
  ofUser(
    userId: number,
    after: RevisionPlace,
    limit: number,
  ): { revisions: OwnRevision[]; reached: RevisionPlace | null };
}

export interface RevisionPlace {
  transcriptionId: number;
  id: number;
}

export interface OwnRevision extends Revision {
  transcription_id: number;
}

export interface NewRevision extends Omit<Revision, "id" | "at"> {
  transcription_id: number;
}

/** Older ones of the same transcription are forgotten; the original text is kept with the segments. */
const REVISIONS_MAX = 100;
/** The same for their bytes; the newest is always kept. */
const REVISIONS_BYTES_MAX = 16 * 1024 * 1024;
/** Transcriptions whose revisions are looked for at once. */
const TRANSCRIPTIONS_AT_ONCE = 500;

export function createRevisionStore(db: Database["db"], now: () => number): RevisionStore {
  const told = {
    id: revisions.id,
    what: revisions.what,
    segment_id: revisions.segment_id,
    text: revisions.text,
    user_id: revisions.user_id,
    at: revisions.at,
  };

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
        .select(told)
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
    ofUser: (userId, after, limit) => {
      const owned = db
        .select({ id: transcriptions.id })
        .from(transcriptions)
        .where(
          and(eq(transcriptions.user_id, userId), gte(transcriptions.id, after.transcriptionId)),
        )
        .orderBy(asc(transcriptions.id))
        .limit(TRANSCRIPTIONS_AT_ONCE + 1)
        .all()
        .map(({ id }) => id);
      const found = db
        .select({ transcription_id: revisions.transcription_id, ...told })
        .from(revisions)
        .where(
          and(
            inArray(revisions.transcription_id, owned.slice(0, TRANSCRIPTIONS_AT_ONCE)),
            or(gt(revisions.transcription_id, after.transcriptionId), gt(revisions.id, after.id)),
          ),
        )
        .orderBy(asc(revisions.transcription_id), asc(revisions.id))
        .limit(limit)
        .all();
      const last = found.length < limit ? undefined : found.at(-1);
      const next = owned[TRANSCRIPTIONS_AT_ONCE];
      const reached =
        last !== undefined
          ? { transcriptionId: last.transcription_id, id: last.id }
          : next === undefined
            ? null
            : { transcriptionId: next, id: 0 };
      return { revisions: found, reached };
    },
  };
}
