import type { Static } from "@sinclair/typebox";
import type { StartFrame, transcriptionFrames } from "../features/transcription/model.ts";
import type { ErrorFrame } from "../realtime/refusal.ts";
import { type AnyFrame, type ConnectionState, type Identity, keepConnected } from "./connection.ts";

// The transcription socket for programs: sound goes in once, words come out once, over any breaks.

type Frames = typeof transcriptionFrames;
type Fields<Name extends keyof Frames> = Static<Frames[Name]>;
export type Done = Fields<"SpeechDone">;
type Ready = Fields<"SpeechReady">;

/** What comes back for sound. Finals, `processed` and `done` come once each, in order of `seq`. */
export interface CaptionsListener {
  ready?(ready: Ready): void;
  partial?(partial: Fields<"SpeechPartial">): void;
  final?(final: Fields<"SpeechFinal">): void;
  processed?(processed: Fields<"SpeechProcessed">): void;
  /** How much was taken and recognised, about once a second. */
  progress?(progress: { processedMs: number }): void;
  /** Sound that could not be kept during a long break and is not recognised. */
  lost?(ms: number): void;
  /** What the server refuses; `retryable` ones pass by themselves, others at the start end it. */
  refused?(error: ErrorFrame): void;
  /** At each change; `closed` before `stop` is an end that the server wanted. */
  state?(state: ConnectionState): void;
}

export interface CaptionsClient {
  /** The next piece: 16-bit samples of one channel. Kept until the server has it. */
  send(sound: Int16Array): void;
  /** Asks for the words so far as finals, as when somebody mutes. */
  finalize(): void;
  /** Milliseconds of sound that were given and are not recognised yet. */
  waitingMs(): number;
  /** Resolves when every word is there; null when the connection was closed before. */
  stop(): Promise<Done | null>;
  close(): void;
}

export interface CaptionsOptions extends Identity {
  /** What is sent at the start; `sample_rate` is that of the sound. */
  start: Omit<StartFrame, "type" | "ref" | "resume" | "encoding" | "channels"> & {
    sample_rate: number;
  };
  listener: CaptionsListener;
}

const SAMPLE_BYTES = 2;
/** Sound that is sent and not recognised yet; the rest waits here, below what the server takes. */
const AHEAD_MS_MAX = 30_000;
/** Sound of a break that is kept; past it the oldest is lost. */
const KEPT_MS_MAX = 600_000;
/** Bytes that the network has not taken; what comes then waits here. */
const UNSENT_BYTES_MAX = 1_000_000;
/** One frame carries so much at most. */
const FRAME_MS_MAX = 1_000;
/** What was refused for now is asked again after so long, unless the server says when. */
const AGAIN_MS = 1_000;
/** A stream that is silent is ended, unless it says that it is there. */
const KEEPALIVE_EVERY_MS = 10_000;

