import { type Caller, mayActFor } from "../../http/caller.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import type { AudioFormat } from "../../speech/audio.ts";
import type { EngineInfo } from "../../speech/engine.ts";
import { type Recognition, RecognitionFull } from "../../speech/recognition.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import { type Session, type SessionEvent, openSession } from "./session.ts";
import type { TranscriptionStore } from "./store.ts";

/** The live sessions of this process. */
export interface LiveTranscriptions {
  /** Throws `Refusal` when the caller may not, or no engine knows the language or has room. */
  open(request: LiveRequest): Promise<OpenedSession>;
  /** The language that is listened for. Throws `unsupported_language`. */
  checkLanguage(language: string): string;
  count(): number;
  close(): void;
}

export interface LiveRequest {
  caller: Caller;
  /** Whose transcription it becomes; the caller's own when null. */
  userId: number | null;
  /** `auto` leaves it to the engine. */
  language: string;
  format: AudioFormat | "wav";
  /** A room that hears along. */
  room: string | null;
  store: boolean;
  title: string | null;
  tell(event: SessionEvent): void;
}

export interface OpenedSession {
  session: Session;
  info: EngineInfo;
}

/** Where captions go; given by whoever has rooms. */
export interface Captions {
  /** Throws when the caller may not enter the room. */
  check(caller: Caller, room: string): Promise<void>;
  /** Shows what may still change. */
  interim(caller: Caller, room: string, segmentId: string, text: string): Promise<void>;
  /** Keeps a final in the room. */
  final(caller: Caller, room: string, segmentId: string, text: string): Promise<void>;
}

export interface LiveDependencies {
  recognition: Recognition | null;
  store: TranscriptionStore;
  captions: Captions;
  processText(job: TextJob): Promise<TextResult>;
  newId(): string;
  now(): number;
  log: Log;
}

/** Sound of all sessions that waits; past it no further session is opened. */
const BACKLOG_MS_MAX = 120_000;
const TOUCH_EVERY_MS = 30_000;
/** A live transcription that was not touched for so long was left by a process that died. */
const STALE_MS = 4 * TOUCH_EVERY_MS;

export function createLiveTranscriptions(dependencies: LiveDependencies): LiveTranscriptions {
  const { recognition, store, captions, processText, newId, now, log } = dependencies;
  const sessions = new Set<Session>();

  const tidy = async (): Promise<void> => {
    const ids = [...sessions].flatMap((session) => session.transcriptionId ?? []);
    if (ids.length > 0) await store.touch(ids);
    const interrupted = await store.interruptStale(now() - STALE_MS);
    if (interrupted > 0)
      log.warn({ interrupted }, "live transcriptions were left by a dead process");
  };
  const tidyOrLog = (): void => {
    tidy().catch((error: unknown) =>
      log.error(errorFields(error), "live transcriptions were not tidied"),
    );
  };
  const tidying = setInterval(tidyOrLog, TOUCH_EVERY_MS);
  tidyOrLog();

  const backlogMs = (): number => {
    let sum = 0;
    for (const session of sessions) sum += session.queuedMs();
    return sum;
  };

  const checkLanguage = (language: string): string => {
    const known = recognition?.info.languages ?? [];
    const chosen = language === "auto" ? known[0] : known.find((one) => one === language);
    if (chosen !== undefined) return chosen;
    const there = known.length === 0 ? "there is no speech engine" : `there is ${known.join(", ")}`;
    throw new Refusal("unsupported_language", `no engine here knows ${language}; ${there}`);
  };

  return {
    checkLanguage,
    open: async ({ caller, userId: stated, language: asked, format, room, ...request }) => {
      const userId = stated ?? caller.userId;
      if (!mayActFor(caller, userId)) throw new Refusal("forbidden", "user_id must be your own");
      const speaker = { ...caller, userId };
      const language = checkLanguage(asked);
      if (room !== null) await captions.check(speaker, room);
      if (recognition === null || !recognition.ready()) {
        throw new Refusal("overloaded", "the speech engine is still starting", {
          retryAfterMs: 1_000,
        });
      }
      if (backlogMs() > BACKLOG_MS_MAX) {
        throw new Refusal("overloaded", "more is being said than this machine keeps up with", {
          close: CLOSE.overloaded,
          retryAfterMs: 5_000,
        });
      }
      const id = newId();
      const row = { userId, language, sessionId: id, room, title: request.title };
      const transcriptionId = request.store ? await store.begin(row) : null;

      let captioned = room;
      const caption = (event: SessionEvent): void => {
        captionOf(captions, speaker, captioned, event)?.catch((error: unknown) => {
          // The speaker may have been sent out of the room since: nothing more goes there.
          captioned = null;
          log.warn({ session: id, ...errorFields(error) }, "captions no longer reach their room");
        });
      };
      const tell = (event: SessionEvent): void => {
        caption(event);
        if (event.type === "done") sessions.delete(session);
        request.tell(event);
      };
      let session: Session;
      try {
        session = openSession(
          { id, transcriptionId, language, format, tell },
          { recognition, store, processText, log },
        );
      } catch (error) {
        if (transcriptionId !== null) await store.finish(transcriptionId, 0, true);
        if (!(error instanceof RecognitionFull)) throw error;
        throw new Refusal("overloaded", "every recogniser is taken", {
          close: CLOSE.overloaded,
          retryAfterMs: 5_000,
        });
      }
      sessions.add(session);
      return { session, info: recognition.info };
    },
    count: () => sessions.size,
    close: () => clearInterval(tidying),
  };
}

/** Sends what an event says to the room; null when that is nothing. */
function captionOf(
  captions: Captions,
  speaker: Caller,
  room: string | null,
  event: SessionEvent,
): Promise<void> | null {
  if (room === null) return null;
  if (event.type === "partial") {
    return captions.interim(speaker, room, event.segmentId, event.text);
  }
  if (event.type !== "final") return null;
  const { segmentId, text } = event.segment;
  return captions.final(speaker, room, segmentId, text);
}
