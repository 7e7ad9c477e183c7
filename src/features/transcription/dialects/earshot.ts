import { type Connection, type Protocol, withRef } from "../../../realtime/connection.ts";
import { createFrameReader } from "../../../realtime/frames.ts";
import { CLOSE, type Ref, Refusal } from "../../../realtime/refusal.ts";
import { type Encoding, UnsupportedAudio } from "../../../speech/audio.ts";
import { RecognitionFull } from "../../../speech/recognition.ts";
import { ENDPOINTING_MS } from "../../../speech/segmenter.ts";
import { AUDIO_QUEUE_MS_MAX } from "../hearing.ts";
import type { Languages } from "../languages.ts";
import type { LiveTranscriptions, OpenedSession } from "../live.ts";
import { type StartFrame, type StreamingClientFrame, streamingClientFrames } from "../model.ts";
import type { Session } from "../session.ts";
import type { SessionEvent } from "../told.ts";
import { frameOf } from "./earshot.frames.ts";

export interface StreamingDependencies {
  live: LiveTranscriptions;
  languages: Languages;
  limits: Record<string, number>;
}

const readFrame = createFrameReader(streamingClientFrames);
const RATE_HZ = 16_000;

/** The streaming dialect: `start`, sound, `stop`, and words in between. */
export function openStreaming(
  connection: Connection,
  { live, languages, limits }: StreamingDependencies,
): Protocol {
  let session: Session | null = null;
  /** Told before `ready` could be: it comes after that. */
  const early: SessionEvent[] = [];
  let showsPartials = true;
  let showsWords = true;
  let stopRef: Ref | undefined;
  const finalizeRefs: (Ref | undefined)[] = [];

  /** `isEarlier`: it does not answer what was asked for on this socket. */
  const tell = (event: SessionEvent, isEarlier: boolean): void => {
    if (session === null) return void early.push(event);
    if (event.type === "failed") {
      // The session lives on without this socket.
      live.leave(session, show);
      session = null;
      return connection.refuse(event.refusal);
    }
    if (event.type === "partial" && !showsPartials) return;
    const ref = isEarlier ? undefined : refFor(event);
    const { transcriptionId } = session;
    connection.send({ ...frameOf(event, { transcriptionId, showsWords }), ...withRef(ref) });
    // A server that stops says so itself, after this.
    if (event.type === "done" && event.reason !== "draining") connection.close(CLOSE.done);
  };

  const show = (event: SessionEvent): void => tell(event, false);

  const refFor = ({ type }: SessionEvent): Ref | undefined => {
    if (type === "finalized") return finalizeRefs.shift();
    return type === "done" ? stopRef : undefined;
  };

  const start = async (frame: StartFrame): Promise<void> => {
    if (session !== null) throw new Refusal("bad_request", "this socket has a stream already");
    showsPartials = frame.interim_results ?? true;
    showsWords = frame.words ?? true;
    const opened = await (frame.resume === undefined ? open(frame) : resume(frame.resume));
    session = opened.session;
    connection.send(readyFrame(opened, frame));
    // What an older socket has asked for is answered before what this one asks for.
    finalizeRefs.push(...Array<undefined>(session.finalizesOpen()).fill(undefined));
    for (const event of [...opened.missed, ...early.splice(0)]) tell(event, true);
  };

  const open = (frame: StartFrame): Promise<OpenedSession> => {
    const { encoding = "pcm_s16le", sample_rate: sampleRate = RATE_HZ, channels = 1 } = frame;
    return live.open({
      caller: connection.visitor.caller,
      userId: frame.user_id ?? null,
      language: frame.language ?? "auto",
      format: encoding === "wav" ? "wav" : { encoding: encoding as Encoding, sampleRate, channels },
      endpointingMs: frame.endpointing_ms ?? ENDPOINTING_MS,
      room: frame.room ?? null,
      store: frame.store ?? true,
      title: frame.title ?? null,
      listener: show,
    });
  };

  const resume = ({
    session_id: sessionId,
    after_seq: afterSeq,
  }: NonNullable<StartFrame["resume"]>): Promise<OpenedSession> =>
    live.resume({ caller: connection.visitor.caller, sessionId, afterSeq, listener: show });

  const readyFrame = ({ session, info }: OpenedSession, { ref, resume }: StartFrame): object => {
    const { guestToken, expiresAt } = connection.visitor;
    return {
      type: "ready",
      session_id: session.id,
      transcription_id: session.transcriptionId,
      engine: info.engine,
      model: info.model,
      ...(guestToken === null ? {} : { guest_token: guestToken }),
      limits: { ...limits, audio_queue_ms: AUDIO_QUEUE_MS_MAX },
      ...(expiresAt === null ? {} : { expires_at: expiresAt }),
      resumed: resume !== undefined,
      received_bytes: session.receivedBytes(),
      ...withRef(ref),
    };
  };

  const running = (): Session => {
    if (session === null) throw new Refusal("bad_request", "send `start` first");
    return session;
  };

  const take = async (frame: StreamingClientFrame): Promise<void> => {
    switch (frame.type) {
      case "start":
        return start(frame);
      case "keepalive":
        return;
      case "configure": {
        const { language, endpointing_ms: endpointingMs } = frame;
        running().configure({
          ...(language === undefined ? {} : { language: languages.check(language) }),
          ...(endpointingMs === undefined ? {} : { endpointingMs }),
        });
        showsPartials = frame.interim_results ?? showsPartials;
        return connection.send({ type: "configured", ...withRef(frame.ref) });
      }
      case "finalize":
        running();
        finalizeRefs.push(frame.ref);
        return running().finalize();
      case "stop":
        stopRef = frame.ref;
        // Not waited for: pings are answered while the rest is recognised. It never rejects.
        void live.end(running(), "stop");
        return;
    }
  };

  return {
    frame: async (raw) => {
      try {
        await take(readFrame(raw));
      } catch (error) {
        throw asSpeechRefusal(error);
      }
    },
    binary: async (bytes) => {
      try {
        if (session === null) {
          throw new Refusal("bad_request", "send `start` first", { close: CLOSE.badRequest });
        }
        session.push(bytes);
      } catch (error) {
        throw asSpeechRefusal(error);
      }
    },
    drain: async (withinMs) => {
      if (session !== null) await live.end(session, "draining", withinMs);
    },
    closed: () => {
      if (session !== null) live.leave(session, show);
    },
  };
}

/** A sound that cannot be used, or recognisers that are all taken, in words for a client. */
function asSpeechRefusal(error: unknown): unknown {
  if (error instanceof UnsupportedAudio) {
    return new Refusal("unsupported_audio", error.message, { close: CLOSE.badRequest });
  }
  if (error instanceof RecognitionFull) {
    return new Refusal("overloaded", "every recogniser is taken", {
      close: CLOSE.overloaded,
      retryAfterMs: error.retryAfterMs,
    });
  }
  return error;
}
