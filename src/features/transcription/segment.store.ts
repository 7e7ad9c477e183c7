import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Database } from "../../platform/database.ts";
import { pending_captions, segments, speech_sessions, transcriptions } from "../../schema.ts";
import type { Entity, Segment } from "./model.ts";
import type { SearchIndex } from "./search.store.ts";
import { type Hold, type SettledPlace, isHeld } from "./session.store.ts";

/** What is kept of a session while somebody speaks. */
export interface SegmentStore {
  /**
   * Keeps a final and how far the sound is settled with it, and remembers that it has to go to its
   * room. False, and nothing kept, when another process holds the session now.
   */
  add(hold: Hold, segment: Segment, place: SettledPlace, caption: Caption): Promise<boolean>;
  addProcessed(hold: Hold, processed: ProcessedText): Promise<void>;
  /** What was told with numbers after `seq`, as far as it is kept, in order. */
  toldAfter(transcriptionId: number, seq: number): Promise<ToldFrame[]>;
  /** Finals whose text was not processed yet. */
  unprocessed(transcriptionId: number): Promise<Segment[]>;
}

/** Where a final goes beside the transcription; null for nowhere. */
export type Caption = { room: string; userId: number; userName: string } | null;

export interface ProcessedText {
  segmentId: string;
  seq: number;
  text: string;
  wordCount: number;
  entities: readonly Entity[];
}

export type ToldFrame =
  | { type: "final"; segment: Segment }
  | { type: "processed"; processed: ProcessedText };

export interface SegmentStoreDependencies {
  database: Database;
  index: SearchIndex;
  now(): number;
}

export function createSegmentStore(dependencies: SegmentStoreDependencies): SegmentStore {
  const { index, now } = dependencies;
  const { db, commit } = dependencies.database;

  /** Adds to a text that grows, with a space in between. */
  const grown = (column: SQLiteColumn, text: string) =>
    sql<string>`CASE WHEN ${column} = '' THEN ${text} ELSE ${column} || ' ' || ${text} END`;

  const ownerOf = (transcriptionId: number): number =>
    db
      .select({ userId: transcriptions.user_id })
      .from(transcriptions)
      .where(eq(transcriptions.id, transcriptionId))
      .get()?.userId ?? 0;

  const insertSegment = (transcriptionId: number, segment: Segment): number =>
    db
      .insert(segments)
      .values({
        transcription_id: transcriptionId,
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
      .returning({ id: segments.id })
      .get().id;

  return {
    add: (hold, segment, place, caption) =>
      commit(() => {
        const session = db
          .update(speech_sessions)
          .set({ settled_bytes: place.bytes, settled_ms: place.ms, seq: segment.seq })
          .where(isHeld(hold))
          .returning({ userId: speech_sessions.user_id })
          .get();
        if (session === undefined) return false;
        const { transcriptionId } = hold;
        const { text, language } = segment;
        const rowId = insertSegment(transcriptionId, segment);
        index.put(rowId, { userId: session.userId, language, text, processedText: null });
        db.update(transcriptions)
          .set({
            transcription: grown(transcriptions.transcription, text),
            duration_ms: place.ms,
            updated_at: now(),
          })
          .where(eq(transcriptions.id, transcriptionId))
          .run();
        if (caption !== null) {
          const { room, userId, userName } = caption;
          db.insert(pending_captions)
            .values({
              segment_id: segment.segmentId,
              room,
              user_id: userId,
              user_name: userName,
              text,
              at: now(),
            })
            .run();
        }
        return true;
      }),

    addProcessed: (hold, { segmentId, seq, text, wordCount, entities }) =>
      commit(() => {
        const { transcriptionId } = hold;
        // Whoever holds it now processes it as well, and gives it a number that others do not have.
        const held = db.select().from(speech_sessions).where(isHeld(hold)).get();
        if (held === undefined) return;
        const row = db
          .update(segments)
          .set({
            processed_text: text,
            processed_seq: seq,
            word_count: wordCount,
            entities: [...entities],
          })
          .where(
            and(
              eq(segments.transcription_id, transcriptionId),
              eq(segments.segment_id, segmentId),
              // Somebody may have edited it since.
              isNull(segments.processed_text),
            ),
          )
          .returning()
          .get();
        if (row === undefined || text === "") return;
        if (text !== row.text) {
          index.put(row.id, {
            userId: ownerOf(transcriptionId),
            language: row.language,
            text: row.text,
            processedText: text,
          });
        }
        db.update(transcriptions)
          .set({
            processed_text: grown(transcriptions.processed_text, text),
            word_count: sql`${transcriptions.word_count} + ${wordCount}`,
            updated_at: now(),
          })
          .where(eq(transcriptions.id, transcriptionId))
          .run();
      }),

    toldAfter: async (transcriptionId, seq) =>
      db
        .select()
        .from(segments)
        .where(
          and(
            eq(segments.transcription_id, transcriptionId),
            sql`max(${segments.seq}, coalesce(${segments.processed_seq}, 0)) > ${seq}`,
          ),
        )
        .all()
        .flatMap((row) => framesOf(row))
        .filter((frame) => numberOf(frame) > seq)
        .sort((a, b) => numberOf(a) - numberOf(b)),

    unprocessed: async (transcriptionId) =>
      db
        .select()
        .from(segments)
        .where(and(eq(segments.transcription_id, transcriptionId), isNull(segments.processed_text)))
        .orderBy(asc(segments.seq))
        .all()
        .map(segmentOf),
  };
}

function segmentOf(row: typeof segments.$inferSelect): Segment {
  return {
    segmentId: row.segment_id,
    seq: row.seq,
    text: row.text,
    startMs: row.start_ms,
    endMs: row.end_ms,
    language: row.language,
    confidence: row.confidence,
    words: row.words.map((word) => ({
      word: word.word,
      startMs: word.start_ms,
      endMs: word.end_ms,
      confidence: word.confidence,
    })),
  };
}

/** What was told of a segment: its final, and its processed text when there is one. */
function framesOf(row: typeof segments.$inferSelect): ToldFrame[] {
  const final: ToldFrame = { type: "final", segment: segmentOf(row) };
  if (row.processed_seq === null) return [final];
  const processed: ProcessedText = {
    segmentId: row.segment_id,
    seq: row.processed_seq,
    text: row.processed_text ?? "",
    wordCount: row.word_count,
    entities: row.entities ?? [],
  };
  return [final, { type: "processed", processed }];
}

function numberOf(frame: ToldFrame): number {
  return frame.type === "final" ? frame.segment.seq : frame.processed.seq;
}
