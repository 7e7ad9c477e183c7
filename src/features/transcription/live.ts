import { type Caller, mayActFor } from "../../http/caller.ts";
import type { Bus } from "../../platform/bus.ts";
import type { Log } from "../../platform/log.ts";
import { CLOSE, Refusal } from "../../realtime/refusal.ts";
import type { EngineInfo } from "../../speech/engine.ts";
import { type Recognition, RecognitionFull } from "../../speech/recognition.ts";
import type { Languages } from "./languages.ts";
import { type NewSessionRequest, type SessionOpener, untouchedMs } from "./opening.ts";
import { createParking } from "./parking.ts";
import type { Session, SessionListener } from "./session.ts";
import type { SessionStore, TouchedHold } from "./session.store.ts";
import type { SessionsNow, SpeechCounts } from "./speech-counts.ts";
import type { EndReason, ToldEvent } from "./told.ts";

/** The live sessions of this process. */
export interface LiveTranscriptions {
  /** Throws `Refusal` when the caller may not, or there is no room. */
  open(request: LiveRequest): Promise<OpenedSession>;
  /** Goes on with a broken session, of whatever process. Throws `Refusal`. */
  resume(request: ResumeRequest): Promise<OpenedSession>;
  /** The listener hears no more: the session waits for another one, for a while. */
  leave(session: Session, listener: SessionListener): void;
  /** Ends a session and tells `done`; never rejects. */
  end(session: Session, reason: EndReason, withinMs?: number): Promise<void>;
  /** Resolves when somebody can be listened to; never where nobody ever can. */
  ready(): Promise<void>;
  /** Finishes a session that nobody has touched in time. */
  finishLeft(sessionId: string): Promise<void>;
  /** Removes what sessions that are gone have left behind. */
  sweep(): Promise<void>;
  /** What proves that this process holds its sessions. */
  holds(): TouchedHold[];
  /** How they stand, for whoever watches. */
  now(): SessionsNow;
  /** Somebody else holds that session now. */
  lose(sessionId: string): void;
  /** Ends every session that is left. */
  close(withinMs: number): Promise<void>;
}

export interface LiveRequest extends Omit<NewSessionRequest, "speaker"> {
  caller: Caller;
  /** Whose transcription it becomes; the caller's own when null. */
  userId: number | null;
  listener: SessionListener;
}

export interface ResumeRequest {
  caller: Caller;
  sessionId: string;
  afterSeq: number;
  listener: SessionListener;
}

export interface OpenedSession {
  session: Session;
  info: EngineInfo;
  /** What has to be told again. */
  missed: ToldEvent[];
}

export interface LiveDependencies {
  recognition: Recognition | null;
  store: SessionStore;
  opener: SessionOpener;
  languages: Languages;
  checkRoom(caller: Caller, room: string): Promise<void>;
  /** Hears of sessions that other processes have taken over. */
  bus: Bus;
  processId: string;
  /** How long a broken session waits for its client. */
  parkedMs: number;
  now(): number;
  counts: SpeechCounts;
  log: Log;
}

/** A session that was taken over by another process. */
const TAKEN = "speech.taken";

