import { and, asc, eq, isNull, lte, or, sql } from "drizzle-orm";
import type { Database } from "../platform/database.ts";
import { api_keys } from "../schema.ts";

/** What keys may open: the routes that take posts in, and those of audio like OpenAI's. */
export const KEY_SCOPES = ["posts", "audio"] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** A key as it is kept: everything but the key. Times are Unix milliseconds. */
export interface KeptKey {
  /** Above zero, and never given to another key. */
  id: number;
  name: string;
  /** The key's first characters. */
  hint: string;
  scopes: readonly KeyScope[];
  createdAt: number;
  /** To the minute; null when it was never used. */
  usedAt: number | null;
  /** Null while it is valid. */
  revokedAt: number | null;
}

export interface KeyStore {
  /** Null when a valid key has that name. */
  add(key: NewKey): Promise<KeptKey | null>;
  /** The valid key that has this hash. */
  find(hash: string): Promise<KeptKey | null>;
  /** Whether there is a valid key. */
  anyExist(): Promise<boolean>;
  /** All of them, the oldest first. */
  list(): Promise<KeptKey[]>;
  /**
   * Revokes the key of that id, or the valid one of that name. One that was revoked before stays as
   * it is. Null when there is no such key.
   */
  revoke(idOrName: number | string, at: number): Promise<Revoked | null>;
  /** Says that the key was used at `at`, unless that is said already of a time after `since`. */
  touch(id: number, at: number, since: number): Promise<void>;
}

export interface Revoked {
  kept: KeptKey;
  /** False for a key that was revoked before. */
  isNew: boolean;
}

export interface NewKey {
  name: string;
  /** SHA-256, hexadecimal. */
  hash: string;
  hint: string;
  scopes: readonly KeyScope[];
  at: number;
}

/** API keys in SQLite. What is looked up is read anew each time, so every process sees what changed. */
export function createKeyStore({ db, commit }: Database): KeyStore {
  const isValid = isNull(api_keys.revoked_at);
  // Prepared once: these run at every request that brings a key, or for which one may be needed.
  const findValid = db
    .select()
    .from(api_keys)
    .where(and(eq(api_keys.hash, sql.placeholder("hash")), isValid))
    .prepare();
  const findAny = db.select({ id: api_keys.id }).from(api_keys).where(isValid).limit(1).prepare();

  const findNamed = (name: string): KeyRow | undefined =>
    db
      .select()
      .from(api_keys)
      .where(and(eq(api_keys.name, name), isValid))
      .get();

  return {
    add: ({ name, hash, hint, scopes, at }) =>
      commit(() => {
        if (findNamed(name) !== undefined) return null;
        return keptOf(
          db
            .insert(api_keys)
            .values({ name, hash, hint, scopes: [...scopes], created_at: at })
            .returning()
            .get(),
        );
      }),
    find: async (hash) => {
      const row = findValid.get({ hash });
      return row === undefined ? null : keptOf(row);
    },
    anyExist: async () => findAny.get() !== undefined,
    list: async () => db.select().from(api_keys).orderBy(asc(api_keys.id)).all().map(keptOf),
    revoke: (idOrName, at) =>
      commit(() => {
        const row =
          typeof idOrName === "string"
            ? findNamed(idOrName)
            : db.select().from(api_keys).where(eq(api_keys.id, idOrName)).get();
        if (row === undefined) return null;
        if (row.revoked_at !== null) return { kept: keptOf(row), isNew: false };
        db.update(api_keys).set({ revoked_at: at }).where(eq(api_keys.id, row.id)).run();
        return { kept: keptOf({ ...row, revoked_at: at }), isNew: true };
      }),
    touch: (id, at, since) =>
      commit(() => {
        const isOld = or(isNull(api_keys.used_at), lte(api_keys.used_at, since));
        db.update(api_keys)
          .set({ used_at: at })
          .where(and(eq(api_keys.id, id), isOld))
          .run();
      }),
  };
}

type KeyRow = typeof api_keys.$inferSelect;

function keptOf(row: KeyRow): KeptKey {
  return {
    id: row.id,
    name: row.name,
    hint: row.hint,
    scopes: row.scopes,
    createdAt: row.created_at,
    usedAt: row.used_at,
    revokedAt: row.revoked_at,
  };
}
