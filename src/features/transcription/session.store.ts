import { and, asc, eq, inArray, isNull, lt, notInArray, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Database } from "../../platform/database.ts";
import {
  type StoredWishes,
  pending_captions,
  segments,
  speech_sessions,
  transcriptions,
} from "../../schema.ts";
import type { Segment } from "./model.ts";
import type { SearchIndex } from "./search.store.ts";

/** Live transcriptions: what is kept while somebody speaks, and what whoever goes on needs. */
export interface SessionStore {
  /** Begins a transcription and its session; returns the transcription's id. */
  begin(session: NewSession): Promise<number>;
  /**
   * Keeps a final and how far the sound is settled with it, and remembers that it has to go to its
   * room. False, and nothing kept, when another process holds the session now.
   */
  addSegment(hold: Hold, segment: Segment, place: SettledPlace, caption: Caption): Promise<boolean>;
  addProcessed(hold: Hold, processed: ProcessedText): Promise<void>;
  setWishes(hold: Hold, wishes: StoredWishes): Promise<void>;
  /** Says that sessions are still held, until `expiresAt`; returns the ids of those that are not. */
  touch(holds: readonly TouchedHold[], expiresAt: number): Promise<string[]>;
  /** The session is over. */
  finish(hold: Hold, end: SessionEnd): Promise<void>;
  /** The session rests until somebody goes on with it, or `expiresAt`. */
  rest(hold: Hold, rest: SessionRest): Promise<void>;
  /** Forgets a session that has never begun, and its transcription. */
  discard(hold: Hold): Promise<void>;
  find(sessionId: string): Promise<StoredSession | null>;
  /** Those of the sessions that are not over. */
  known(sessionIds: readonly string[]): Promise<Set<string>>;
  /**
   * Takes a session over from whoever holds it, or only from one that has not touched it in time;
   * null when it is over, or held.
   */
  claim(claim: Claim): Promise<StoredSession | null>;
  /** Sessions that nobody has touched in time, the oldest first. */
  expired(at: number, limit: number): Promise<string[]>;
  /** What was told with numbers after `seq`, as far as it is kept, in order. */
  toldAfter(transcriptionId: number, seq: number): Promise<ToldFrame[]>;
  /** Finals whose text was not processed yet. */
  unprocessed(transcriptionId: number): Promise<Segment[]>;
  /** Finals that are not in their room yet, the oldest first. */
  pendingCaptions(before: number, limit: number): Promise<PendingCaption[]>;
  captionPosted(segmentId: string): Promise<void>;
  /** Marks live transcriptions that have no session any more. */
  interruptOrphans(): Promise<number>;
}

/** Proof of holding a session: what is written with an older one changes nothing. */
export interface Hold {
  sessionId: string;
  transcriptionId: number;
  generation: number;
}

export interface Claim {
  sessionId: string;
  expiresAt: number;
  /** Only one that nobody has touched in time. */
  isLeft: boolean;
}

export interface TouchedHold extends Hold {
  seq: number;
  place: SettledPlace;
}

/** How far the words of a sound are kept. */
export interface SettledPlace {
  bytes: number;
  ms: number;
}

export interface NewSession {
  sessionId: string;
  userId: number;
  userName: string;
  language: string;
  room: string | null;
  title: string | null;
  wishes: StoredWishes;
  expiresAt: number;
}

/** Where a final goes beside the transcription; null for nowhere. */
export type Caption = { room: string; userId: number; userName: string } | null;

export interface PendingCaption {
  segmentId: string;
  room: string;
  userId: number;
  userName: string;
  text: string;
}

export interface ProcessedText {
  segmentId: string;
  seq: number;
  text: string;
  wordCount: number;
}

export type ToldFrame =
  | { type: "final"; segment: Segment }
  | { type: "processed"; processed: ProcessedText };

export interface SessionEnd {
  durationMs: number;
  isWhole: boolean;
}

export interface SessionRest extends SessionEnd {
  seq: number;
  expiresAt: number;
  /** Its rest could not be recognised. */
  hasFailed: boolean;
}

export interface StoredSession extends Hold {
  userId: number;
  userName: string;
  room: string | null;
  wishes: StoredWishes;
  settled: SettledPlace;
  /** The highest number that was told, as far as it is known. */
  seq: number;
  segments: number;
  wordCount: number;
  failures: number;
}

export interface SessionStoreDependencies {
  database: Database;
  index: SearchIndex;
  /** Who holds the sessions that are begun or claimed here. */
  processId: string;
  now(): number;
}

