import { and, asc, desc, eq, gt, inArray, lte, sql } from "drizzle-orm";
import type { Caller } from "../../http/caller.ts";
import type { Database } from "../../platform/database.ts";
import { auth_sessions, users } from "../../schema.ts";
import type { AuthSession } from "./model.ts";
import type { RefreshHashes } from "./refresh-tokens.ts";

/** Sessions of accounts. One that is over is not there any more. */
export interface AuthSessionStore {
  /**
   * Opens a session, unless the account is closed or has another password than `passwordHash` by now
   * (null). The longest unused ones make room for it; `ended` are their ids.
   */
  open(session: NewAuthSession): Promise<{ id: number; ended: number[] } | null>;
  /**
   * Gives a session its next refresh token. `reused` says that the token was not the latest: the
   * session is ended. Null when there is no such session.
   */
  rotate(rotation: Rotation): Promise<Rotated | null>;
  /** The account of a session, as it is now. */
  holder(id: number, at: number): Promise<Caller | null>;
  /** The latest first. */
  list(userId: number, at: number): Promise<AuthSession[]>;
  /** Ends one session of the account, or with null all of them; answers their ids. */
  end(userId: number, id: number | null): Promise<number[]>;
  endFamily(familyHash: string): Promise<number[]>;
  /** Those of the sessions that are over. */
  overAmong(ids: readonly number[], at: number): Promise<number[]>;
}

export interface NewAuthSession extends RefreshHashes {
  userId: number;
  passwordHash: string;
  at: number;
  expiresAt: number;
  userAgent: string;
}

export interface Rotation extends RefreshHashes {
  /** What the next token is kept as. */
  nextHash: string;
  at: number;
  expiresAt: number;
}

export interface Rotated {
  id: number;
  reused: boolean;
  caller: Caller;
}

/** An account's sessions; the longest unused one ends when another is opened. */
const SESSIONS_MAX = 50;
/** Sessions that have expired are cleared away when others are opened, so many at a time. */
const CLEARED_MAX = 100;

export function createAuthSessionStore({ db, commit }: Database): AuthSessionStore {
  // Prepared once: it runs at every request that brings a token.
  const findHolder = db
    .select({ id: users.id, role: users.role, name: users.name })
    .from(auth_sessions)
    .innerJoin(users, eq(users.id, auth_sessions.user_id))
    .where(
      and(
        eq(auth_sessions.id, sql.placeholder("id")),
        gt(auth_sessions.expires_at, sql.placeholder("at")),
      ),
    )
    .prepare();

  const findCaller = (id: number, at: number): Caller | null => {
    const row = findHolder.get({ id, at });
    if (row === undefined || row.name === null) return null;
    return { userId: row.id, role: row.role, name: row.name };
  };

  const remove = (ids: readonly number[]): number[] =>
    db
      .delete(auth_sessions)
      .where(inArray(auth_sessions.id, [...ids]))
      .returning({ id: auth_sessions.id })
      .all()
      .map(({ id }) => id);

  const makeRoom = (userId: number): number[] => {
    const open = db
      .select({ id: auth_sessions.id })
      .from(auth_sessions)
      .where(eq(auth_sessions.user_id, userId))
      .orderBy(desc(auth_sessions.used_at), desc(auth_sessions.id))
      .all();
    return remove(open.slice(SESSIONS_MAX - 1).map(({ id }) => id));
  };

  const clearExpired = (at: number): void => {
    const expired = db
      .select({ id: auth_sessions.id })
      .from(auth_sessions)
      .where(lte(auth_sessions.expires_at, at))
      .orderBy(asc(auth_sessions.expires_at))
      .limit(CLEARED_MAX)
      .all();
    remove(expired.map(({ id }) => id));
  };

  return {
    open: ({ userId, passwordHash, familyHash, tokenHash, at, expiresAt, userAgent }) =>
      commit(() => {
        const user = db.select().from(users).where(eq(users.id, userId)).get();
        if (user?.password_hash !== passwordHash) return null;
        clearExpired(at);
        const ended = makeRoom(userId);
        const { id } = db
          .insert(auth_sessions)
          .values({
            user_id: userId,
            family_hash: familyHash,
            token_hash: tokenHash,
            created_at: at,
            used_at: at,
            expires_at: expiresAt,
            user_agent: userAgent,
          })
          .returning({ id: auth_sessions.id })
          .get();
        return { id, ended };
      }),
    rotate: ({ familyHash, tokenHash, nextHash, at, expiresAt }) =>
      commit(() => {
        const row = db
          .select()
          .from(auth_sessions)
          .where(eq(auth_sessions.family_hash, familyHash))
          .get();
        const caller = row === undefined ? null : findCaller(row.id, at);
        if (row === undefined || caller === null) return null;
        const isLatest = row.token_hash === tokenHash;
        if (isLatest) {
          db.update(auth_sessions)
            .set({ token_hash: nextHash, used_at: at, expires_at: expiresAt })
            .where(eq(auth_sessions.id, row.id))
            .run();
        } else {
          remove([row.id]);
        }
        return { id: row.id, reused: !isLatest, caller };
      }),
    holder: async (id, at) => findCaller(id, at),
    list: async (userId, at) =>
      db
        .select()
        .from(auth_sessions)
        .where(and(eq(auth_sessions.user_id, userId), gt(auth_sessions.expires_at, at)))
        .orderBy(desc(auth_sessions.used_at), desc(auth_sessions.id))
        .all()
        .map((row) => ({
          id: row.id,
          createdAt: row.created_at,
          usedAt: row.used_at,
          expiresAt: row.expires_at,
          userAgent: row.user_agent,
        })),
    end: (userId, id) =>
      commit(() => {
        const owned = eq(auth_sessions.user_id, userId);
        return db
          .delete(auth_sessions)
          .where(id === null ? owned : and(owned, eq(auth_sessions.id, id)))
          .returning({ id: auth_sessions.id })
          .all()
          .map((row) => row.id);
      }),
    endFamily: (familyHash) =>
      commit(() =>
        db
          .delete(auth_sessions)
          .where(eq(auth_sessions.family_hash, familyHash))
          .returning({ id: auth_sessions.id })
          .all()
          .map(({ id }) => id),
      ),
    overAmong: async (ids, at) => ids.filter((id) => findCaller(id, at) === null),
  };
}