/** Opens a stream and keeps it, until `stop` or `close`. */
export function connectCaptions({ start, listener, ...identity }: CaptionsOptions): CaptionsClient {
  const bytesPerMs = (start.sample_rate * SAMPLE_BYTES) / 1_000;
  const bytesOf = (ms: number): number =>
    Math.floor((ms * start.sample_rate) / 1_000) * SAMPLE_BYTES;
  const pieces = createPieces(bytesOf(KEPT_MS_MAX));
  let session: { id: string; from: number } | null = null;
  let sentTo = 0;
  /** What the server has said it has, and will not lose. */
  let knownTo = 0;
  let processedTo = 0;
  let lastSeq = 0;
  let isReady = false;
  let wantsStop = false;
  let isStopSent = false;
  let isDone = false;
  const stopped = Promise.withResolvers<Done | null>();

  const pump = (): void => {
    if (!isReady) return;
    while (
      sentTo < pieces.end() &&
      sentTo - processedTo < bytesOf(AHEAD_MS_MAX) &&
      connection.unsentBytes() < UNSENT_BYTES_MAX
    ) {
      const frame = pieces.read(sentTo, bytesOf(FRAME_MS_MAX));
      connection.sendBytes(frame);
      sentTo += frame.length;
    }
    if (wantsStop && !isStopSent && sentTo === pieces.end()) {
      isStopSent = true;
      connection.send({ type: "stop" });
    }
  };

  const begin = (): void => {
    isReady = false;
    connection.send({
      type: "start",
      encoding: "pcm_s16le",
      channels: 1,
      ...start,
      ...(session !== null && { resume: { session_id: session.id, after_seq: lastSeq } }),
    });
  };

  const ready = (frame: Ready): void => {
    if (session === null || !frame.resumed) {
      // A new session counts from what the server has not got yet.
      session = { id: frame.session_id, from: Math.max(pieces.start(), knownTo) };
      lastSeq = 0;
    }
    sentTo = Math.max(pieces.start(), session.from + frame.received_bytes);
    // Unless sound was lost in between, this changes nothing.
    session.from = sentTo - frame.received_bytes;
    knownTo = sentTo;
    processedTo = Math.min(processedTo, sentTo);
    isReady = true;
    isStopSent = false;
    listener.ready?.(frame);
    pump();
  };

  const refused = (error: ErrorFrame): void => {
    if (error.code === "not_found" && session !== null) {
      // It was over before we were back: what the server had is kept, the rest begins a new one.
      session = null;
      return begin();
    }
    if (!isReady && error.retryable) {
      // Unless the server ends this connection, which brings a new try by itself.
      connection.laterHere(error.retry_after_ms ?? AGAIN_MS, begin);
    }
    listener.refused?.(error);
    // Asked again it would be refused again.
    if (!isReady && !error.retryable) connection.close();
  };

  const take = (frame: AnyFrame): void => {
    const { seq } = frame as { seq?: number };
    if (seq !== undefined) {
      if (seq <= lastSeq) return;
      lastSeq = seq;
    }
    switch (frame.type) {
      case "ready":
        return ready(frame as Ready);
      case "partial":
        return listener.partial?.(frame as Fields<"SpeechPartial">);
      case "final":
        return listener.final?.(frame as Fields<"SpeechFinal">);
      case "processed":
        return listener.processed?.(frame as Fields<"SpeechProcessed">);
      case "audio_ack":
        return acknowledged(frame as Fields<"SpeechAudioAck">);
      case "error":
        return refused(frame as ErrorFrame);
      case "done":
        return done(frame as Done);
    }
  };

  const done = (frame: Done): void => {
    // A server that stops ends the session only until it is resumed.
    if (frame.reason === "draining") return;
    isDone = wantsStop && (frame.reason === "stop" || knownTo === pieces.end());
    if (isDone) return stopped.resolve(frame);
    // It was over before we were back; what it has not got begins a new one, on a new connection.
    session = null;
    isReady = false;
  };

  const acknowledged = ({ received_ms, processed_ms }: Fields<"SpeechAudioAck">): void => {
    const from = session?.from ?? 0;
    processedTo = Math.max(processedTo, from + bytesOf(processed_ms));
    knownTo = Math.max(knownTo, from + bytesOf(received_ms));
    pieces.forget(knownTo);
    listener.progress?.({ processedMs: processedTo / bytesPerMs });
    pump();
  };

  const connection = keepConnected({
    identity,
    path: "/v1/ws/transcription",
    greeting: "ready",
    onThrough: () => begin(),
    onFrame: take,
    isDone: () => isDone,
    onBroken: (isFinal) => {
      isReady = false;
      if (isFinal) {
        clearInterval(keepalive);
        stopped.resolve(null);
      }
    },
    onState: (state) => listener.state?.(state),
  });

  const keepalive = setInterval(() => {
    if (!isReady) return;
    connection.send({ type: "keepalive" });
    pump();
  }, KEEPALIVE_EVERY_MS);

  return {
    send: (sound) => {
      if (wantsStop) return;
      const lost = pieces.add(sound);
      if (lost > 0) listener.lost?.(lost / bytesPerMs);
      pump();
    },
    finalize: () => {
      if (isReady) connection.send({ type: "finalize" });
    },
    waitingMs: () => (pieces.end() - processedTo) / bytesPerMs,
    stop: () => {
      wantsStop = true;
      pump();
      return stopped.promise;
    },
    close: connection.close,
  };
}

/** Sound as one long row of bytes of which the front is forgotten. */
interface Pieces {
  /** Where what is kept begins and ends, in bytes of the whole. */
  start(): number;
  end(): number;
  /** Answers how many bytes were lost to make room. */
  add(sound: Int16Array): number;
  read(from: number, bytesMax: number): Uint8Array<ArrayBuffer>;
  /** Lets go of what lies before. */
  forget(before: number): void;
}

function createPieces(bytesMax: number): Pieces {
  const kept: Uint8Array<ArrayBuffer>[] = [];
  let first = 0;
  let last = 0;
  const drop = (): number => {
    const bytes = kept.shift()?.length ?? 0;
    first += bytes;
    return bytes;
  };
  return {
    start: () => first,
    end: () => last,
    add: (sound) => {
      // A copy: the caller may use its piece again. Every machine that runs this is little-endian.
      const bytes = new Uint8Array(new Int16Array(sound).buffer);
      kept.push(bytes);
      last += bytes.length;
      let lost = 0;
      while (last - first > bytesMax && kept.length > 1) lost += drop();
      return lost;
    },
    read: (from, most) => {
      const frame = new Uint8Array(Math.min(most, last - from));
      let at = first;
      for (const piece of kept) {
        const skipped = Math.max(0, from - at);
        if (skipped < piece.length) {
          const into = at + skipped - from;
          if (into >= frame.length) break;
          frame.set(piece.subarray(skipped, skipped + frame.length - into), into);
        }
        at += piece.length;
      }
      return frame;
    },
    forget: (before) => {
      while (kept[0] !== undefined && first + kept[0].length <= before) drop();
    },
  };
}
