import { and, asc, eq, inArray, lt, notInArray, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { type StoredWishes, segments, speech_sessions, transcriptions } from "../../schema.ts";

/** Sessions that are not over: who holds them, and what whoever goes on with them needs. */
export interface SessionStore {
  /** Begins a transcription and its session; returns the transcription's id. */
  begin(session: NewSession): Promise<number>;
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
  /** Who holds the sessions that are begun or claimed here. */
  processId: string;
  now(): number;
}

export function createSessionStore(dependencies: SessionStoreDependencies): SessionStore {
  const { processId, now } = dependencies;
  const { db, commit } = dependencies.database;

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

/** The session, if it is still in the same hands. */
export function isHeld({ sessionId, generation }: Hold) {
  return and(eq(speech_sessions.id, sessionId), eq(speech_sessions.generation, generation));
}
