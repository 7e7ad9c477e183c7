import { Problem } from "../../http/problem.ts";
import type { Kept } from "../../platform/kept.ts";
import type { Language } from "./model.ts";

// Messages that wait to be saved as one transcription, under `transcription:{user_id}`.

/** A day; each message of a user starts it anew for all of them. */
export const KEPT_MESSAGES_MS = 86_400_000;
/** One user's messages that wait. */
export const KEPT_MESSAGES_BYTES_MAX = 32 * 1024 * 1024;

export interface KeptMessage {
  messageId: string;
  language: Language;
  /** As received: base64 of a WAV file, or text. */
  audio: string;
}

export interface KeptMessages {
  /** Throws `too_large` when the user has too much waiting. */
  keep(userId: number, message: KeptMessage): Promise<void>;
  /** In the order of arrival. */
  list(userId: number): Promise<KeptMessage[]>;
  remove(userId: number, messageIds: readonly string[]): Promise<void>;
}

interface StoredMessage {
  language: Language;
  audio: string;
  at: number;
}

/** Messages of one user that wait, and the field of the latest. */
export const KEPT_FIELDS_MAX = 2_001;
const FULL_MS = 5_000;
const FIELD = "message:";
const LATEST = "transcription";

export function createKeptMessages(kept: Kept, now: () => number): KeptMessages {
  let lastAt = 0;
  const key = (userId: number): string => `transcription:${userId}`;

  return {
    keep: async (userId, { messageId, language, audio }) => {
      // Strictly growing, so that messages of the same moment keep their order.
      lastAt = Math.max(now(), lastAt + 0.001);
      const stored: StoredMessage = { language, audio, at: lastAt };
      const fields = { [LATEST]: audio, [FIELD + messageId]: JSON.stringify(stored) };
      const answer = await kept.put(key(userId), fields);
      if (answer === "key_full") {
        throw new Problem("too_large", "Too many messages wait for this user; save them first");
      }
      if (answer === "full") {
        throw new Problem("queue_full", "Too many messages wait here", { retryAfterMs: FULL_MS });
      }
    },
    list: async (userId) => {
      const stored: (StoredMessage & { messageId: string })[] = [];
      for (const [field, value] of Object.entries(await kept.get(key(userId)))) {
        if (!field.startsWith(FIELD)) continue;
        stored.push({
          messageId: field.slice(FIELD.length),
          ...(JSON.parse(value) as StoredMessage),
        });
      }
      return stored.sort((a, b) => a.at - b.at);
    },
    remove: async (userId, messageIds) => {
      await kept.remove(
        key(userId),
        messageIds.map((id) => FIELD + id),
      );
      // The latest is a copy of one of them; without any it would only take up room.
      const left = Object.keys(await kept.get(key(userId)));
      if (left.every((field) => field === LATEST)) await kept.remove(key(userId), [LATEST]);
    },
  };
}
