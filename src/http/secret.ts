import { eq } from "drizzle-orm";
import type { Database } from "../platform/database.ts";
import { secrets } from "../schema.ts";

const NAME = "tokens";

/** The key that signs guests' tokens where no secret is set: made once, then kept with the data. */
export async function installationSecret(
  { db, commit }: Database,
  make: () => string,
): Promise<string> {
  return commit(() => {
    db.insert(secrets).values({ name: NAME, value: make() }).onConflictDoNothing().run();
    const row = db.select().from(secrets).where(eq(secrets.name, NAME)).get();
    if (row === undefined) throw new Error("the key for tokens could not be kept");
    return row.value;
  });
}