export function createSessionStore(dependencies: SessionStoreDependencies): SessionStore {
  const { index, processId, now } = dependencies;
  const { db, commit } = dependencies.database;

  /** Adds to a text that grows, with a space in between. */
  const grown = (column: SQLiteColumn, text: string) =>
    sql<string>`CASE WHEN ${column} = '' THEN ${text} ELSE ${column} || ' ' || ${text} END`;

  const isHeld = ({ sessionId, generation }: Hold) =>
    and(eq(speech_sessions.id, sessionId), eq(speech_sessions.generation, generation));

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

  const find = (sessionId: string): StoredSession | null => {
    const row = db
      .select()
      .from(speech_sessions)
      .innerJoin(transcriptions, eq(transcriptions.id, speech_sessions.transcription_id))
      .where(eq(speech_sessions.id, sessionId))
      .get();
    if (row === undefined) return null;
    const { speech_sessions: session, transcriptions: transcription } = row;
    const kept = db
      .select({
        count: sql<number>`count(*)`,
        seq: sql<number>`max(coalesce(max(${segments.seq}), 0), coalesce(max(${segments.processed_seq}), 0))`,
      })
      .from(segments)
      .where(eq(segments.transcription_id, transcription.id))
      .get();
    return {
      sessionId,
      transcriptionId: transcription.id,
      generation: session.generation,
      userId: session.user_id,
      userName: session.user_name,
      room: transcription.room,
      wishes: session.wishes,
      settled: { bytes: session.settled_bytes, ms: session.settled_ms },
      seq: Math.max(session.seq, kept?.seq ?? 0),
      segments: kept?.count ?? 0,
      wordCount: transcription.word_count,
      failures: session.failures,
    };
  };

  const setStatus = (transcriptionId: number, { durationMs, isWhole }: SessionEnd): void => {
    db.update(transcriptions)
      .set({
        status: isWhole ? "done" : "interrupted",
        duration_ms: durationMs,
        updated_at: now(),
      })
      .where(eq(transcriptions.id, transcriptionId))
      .run();
  };

  return {
    begin: (session) =>
      commit(() => {
        const { id } = db
          .insert(transcriptions)
          .values({
            user_id: session.userId,
            language: session.language,
            session_id: session.sessionId,
            room: session.room,
            title: session.title,
            status: "live",
            created_at: now(),
            updated_at: now(),
          })
          .returning({ id: transcriptions.id })
          .get();
        db.insert(speech_sessions)
          .values({
            id: session.sessionId,
            transcription_id: id,
            user_id: session.userId,
            user_name: session.userName,
            holder: processId,
            wishes: session.wishes,
            touched_at: now(),
            expires_at: session.expiresAt,
          })
          .run();
        return id;
      }),

    addSegment: (hold, segment, place, caption) =>
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

    addProcessed: (hold, { segmentId, seq, text, wordCount }) =>
      commit(() => {
        const { transcriptionId } = hold;
        // Whoever holds it now processes it as well, and gives it a number that others do not have.
        const held = db.select().from(speech_sessions).where(isHeld(hold)).get();
        if (held === undefined) return;
        const row = db
          .update(segments)
          .set({ processed_text: text, processed_seq: seq, word_count: wordCount })
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

    setWishes: (hold, wishes) =>
      commit(() => void db.update(speech_sessions).set({ wishes }).where(isHeld(hold)).run()),

    touch: (holds, expiresAt) =>
      commit(() =>
        holds
          .filter((hold) => {
            const { seq, place } = hold;
            const rows = db
              .update(speech_sessions)
              .set({
                seq,
                settled_bytes: place.bytes,
                settled_ms: place.ms,
                touched_at: now(),
                expires_at: expiresAt,
              })
              .where(isHeld(hold))
              .returning({ id: speech_sessions.id })
              .all();
            return rows.length === 0;
          })
          .map(({ sessionId }) => sessionId),
      ),

    finish: (hold, end) =>
      commit(() => {
        const session = db.delete(speech_sessions).where(isHeld(hold)).returning().get();
        if (session !== undefined) setStatus(hold.transcriptionId, end);
      }),

    rest: (hold, { seq, expiresAt, hasFailed, ...end }) =>
      commit(() => {
        const failures = sql`${speech_sessions.failures} + ${hasFailed ? 1 : 0}`;
        const session = db
          .update(speech_sessions)
          .set({ seq, expires_at: expiresAt, failures })
          .where(isHeld(hold))
          .returning()
          .get();
        if (session !== undefined) setStatus(hold.transcriptionId, end);
      }),

    discard: ({ transcriptionId }) =>
      commit(
        () => void db.delete(transcriptions).where(eq(transcriptions.id, transcriptionId)).run(),
      ),

    find: async (sessionId) => find(sessionId),

    known: async (sessionIds) =>
      new Set(
        db
          .select({ id: speech_sessions.id })
          .from(speech_sessions)
          .where(inArray(speech_sessions.id, [...sessionIds]))
          .all()
          .map(({ id }) => id),
      ),

    claim: ({ sessionId, expiresAt, isLeft }) =>
      commit(() => {
        const claimed = db
          .update(speech_sessions)
          .set({
            holder: processId,
            generation: sql`${speech_sessions.generation} + 1`,
            touched_at: now(),
            expires_at: expiresAt,
            // Whoever comes back for it gives it another start.
            ...(isLeft ? {} : { failures: 0 }),
          })
          .where(
            and(
              eq(speech_sessions.id, sessionId),
              isLeft ? lt(speech_sessions.expires_at, now()) : undefined,
            ),
          )
          .returning()
          .get();
        const session = claimed === undefined ? null : find(sessionId);
        if (session === null) return null;
        db.update(transcriptions)
          .set({ status: "live", updated_at: now() })
          .where(eq(transcriptions.id, session.transcriptionId))
          .run();
        return session;
      }),

    expired: async (at, limit) =>
      db
        .select({ id: speech_sessions.id })
        .from(speech_sessions)
        .where(lt(speech_sessions.expires_at, at))
        .orderBy(asc(speech_sessions.expires_at))
        .limit(limit)
        .all()
        .map(({ id }) => id),

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

    pendingCaptions: async (before, limit) =>
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

    captionPosted: (segmentId) =>
      commit(
        () =>
          void db.delete(pending_captions).where(eq(pending_captions.segment_id, segmentId)).run(),
      ),

    interruptOrphans: () =>
      commit(
        () =>
          db
            .update(transcriptions)
            .set({ status: "interrupted" })
            .where(
              and(
                eq(transcriptions.status, "live"),
                notInArray(
                  transcriptions.id,
                  db.select({ id: speech_sessions.transcription_id }).from(speech_sessions),
                ),
              ),
            )
            .returning({ id: transcriptions.id })
            .all().length,
      ),
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
  };
  return [final, { type: "processed", processed }];
}

function numberOf(frame: ToldFrame): number {
  return frame.type === "final" ? frame.segment.seq : frame.processed.seq;
}
