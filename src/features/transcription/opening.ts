import type { Caller } from "../../http/caller.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { AudioFormat, Encoding } from "../../speech/audio.ts";
import type { Traces } from "../../platform/traces.ts";
import type { Recognition } from "../../speech/recognition.ts";
import type { StoredWishes } from "../../schema.ts";
import type { TextJob, TextResult } from "../../text/pipeline.ts";
import type { SoundFormat } from "./hearing.ts";
import type { CaptionPost, RoleOf } from "./room-captions.ts";
import { type Session, type SessionConclusion, openSession } from "./session.ts";
import type { SegmentStore } from "./segment.store.ts";
import type { Hold, SessionStore, StoredSession } from "./session.store.ts";
import type { SpeechCounts } from "./speech-counts.ts";
import { type Spool, type Spools, createMemorySpool } from "./spool.ts";

const TOUCH_EVERY_MS_MIN = 500;
const TOUCH_EVERY_MS_MAX = 15_000;
/** A process that is busy may be late by so much. */
const LATE_MS_MIN = 3_000;

/** How often a process says that it holds its sessions. */
export function touchEveryMs(parkedMs: number): number {
  return Math.min(TOUCH_EVERY_MS_MAX, Math.max(TOUCH_EVERY_MS_MIN, parkedMs));
}

/** A session that was not touched for so long was left by a process that died. */
export function untouchedMs(parkedMs: number): number {
  return parkedMs + Math.max(LATE_MS_MIN, 2 * touchEveryMs(parkedMs));
}

/** What could not be recognised is tried again after so long, and then ever more rarely. */
const RETRY_MS = 30_000;
const RETRY_MS_MAX = 3_600_000;
/** Past it, after about two days, it stays without its last words: sound is not kept for ever. */
const FAILURES_MAX = 50;

export interface NewSessionRequest {
  speaker: Caller;
  language: string;
  format: AudioFormat | "wav";
  endpointingMs: number;
  room: string | null;
  store: boolean;
  title: string | null;
}

/** Makes sessions, new ones and those that somebody else has left. */
export interface SessionOpener {
  begin(recognition: Recognition, request: NewSessionRequest): Promise<Session>;
  /** Of a session that was claimed. */
  restore(recognition: Recognition, stored: StoredSession): Promise<Session>;
  /** Removes the sound of sessions that are gone, as when somebody removed their transcription. */
  sweep(): Promise<void>;
}

export interface SessionOpenerDependencies {
  store: SessionStore;
  segmentStore: SegmentStore;
  spools: Spools;
  captions: CaptionPost;
  processText(job: TextJob): Promise<TextResult>;
  /** How long a broken session waits for its client. */
  parkedMs: number;
  roleOf: RoleOf;
  newId(): string;
  now(): number;
  counts: SpeechCounts;
  log: Log;
  traces: Traces;
}

export function createSessionOpener(dependencies: SessionOpenerDependencies): SessionOpener {
  const { store, segmentStore, spools, captions, processText, parkedMs } = dependencies;
  const { roleOf, newId, now, counts, log, traces } = dependencies;

  /** Keeps the end of a session; what is not recognised stays for another try. */
  const conclude =
    (hold: Hold, spool: Spool, failures: number) =>
    async ({ seq, durationMs, isWhole, reason }: SessionConclusion): Promise<void> => {
      const isGivenUp = reason === "failed" && failures >= FAILURES_MAX;
      const isOver = isGivenUp || (isWhole && reason !== "draining");
      try {
        if (isOver) {
          await store.finish(hold, { durationMs, isWhole });
          spool.remove();
          return spools.remove(hold.sessionId);
        }
        const waitMs =
          reason === "draining" ? parkedMs : Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX);
        const hasFailed = reason === "failed";
        const expiresAt = now() + waitMs;
        await store.rest(hold, { seq, durationMs, isWhole, hasFailed, expiresAt });
      } catch (error) {
        // It is still known as live, and is finished when its time has run out.
        log.error({ session: hold.sessionId, ...errorFields(error) }, "an end was not kept");
      }
      spool.close();
    };

  return {
    begin: async (recognition, request) => {
      const { speaker, language, format, endpointingMs, room, title } = request;
      const id = newId();
      const sound: SoundFormat | "wav" = format === "wav" ? "wav" : { format, soundBytes: null };
      const wishes = { language, endpointingMs, ...wishesOf(sound) };
      const { userId, name: userName } = speaker;
      const expiresAt = now() + untouchedMs(parkedMs);
      const row = { sessionId: id, userId, userName, language, room, title, wishes, expiresAt };
      const hold: Hold | null = request.store
        ? { sessionId: id, generation: 1, transcriptionId: await store.begin(row) }
        : null;
      const spool = hold === null ? createMemorySpool() : spools.create(id, 1, 0);
      return openSession(
        {
          id,
          hold,
          speaker,
          room,
          language,
          endpointingMs,
          format: sound,
          settledMs: 0,
          seq: 0,
          segments: 0,
          wordCount: 0,
          unprocessed: [],
        },
        {
          recognition,
          store,
          segmentStore,
          spool,
          captions: captions.open(speaker, room),
          processText,
          counts,
          conclude: hold === null ? async () => {} : conclude(hold, spool, 0),
          discard: async () => {
            spool.remove();
            if (hold !== null) await store.discard(hold);
          },
          log,
          traces,
        },
      );
    },

    restore: async (recognition, stored) => {
      const { sessionId, transcriptionId, generation, userId, userName, room, wishes } = stored;
      const { language, endpointingMs } = wishes;
      const { seq, segments, wordCount, settled } = stored;
      const hold = { sessionId, transcriptionId, generation };
      const speaker: Caller = { userId, name: userName, role: await roleOf(userId) };
      const spool = spools.adopt(sessionId, generation, settled.bytes);
      return openSession(
        {
          id: sessionId,
          hold,
          speaker,
          room,
          language,
          endpointingMs,
          format: soundOf(wishes),
          settledMs: settled.ms,
          seq,
          segments,
          wordCount,
          unprocessed: await segmentStore.unprocessed(transcriptionId),
        },
        {
          recognition,
          store,
          segmentStore,
          spool,
          captions: captions.open(speaker, room),
          processText,
          counts,
          conclude: conclude(hold, spool, stored.failures),
          // Somebody has spoken in it.
          discard: async () => {},
          log,
          traces,
        },
      );
    },

    sweep: async () => {
      const names = spools.names();
      if (names.length === 0) return;
      const known = await store.known(names);
      for (const name of names) if (!known.has(name)) spools.remove(name);
    },
  };
}

function wishesOf(sound: SoundFormat | "wav"): Pick<StoredWishes, "format" | "soundBytes"> {
  return sound === "wav" ? { format: null, soundBytes: null } : sound;
}

function soundOf({ format, soundBytes }: StoredWishes): SoundFormat | "wav" {
  if (format === null) return "wav";
  const { encoding, ...rest } = format;
  // It was written by `wishesOf`.
  return { format: { encoding: encoding as Encoding, ...rest }, soundBytes };
}
