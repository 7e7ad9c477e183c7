import { and, asc, desc, eq, gt, inArray, lt, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { saved_messages, segments, transcriptions } from "../../schema.ts";
import type { Transcription } from "./model.ts";
import type { SearchIndex } from "./search.store.ts";

/** Which end of a list comes first; by itself the oldest. */
export type ListOrder = "oldest" | "newest";

/** A segment as it was said or saved. */
export interface SaidSegment {
  id: number;
  text: string;
  at: number;
}

export interface TranscriptionStore {
  /**
   * What was said or saved in rows after `id`; null when there are none. What was spoken into a room
   * is the room's, and is passed over.
   */
  saidAfter(id: number, limit: number): Promise<{ reached: number; said: SaidSegment[] } | null>;
  /** Adds a finished transcription, as one segment. */
  add(row: NewTranscription): Promise<Transcription>;
  /**
   * Adds a transcription made of kept messages; null, and nothing added, when some of them are in
   * another one already.
   */
  addFromMessages(
    row: NewTranscription,
    messageIds: readonly string[],
  ): Promise<Transcription | null>;
  /** Those of the messages that a transcription holds already. */
  savedAmong(
    messageIds: readonly string[],
  ): Promise<{ messageIds: Set<string>; latest: Transcription | null }>;
  /** Forgets which messages were saved before `at`; they are no longer kept anywhere else. */
  forgetSavedBefore(at: number): Promise<void>;
  get(id: number): Promise<Transcription | null>;
  /** Those behind the id `after` in that order; of one user, or of all when `userId` is null. */
  list(
    userId: number | null,
    after: number,
    limit: number,
    order?: ListOrder,
  ): Promise<Transcription[]>;
  /** Segments of a transcription in order, after the row `after` (0: from the first). */
  segmentsAfter(id: number, after: number, limit: number): Promise<SegmentRow[]>;
}

/** A segment as it lies on the disk. */
export type SegmentRow = typeof segments.$inferSelect;

export interface NewTranscription {
  userId: number;
  language: string;
  transcription: string;
  processedText: string;
  wordCount: number;
}

export interface TranscriptionStoreDependencies {
  database: Pick<Database, "db" | "commit">;
  index: SearchIndex;
  now(): number;
}

/** The id of the segment of a transcription that was not spoken. */
export function textSegmentId(transcriptionId: number): string {
  return `t${transcriptionId}-1`;
}

/** Transcriptions and their segments in SQLite. */
export function createTranscriptionStore({
  database: { db, commit },
  index,
  now,
}: TranscriptionStoreDependencies): TranscriptionStore {
  const insert = (row: NewTranscription): Transcription => {
    const { userId, language, transcription, processedText, wordCount } = row;
    const added = db
      .insert(transcriptions)
      .values({
        user_id: userId,
        language,
        transcription,
        processed_text: processedText,
        word_count: wordCount,
        created_at: now(),
        updated_at: now(),
      })
      .returning()
      .get();
    const segment = db
      .insert(segments)
      .values({
        transcription_id: added.id,
        segment_id: textSegmentId(added.id),
        seq: 1,
        text: transcription,
        processed_text: processedText,
        word_count: wordCount,
        language,
        start_ms: 0,
        end_ms: 0,
        words: [],
      })
      .returning({ id: segments.id })
      .get();
    index.put(segment.id, { userId, language, text: transcription, processedText });
    return added;
  };

  const find = (id: number): Transcription | null =>
    db.select().from(transcriptions).where(eq(transcriptions.id, id)).get() ?? null;

  const addSaved = db
    .insert(saved_messages)
    .values({
      message_id: sql.placeholder("messageId"),
      transcription_id: sql.placeholder("transcriptionId"),
      saved_at: sql.placeholder("at"),
    })
    .prepare();

  const findSaved = (messageIds: readonly string[]) => {
    const rows = db
      .select()
      .from(saved_messages)
      .where(inArray(saved_messages.message_id, [...messageIds]))
      .all();
    const latest = rows.reduce((most, row) => Math.max(most, row.transcription_id), 0);
    return { messageIds: new Set(rows.map((row) => row.message_id)), latest: find(latest) };
  };

  return {
    saidAfter: async (id, limit) => {
      const rows = db
        .select({
          id: segments.id,
          text: sql<string>`coalesce(${segments.recognised_text}, ${segments.text})`,
          at: sql<number>`${transcriptions.created_at} + ${segments.start_ms}`,
          room: transcriptions.room,
        })
        .from(segments)
        .innerJoin(transcriptions, eq(transcriptions.id, segments.transcription_id))
        .where(gt(segments.id, id))
        .orderBy(asc(segments.id))
        .limit(limit)
        .all();
      const last = rows.at(-1);
      const said = rows.filter(({ room }) => room === null);
      return last === undefined ? null : { reached: last.id, said };
    },
    add: (row) => commit(() => insert(row)),
    addFromMessages: (row, messageIds) =>
      commit(() => {
        if (findSaved(messageIds).latest !== null) return null;
        const added = insert(row);
        const at = now();
        for (const messageId of messageIds) {
          addSaved.run({ messageId, transcriptionId: added.id, at });
        }
        return added;
      }),
    savedAmong: async (messageIds) => findSaved(messageIds),
    forgetSavedBefore: (at) =>
      commit(() => void db.delete(saved_messages).where(lt(saved_messages.saved_at, at)).run()),
    get: async (id) => find(id),
    list: async (userId, after, limit, order = "oldest") =>
      db
        .select()
        .from(transcriptions)
        .where(
          and(
            order === "newest" ? lt(transcriptions.id, after) : gt(transcriptions.id, after),
            userId === null ? undefined : eq(transcriptions.user_id, userId),
          ),
        )
        .orderBy(order === "newest" ? desc(transcriptions.id) : asc(transcriptions.id))
        .limit(limit)
        .all(),
    segmentsAfter: async (id, after, limit) =>
      db
        .select()
        .from(segments)
        .where(and(eq(segments.transcription_id, id), gt(segments.id, after)))
        .orderBy(asc(segments.id))
        .limit(limit)
        .all(),
  };
}
