import { and, asc, eq, gt, inArray, lt, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Database } from "../../platform/database.ts";
import { saved_messages, segments, transcriptions } from "../../schema.ts";
import type { Segment, Transcription } from "./model.ts";

export interface TranscriptionStore {
  /** Adds a finished transcription. */
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
  /** Begins a live transcription. */
  begin(row: LiveTranscription): Promise<number>;
  addSegment(id: number, segment: Segment, durationMs: number): Promise<void>;
  addProcessed(id: number, segmentId: string, text: string, wordCount: number): Promise<void>;
  /** Ends a live transcription; one that is not whole is marked as interrupted. */
  finish(id: number, durationMs: number, isWhole: boolean): Promise<void>;
  /** Says that a live transcription is still being spoken. */
  touch(ids: readonly number[]): Promise<void>;
  /** Marks live ones that nobody has touched since `before`: their process died. */
  interruptStale(before: number): Promise<number>;
  get(id: number): Promise<Transcription | null>;
  /** Oldest first, after the id `after`; of one user, or of all when `userId` is null. */
  list(userId: number | null, after: number, limit: number): Promise<Transcription[]>;
}

export interface NewTranscription {
  userId: number;
  language: string;
  transcription: string;
  processedText: string;
  wordCount: number;
}

export interface LiveTranscription {
  userId: number;
  language: string;
  sessionId: string;
  room: string | null;
  title: string | null;
}

export interface TranscriptionStoreDependencies {
  database: Database;
  now(): number;
}

/** Transcriptions and their segments in SQLite. */
export function createTranscriptionStore({
  database: { db, commit },
  now,
}: TranscriptionStoreDependencies): TranscriptionStore {
  const insert = (row: NewTranscription): Transcription =>
    db
      .insert(transcriptions)
      .values({
        user_id: row.userId,
        language: row.language,
        transcription: row.transcription,
        processed_text: row.processedText,
        word_count: row.wordCount,
        created_at: now(),
        updated_at: now(),
      })
      .returning()
      .get();

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

  /** Adds to a text that grows, with a space in between. */
  const grown = (column: SQLiteColumn, text: string) =>
    sql<string>`CASE WHEN ${column} = '' THEN ${text} ELSE ${column} || ' ' || ${text} END`;

  return {
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
    begin: ({ userId, language, sessionId, room, title }) =>
      commit(
        () =>
          db
            .insert(transcriptions)
            .values({
              user_id: userId,
              language,
              session_id: sessionId,
              room,
              title,
              status: "live",
              created_at: now(),
              updated_at: now(),
            })
            .returning({ id: transcriptions.id })
            .get().id,
      ),
    addSegment: (id, segment, durationMs) =>
      commit(() => {
        db.insert(segments)
          .values({
            transcription_id: id,
            segment_id: segment.segmentId,
            seq: segment.seq,
            text: segment.text,
            language: segment.language,
            start_ms: segment.startMs,
            end_ms: segment.endMs,
            confidence: segment.confidence,
            words: segment.words.map(({ word, startMs, endMs, confidence }) => ({
              word,
              start_ms: startMs,
              end_ms: endMs,
              confidence,
            })),
          })
          .run();
        db.update(transcriptions)
          .set({
            transcription: grown(transcriptions.transcription, segment.text),
            duration_ms: durationMs,
            updated_at: now(),
          })
          .where(eq(transcriptions.id, id))
          .run();
      }),
    addProcessed: (id, segmentId, text, wordCount) =>
      commit(() => {
        db.update(segments)
          .set({ processed_text: text, word_count: wordCount })
          .where(and(eq(segments.transcription_id, id), eq(segments.segment_id, segmentId)))
          .run();
        if (text === "") return;
        db.update(transcriptions)
          .set({
            processed_text: grown(transcriptions.processed_text, text),
            word_count: sql`${transcriptions.word_count} + ${wordCount}`,
            updated_at: now(),
          })
          .where(eq(transcriptions.id, id))
          .run();
      }),
    finish: (id, durationMs, isWhole) =>
      commit(
        () =>
          void db
            .update(transcriptions)
            .set({
              status: isWhole ? "done" : "interrupted",
              duration_ms: durationMs,
              updated_at: now(),
            })
            .where(eq(transcriptions.id, id))
            .run(),
      ),
    touch: (ids) =>
      commit(
        () =>
          void db
            .update(transcriptions)
            .set({ updated_at: now() })
            .where(inArray(transcriptions.id, [...ids]))
            .run(),
      ),
    interruptStale: (before) =>
      commit(
        () =>
          db
            .update(transcriptions)
            .set({ status: "interrupted" })
            .where(and(eq(transcriptions.status, "live"), lt(transcriptions.updated_at, before)))
            .returning({ id: transcriptions.id })
            .all().length,
      ),
    get: async (id) => find(id),
    list: async (userId, after, limit) =>
      db
        .select()
        .from(transcriptions)
        .where(
          and(
            gt(transcriptions.id, after),
            userId === null ? undefined : eq(transcriptions.user_id, userId),
          ),
        )
        .orderBy(asc(transcriptions.id))
        .limit(limit)
        .all(),
  };
}
