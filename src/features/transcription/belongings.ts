import type { CaptionStore } from "./caption.store.ts";
import type { EditStore } from "./edit.store.ts";
import type { KeptMessages } from "./kept-messages.ts";
import type { Transcription } from "./model.ts";
import type { TranscriptionStore } from "./store.ts";

/** What one user has saved or spoken. */
export interface TranscriptionBelongings {
  /** Its transcriptions, the oldest first, a page at a time. */
  read(userId: number): AsyncGenerator<Transcription[]>;
  /**
   * Deletes them, those that are being spoken too, with what waits to be saved or to reach a room.
   * A session of one that is gone keeps nothing more.
   */
  erase(userId: number): Promise<void>;
}

export interface TranscriptionBelongingsDependencies {
  store: TranscriptionStore;
  editStore: EditStore;
  captionStore: CaptionStore;
  keptMessages: KeptMessages;
}

const TRANSCRIPTIONS_AT_ONCE = 50;

export function createTranscriptionBelongings(
  dependencies: TranscriptionBelongingsDependencies,
): TranscriptionBelongings {
  const { store, editStore, captionStore, keptMessages } = dependencies;

  async function* read(userId: number): AsyncGenerator<Transcription[]> {
    let after = 0;
    for (;;) {
      const page = await store.list(userId, after, TRANSCRIPTIONS_AT_ONCE);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.id;
    }
  }

  return {
    read,
    erase: async (userId) => {
      await captionStore.eraseOf(userId);
      for await (const page of read(userId)) {
        for (const { id } of page) await editStore.erase(id);
      }
      const kept = await keptMessages.list(userId);
      const ids = kept.map(({ messageId }) => messageId);
      await keptMessages.remove(userId, ids);
    },
  };
}
