import { and, asc, count, eq, isNotNull, isNull, max, sql } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { auth_sessions, users } from "../../schema.ts";
import type { Account } from "./model.ts";
import type { CheckedName } from "./names.ts";

/** Accounts; those that are closed are found by nothing but `leaving`. */
export interface AccountStore {
  /** Null when the name is taken. */
  add(account: NewAccount): Promise<Account | null>;
  get(id: number): Promise<KeptAccount | null>;
  findByName(key: string): Promise<KeptAccount | null>;
  /** The oldest first. */
  list(): Promise<ListedAccount[]>;
  rename(id: number, name: CheckedName): Promise<Account | "taken" | "gone">;
  /**
   * Changes the password, unless it is no longer `was`, and ends every session but one. The ids of
   * those that were ended, or null when nothing was changed.
   */
  setPassword(change: PasswordChange): Promise<number[] | null>;
  /**
   * Empties the account, unless its password is no longer `was`: name and password are gone, and all
   * of its sessions, whose ids are answered.
   */
  close(id: number, was: string, at: number): Promise<number[] | null>;
  /** Closed accounts whose belongings may not be gone yet. */
  leaving(): Promise<{ id: number; closedAt: number }[]>;
  markErased(id: number, at: number): Promise<void>;
}

/** An account with what its password is compared to. */
export interface KeptAccount extends Account {
  passwordHash: string;
}

/** An account, where it is signed in and when it was last there. */
export interface ListedAccount extends Account {
  sessions: number;
  /** When a session of it was last refreshed; null when there is none. */
  usedAt: number | null;
}

export interface NewAccount extends CheckedName {
  passwordHash: string;
  role: Account["role"];
  at: number;
}

export interface PasswordChange {
  id: number;
  was: string;
  hash: string;
  exceptSession: number | null;
}

/** Closed accounts that are looked at in one round. */
const LEAVING_MAX = 20;

export function createAccountStore({ db, commit }: Database): AccountStore {
  const isOpen = isNull(users.closed_at);

  const findByKey = db
    .select()
    .from(users)
    .where(and(eq(users.name_key, sql.placeholder("key")), isOpen))
    .prepare();

  const get = (id: number): KeptAccount | null =>
    keptOf(
      db
        .select()
        .from(users)
        .where(and(eq(users.id, id), isOpen))
        .get(),
    );

  const endSessions = (userId: number, except: number | null): number[] =>
    db
      .delete(auth_sessions)
      .where(
        and(
          eq(auth_sessions.user_id, userId),
          except === null ? undefined : sql`${auth_sessions.id} <> ${except}`,
        ),
      )
      .returning({ id: auth_sessions.id })
      .all()
      .map(({ id }) => id);

  return {
    add: ({ name, key, passwordHash, role, at }) =>
      commit(() => {
        if (findByKey.get({ key }) !== undefined) return null;
        const row = { name, name_key: key, password_hash: passwordHash, role, created_at: at };
        return keptOf(db.insert(users).values(row).returning().get());
      }),
    get: async (id) => get(id),
    findByName: async (key) => keptOf(findByKey.get({ key })),
    list: async () =>
      db
        .select({
          user: users,
          sessions: count(auth_sessions.id),
          usedAt: max(auth_sessions.used_at),
        })
        .from(users)
        .leftJoin(auth_sessions, eq(auth_sessions.user_id, users.id))
        .where(isOpen)
        .groupBy(users.id)
        .orderBy(asc(users.id))
        .all()
        .flatMap(({ user, sessions, usedAt }) => {
          const kept = keptOf(user);
          return kept === null ? [] : [{ ...kept, sessions, usedAt }];
        }),
    rename: (id, { name, key }) =>
      commit(() => {
        const other = findByKey.get({ key });
        if (other !== undefined && other.id !== id) return "taken";
        const row = db
          .update(users)
          .set({ name, name_key: key })
          .where(and(eq(users.id, id), isOpen))
          .returning()
          .get();
        return keptOf(row) ?? "gone";
      }),
    setPassword: ({ id, was, hash, exceptSession }) =>
      commit(() => {
        if (get(id)?.passwordHash !== was) return null;
        db.update(users).set({ password_hash: hash }).where(eq(users.id, id)).run();
        return endSessions(id, exceptSession);
      }),
    close: (id, was, at) =>
      commit(() => {
        if (get(id)?.passwordHash !== was) return null;
        db.update(users)
          .set({ name: null, name_key: null, password_hash: null, role: "user", closed_at: at })
          .where(eq(users.id, id))
          .run();
        return endSessions(id, null);
      }),
    leaving: async () =>
      db
        .select({ id: users.id, closedAt: users.closed_at })
        .from(users)
        .where(and(isNotNull(users.closed_at), isNull(users.erased_at)))
        .orderBy(asc(users.closed_at))
        .limit(LEAVING_MAX)
        .all()
        .map(({ id, closedAt }) => ({ id, closedAt: closedAt ?? 0 })),
    markErased: (id, at) =>
      commit(() => void db.update(users).set({ erased_at: at }).where(eq(users.id, id)).run()),
  };
}

function keptOf(row: typeof users.$inferSelect | undefined): KeptAccount | null {
  if (row === undefined) return null;
  const { id, name, password_hash: passwordHash, role, created_at: createdAt } = row;
  return name === null || passwordHash === null
    ? null
    : { id, name, role, createdAt, passwordHash };
}
