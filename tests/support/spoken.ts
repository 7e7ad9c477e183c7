import { join } from "node:path";
import { createSearchIndex } from "../../src/features/transcription/search.store.ts";
import { createSegmentStore } from "../../src/features/transcription/segment.store.ts";
import { createSessionStore } from "../../src/features/transcription/session.store.ts";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import type { TestApp } from "./app.ts";

/** What was said in one go; each word is a `[word, startMs, endMs]`. */
export interface Spoken {
  text: string;
  startMs: number;
  endMs: number;
  words?: [string, number, number][];
}

/** A transcription that is being spoken, as a session keeps it, without any sound. */
export interface LiveRow {
  id: number;
  sessionId: string;
  say(spoken: Spoken, processedText?: string): Promise<void>;
  end(): Promise<void>;
}

/** Speaks into the database of a running app, as another process would. */
export interface Speech {
  begin(userId: number, language?: string, title?: string | null): Promise<LiveRow>;
  database: Database;
  close(): Promise<void>;
}

const HOUR_MS = 3_600_000;

export function speakInto(app: TestApp): Speech {
  const database = openDatabase(join(app.folder, "earshot.db"));
  const store = createSessionStore({ database, processId: "another", now: Date.now });
  const index = createSearchIndex(database);
  const segments = createSegmentStore({ database, index, now: Date.now });
  let sessions = 0;
  return {
    database,
    close: database.close,
    begin: async (userId, language = "en", title = null) => {
      const sessionId = `spoken-${++sessions}`;
      const transcriptionId = await store.begin({
        sessionId,
        userId,
        userName: `user ${userId}`,
        language,
        room: null,
        title,
        wishes: { language, format: null, soundBytes: null, endpointingMs: 800 },
        expiresAt: Date.now() + HOUR_MS,
      });
      const hold = { sessionId, transcriptionId, generation: 1 };
      let seq = 0;
      let said = 0;
      let lastMs = 0;
      return {
        id: transcriptionId,
        sessionId,
        say: async ({ text, startMs, endMs, words = [] }, processedText) => {
          const segmentId = `${sessionId}-${++said}`;
          lastMs = endMs;
          const segment = {
            segmentId,
            seq: ++seq,
            text,
            startMs,
            endMs,
            language,
            confidence: 0.9,
            words: words.map(([word, from, to]) => ({
              word,
              startMs: from,
              endMs: to,
              confidence: 0.9,
            })),
          };
          await segments.add(hold, segment, { bytes: endMs * 32, ms: endMs }, null);
          if (processedText === undefined) return;
          const wordCount = processedText.split(" ").length;
          await segments.addProcessed(hold, {
            segmentId,
            seq: ++seq,
            text: processedText,
            wordCount,
            entities: [],
          });
        },
        end: () => store.finish(hold, { durationMs: lastMs, isWhole: true }),
      };
    },
  };
}
