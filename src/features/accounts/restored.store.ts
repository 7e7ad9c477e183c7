import { eq, isNull, and, inArray } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { api_keys, auth_sessions, users } from "../../schema.ts";

/** What was taken back since a backup was made, as the database that the backup replaces knows it. */
export interface TakenBack {
  /** Hashes of API keys that were revoked. */
  keyHashes: readonly string[];
  closedAccounts: readonly { id: number; closedAt: number }[];
}

/** Reads rows of the replaced database; none where its version has no such table. */
export type ReadRows = <Row>(statement: string) => Row[];

export function readTakenBack(rows: ReadRows): TakenBack {
  return {
    keyHashes: rows<{ hash: string }>("SELECT hash FROM api_keys WHERE revoked_at IS NOT NULL").map(
      ({ hash }) => hash,
    ),
    closedAccounts: rows<{ id: number; closedAt: number }>(
      "SELECT id, closed_at AS closedAt FROM users WHERE closed_at IS NOT NULL",
    ),
  };
}

/**
 * Brings the accounts of a restored database to where nobody gets back what was taken from them since:
 * every session is over, since which of them were ended is not known for sure; revoked keys stay
 * revoked; accounts that were closed are closed again, and what is theirs is erased after the next start.
 */
export function settleAccounts({ db, commit }: Database, taken: TakenBack, at: number) {
  return commit(() => {
    const ended = db.delete(auth_sessions).returning({ id: auth_sessions.id }).all().length;
    const revoked = db
      .update(api_keys)
      .set({ revoked_at: at })
      .where(and(inArray(api_keys.hash, [...taken.keyHashes]), isNull(api_keys.revoked_at)))
      .returning({ id: api_keys.id })
      .all().length;
    let closed = 0;
    for (const { id, closedAt } of taken.closedAccounts) {
      closed += db
        .update(users)
        .set({
          name: null,
          name_key: null,
          password_hash: null,
          role: "user",
          closed_at: closedAt,
          erased_at: null,
        })
        .where(and(eq(users.id, id), isNull(users.closed_at)))
        .returning({ id: users.id })
        .all().length;
    }
    return { ended, revoked, closed };
  });
}
