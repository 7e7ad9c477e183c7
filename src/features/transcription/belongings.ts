import type { CaptionStore } from "./caption.store.ts";
import type { EditStore } from "./edit.store.ts";
import type { KeptMessages } from "./kept-messages.ts";
import type { Transcription } from "./model.ts";
import type { OwnRevision, RevisionPlace, RevisionStore } from "./revision.store.ts";
import type { TranscriptionStore } from "./store.ts";

/** What one user has saved or spoken, by the names that the kinds have outside. */
export interface TranscriptionBelongings {
  /**
   * Read the oldest first. Erased with everything that hangs on them, those that are being spoken
   * too, and with what waits to reach a room; a session of one that is gone keeps nothing more.
   */
  transcriptions: Owned<Transcription>;
  /** What edits of them replaced, whoever edited. */
  revisions: Owned<OwnRevision>;
  /** One-frame messages that wait to be saved. */
  kept_messages: Owned<OwnKeptMessage>;
}

export interface Owned<T> {
  /** Everything of the kind, a page at a time. */
  read(userId: number): AsyncGenerator<T[]>;
  /** Removes it; again is no error. */
  erase(userId: number): Promise<void>;
}

/** A message as it came: base64 of a WAV file, or text. */
export interface OwnKeptMessage {
  message_id: string;
  language: string;
  audio: string;
}

export interface TranscriptionBelongingsDependencies {
  store: TranscriptionStore;
  editStore: EditStore;
  revisionStore: RevisionStore;
  captionStore: CaptionStore;
  keptMessages: KeptMessages;
}

const TRANSCRIPTIONS_AT_ONCE = 50;
/** Each may be as long as a transcription. */
const REVISIONS_AT_ONCE = 10;

export function createTranscriptionBelongings(
  dependencies: TranscriptionBelongingsDependencies,
): TranscriptionBelongings {
  const { store, editStore, revisionStore, captionStore, keptMessages } = dependencies;

  async function* readTranscriptions(userId: number): AsyncGenerator<Transcription[]> {
    let after = 0;
    for (;;) {
      const page = await store.list(userId, after, TRANSCRIPTIONS_AT_ONCE);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.id;
    }
  }

  async function* readRevisions(userId: number): AsyncGenerator<OwnRevision[]> {
    let after: RevisionPlace | null = { transcriptionId: 0, id: 0 };
    while (after !== null) {
      const { revisions, reached } = revisionStore.ofUser(userId, after, REVISIONS_AT_ONCE);
      yield revisions;
      after = reached;
      // Most transcriptions have none: others have their turn while they are passed over.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function* readKept(userId: number): AsyncGenerator<OwnKeptMessage[]> {
    // They lie under one key and come at once; what one user may have there is limited.
    for (const { messageId, language, audio } of await keptMessages.list(userId)) {
      yield [{ message_id: messageId, language, audio }];
    }
  }

  return {
    transcriptions: {
      read: readTranscriptions,
      erase: async (userId) => {
        await captionStore.eraseOf(userId);
        for await (const page of readTranscriptions(userId)) {
          for (const { id } of page) await editStore.erase(id);
        }
      },
    },
    // They go with their transcriptions.
    revisions: { read: readRevisions, erase: () => Promise.resolve() },
    kept_messages: {
      read: readKept,
      erase: async (userId) => {
        const kept = await keptMessages.list(userId);
        const ids = kept.map(({ messageId }) => messageId);
        await keptMessages.remove(userId, ids);
      },
    },
  };
}