export function createLiveTranscriptions(dependencies: LiveDependencies): LiveTranscriptions {
  const { recognition, store, opener, languages, checkRoom, bus, processId, parkedMs, now } =
    dependencies;
  const { counts, log } = dependencies;
  const sessions = new Map<string, Session>();
  const over = new WeakSet<Session>();
  /** One for each session at a time, so that two who come back at once share it. */
  const claims = new Map<string, Promise<Session | null>>();
  let isClosed = false;

  const forget = (session: Session): void => {
    parking.remove(session);
    ended.remove(session);
    if (sessions.get(session.id) === session) sessions.delete(session.id);
  };

  const parking = createParking(parkedMs, (session) => void end(session, "disconnected"));
  // Those that are over wait as well, for clients that missed their end.
  const ended = createParking(parkedMs, (session) => forget(session));

  const listeningFor = (language: string): { recognition: Recognition; info: EngineInfo } => {
    const info = recognition?.modelFor(language) ?? null;
    if (recognition === null || info === null || !recognition.ready()) {
      counts.refused.starting++;
      throw new Refusal("overloaded", "the speech engine is still starting", {
        retryAfterMs: 1_000,
      });
    }
    return { recognition, info };
  };

  /** No room for one more, in words for a client. */
  const refusalOf = (error: unknown): unknown => {
    if (!(error instanceof RecognitionFull)) return error;
    counts.refused.full++;
    return new Refusal("overloaded", "more is being said than this machine keeps up with", {
      close: CLOSE.overloaded,
      retryAfterMs: error.retryAfterMs,
    });
  };

  const end = async (session: Session, reason: EndReason, withinMs?: number): Promise<void> => {
    const isFirst = !over.has(session);
    over.add(session);
    parking.remove(session);
    const isTold = await session.end(reason, withinMs);
    if (!isTold) forget(session);
    else if (isFirst && sessions.get(session.id) === session) ended.add(session);
  };

  const leave = (session: Session, listener: SessionListener): void => {
    if (!session.detach(listener)) return;
    if (session.isLost()) forget(session);
    else if (!over.has(session) && sessions.get(session.id) === session) parking.add(session);
  };

  const lose = (sessionId: string): void => {
    const session = sessions.get(sessionId);
    if (session === undefined) return;
    log.warn({ session: sessionId }, "another process goes on with a session");
    forget(session);
    session.lose();
  };

  const taken = bus.subscribe(TAKEN, (message) => {
    const { session, by } = message as { session: string; by: string };
    if (by !== processId) lose(session);
  });

  const claim = (sessionId: string, isLeft: boolean): Promise<Session | null> => {
    if (isClosed) return Promise.resolve(null);
    const running = claims.get(sessionId) ?? claimNow(sessionId, isLeft);
    claims.set(sessionId, running);
    return running;
  };

  const claimNow = async (sessionId: string, isLeft: boolean): Promise<Session | null> => {
    try {
      const expiresAt = now() + untouchedMs(parkedMs);
      const stored = await store.claim({ sessionId, expiresAt, isLeft });
      if (stored === null) return null;
      const { recognition } = listeningFor(stored.wishes.language);
      lose(sessionId);
      const session = await opener.restore(recognition, stored);
      sessions.set(sessionId, session);
      bus.publish(TAKEN, { session: sessionId, by: processId });
      return session;
    } finally {
      claims.delete(sessionId);
    }
  };

  /** Whether this process still holds it: another one may have gone on with it unheard. */
  const isHeld = async (session: Session): Promise<boolean> => {
    const hold = session.hold();
    if (hold === null) return !session.isLost();
    const lost = await store.touch([hold], now() + untouchedMs(parkedMs));
    return lost.length === 0;
  };

  /** The session of this process, or of one that it is taken over from; null when it is over. */
  const findFor = async (caller: Caller, sessionId: string): Promise<Session | null> => {
    const session = sessions.get(sessionId);
    if (session !== undefined) {
      if (!mayActFor(caller, session.speaker.userId)) return null;
      if (over.has(session) || (await isHeld(session))) return session;
      lose(sessionId);
    }
    const stored = await store.find(sessionId);
    if (stored === null || !mayActFor(caller, stored.userId)) return null;
    listeningFor(stored.wishes.language);
    return claim(sessionId, false);
  };

  return {
    open: async ({ caller, userId: stated, listener, ...request }) => {
      const userId = stated ?? caller.userId;
      if (!mayActFor(caller, userId)) throw new Refusal("forbidden", "user_id must be your own");
      languages.check(request.language);
      const speaker = { ...caller, userId };
      if (request.room !== null) await checkRoom(speaker, request.room);
      const { recognition, info } = listeningFor(request.language);
      const session = await opener.begin(recognition, { ...request, speaker });
      try {
        await session.reopen(0);
      } catch (error) {
        await session.abandon();
        throw refusalOf(error);
      }
      sessions.set(session.id, session);
      counts.started++;
      return { session, info, missed: await session.attach(listener, 0) };
    },
    resume: async ({ caller, sessionId, afterSeq, listener }) => {
      const session = await findFor(caller, sessionId);
      if (session === null) {
        throw new Refusal("not_found", "that session is over; start a new one");
      }
      const { info } = listeningFor(session.language());
      try {
        if (!over.has(session)) {
          parking.remove(session);
          await session.reopen(0);
        }
      } catch (error) {
        // It waits for its client to come again.
        leave(session, listener);
        throw refusalOf(error);
      }
      counts.resumed++;
      const missed = await session.attach(listener, afterSeq);
      // Not before: what an older socket still sends up to there goes on where it was.
      session.comeBack();
      return { session, info, missed };
    },
    leave,
    end,
    ready: () => recognition?.loaded() ?? new Promise<void>(() => {}),
    finishLeft: async (sessionId) => {
      const known = sessions.get(sessionId);
      if (known !== undefined && known.hold() !== null) return;
      if (recognition?.ready() !== true) return;
      const session = await claim(sessionId, true);
      if (session !== null) await end(session, "disconnected");
    },
    sweep: opener.sweep,
    // Those that are ending, too: their last words may take a while.
    holds: () => [...sessions.values()].flatMap((session) => session.hold() ?? []),
    now: () => {
      const running = [...sessions.values()].filter((session) => !over.has(session));
      const parked = parking.size();
      const waitingMs = running.map((session) => session.waitingMs());
      return { live: running.length - parked, parked, waitingMs };
    },
    lose,
    close: async (withinMs) => {
      isClosed = true;
      taken.stop();
      await Promise.allSettled(claims.values());
      parking.clear();
      const rest = [...sessions.values()];
      await Promise.all(rest.map((session) => end(session, "draining", withinMs)));
      ended.clear();
      if (rest.length > 0) log.info({ sessions: rest.length }, "sessions were ended by the stop");
    },
  };
}
