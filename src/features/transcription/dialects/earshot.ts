import { type Connection, type Protocol, withRef } from "../../../realtime/connection.ts";
import { createFrameReader } from "../../../realtime/frames.ts";
import { CLOSE, type Ref, Refusal } from "../../../realtime/refusal.ts";
import type { Encoding } from "../../../speech/audio.ts";
import type { HeardWord } from "../../../speech/engine.ts";
import type { LiveTranscriptions, OpenedSession } from "../live.ts";
import { type StartFrame, type StreamingClientFrame, streamingClientFrames } from "../model.ts";
import { type Session, type SessionEvent, asSpeechRefusal } from "../session.ts";
import { AUDIO_QUEUE_MS_MAX } from "../sound-input.ts";

export interface StreamingDependencies {
  live: LiveTranscriptions;
  limits: Record<string, number>;
}

const readFrame = createFrameReader(streamingClientFrames);
const RATE_HZ = 16_000;

/** The streaming dialect: `start`, sound, `stop`, and words in between. */
export function openStreaming(
  connection: Connection,
  { live, limits }: StreamingDependencies,
): Protocol {
  let session: Session | null = null;
  let showsPartials = true;
  let showsWords = true;
  let stopRef: Ref | undefined;
  const finalizeRefs: (Ref | undefined)[] = [];

  const start = async (frame: StartFrame): Promise<void> => {
    if (session !== null) throw new Refusal("bad_request", "this socket has a stream already");
    if (frame.resume !== undefined) {
      throw new Refusal("not_found", "that session is over; start a new one");
    }
    showsPartials = frame.interim_results ?? true;
    showsWords = frame.words ?? true;
    const { encoding = "pcm_s16le", sample_rate: sampleRate = RATE_HZ, channels = 1 } = frame;
    const opened = await live.open({
      caller: connection.visitor.caller,
      userId: frame.user_id ?? null,
      language: frame.language ?? "auto",
      format: encoding === "wav" ? "wav" : { encoding: encoding as Encoding, sampleRate, channels },
      room: frame.room ?? null,
      store: frame.store ?? true,
      title: frame.title ?? null,
      tell: (event) => show(event),
    });
    session = opened.session;
    connection.send(readyFrame(opened, frame.ref));
    if (frame.endpointing_ms !== undefined) warnOfEndpointing();
  };

  const readyFrame = ({ session, info }: OpenedSession, ref: Ref | undefined): object => {
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
      resumed: false,
      received_bytes: 0,
      ...withRef(ref),
    };
  };

  const warnOfEndpointing = (): void => {
    connection.send({
      type: "warning",
      code: "bad_request",
      message: "this engine ends utterances by its own rules; endpointing_ms has no effect",
    });
  };

  const show = (event: SessionEvent): void => {
    if (event.type === "failed") return connection.refuse(event.refusal);
    if (event.type === "partial" && !showsPartials) return;
    const ref =
      event.type === "finalized"
        ? finalizeRefs.shift()
        : event.type === "done"
          ? stopRef
          : undefined;
    connection.send({ ...frameOf(event, session, showsWords), ...withRef(ref) });
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
      case "configure":
        running();
        if (frame.language !== undefined) live.checkLanguage(frame.language);
        showsPartials = frame.interim_results ?? showsPartials;
        connection.send({ type: "configured", ...withRef(frame.ref) });
        if (frame.endpointing_ms !== undefined) warnOfEndpointing();
        return;
      case "finalize":
        running();
        finalizeRefs.push(frame.ref);
        return running().finalize();
      case "stop":
        stopRef = frame.ref;
        // Not waited for: pings are answered while the rest is recognised.
        void finish(running());
        return;
    }
  };

  /** Never rejects: the session tells of its own failures. */
  const finish = async (running: Session): Promise<void> => {
    await running.end("stop");
    connection.close(CLOSE.done);
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
    drain: async (withinMs) => session?.end("draining", withinMs),
    closed: async () => session?.end("disconnected"),
  };
}

/** What is told to the client for an event; the shapes are those of `transcriptionFrames`. */
function frameOf(
  event: Exclude<SessionEvent, { type: "failed" }>,
  session: Session | null,
  showsWords: boolean,
): object {
  switch (event.type) {
    case "partial":
      return {
        type: "partial",
        segment_id: event.segmentId,
        text: event.text,
        stable_chars: event.stableChars,
        start_ms: event.startMs,
        end_ms: event.endMs,
      };
    case "final": {
      const { segmentId, seq, text, startMs, endMs, language, confidence, words } = event.segment;
      return {
        type: "final",
        segment_id: segmentId,
        seq,
        text,
        start_ms: startMs,
        end_ms: endMs,
        language,
        confidence,
        ...(showsWords ? { words: words.map(wordFrame) } : {}),
        from_finalize: event.fromFinalize,
      };
    }
    case "finalized":
      return { type: "finalized", seq: event.seq };
    case "processed":
      return {
        type: "processed",
        seq: event.seq,
        segment_ids: [event.segmentId],
        text: event.text,
        word_count: event.wordCount,
        entities: [],
      };
    case "ack":
      return {
        type: "audio_ack",
        received_ms: event.receivedMs,
        processed_ms: event.processedMs,
        queued_ms: event.queuedMs,
      };
    case "done":
      return {
        type: "done",
        seq: event.seq,
        transcription_id: session?.transcriptionId ?? null,
        duration_ms: event.durationMs,
        word_count: event.wordCount,
        segments: event.segments,
        reason: event.reason,
      };
  }
}

function wordFrame({ word, startMs, endMs, confidence }: HeardWord): object {
  return { word, start_ms: startMs, end_ms: endMs, confidence };
}
