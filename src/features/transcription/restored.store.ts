import { eq } from "drizzle-orm";
import type { Database } from "../../platform/database.ts";
import { speech_sessions, transcriptions } from "../../schema.ts";

/**
 * Ends the live sessions of a restored database: their sound is in no backup. What they have said until
 * then stays, and is marked `interrupted`. Answers how many there were.
 */
export function endSpeechSessions({ db, commit }: Database): Promise<number> {
  return commit(() => {
    const ended = db.delete(speech_sessions).returning({ id: speech_sessions.id }).all();
    db.update(transcriptions)
      .set({ status: "interrupted" })
      .where(eq(transcriptions.status, "live"))
      .run();
    return ended.length;
  });
}
