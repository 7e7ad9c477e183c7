import { eq } from "drizzle-orm";
import { secrets } from "../schema.ts";
import type { Database } from "./database.ts";

/** The last time of which it is known that the clock was right, whoever has written here since. */
export interface TrustedTime {
  /** Unix milliseconds; null when none was ever kept. */
  read(): number | null;
  keep(at: number): Promise<void>;
}

const NAME = "trusted_time";

/** Kept with the data: the time that the file was written last is whatever a wrong clock said. */
export function createTrustedTime({ db, commit }: Pick<Database, "db" | "commit">): TrustedTime {
  return {
    read: () => {
      const row = db.select().from(secrets).where(eq(secrets.name, NAME)).get();
      return row === undefined ? null : Number(row.value);
    },
    keep: (at) => {
      const value = String(Math.round(at));
      return commit(
        () =>
          void db
            .insert(secrets)
            .values({ name: NAME, value })
            .onConflictDoUpdate({ target: secrets.name, set: { value } })
            .run(),
      );
    },
  };
}
