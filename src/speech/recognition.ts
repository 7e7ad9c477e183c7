import type { Log } from "../platform/log.ts";
import { type Thread, startThread } from "../platform/thread.ts";
import type { AudioFormat } from "./audio.ts";
import type { EngineInfo, EngineSource } from "./engine.ts";
import type { StreamEvent } from "./stream.ts";

export type ToSpeechWorker =
  /** `model` is where another worker of this process has loaded it; null to load it. */
  | { type: "load"; source: EngineSource; model: number | null }
  | { type: "open"; stream: number; format: AudioFormat }
  | { type: "audio"; stream: number; bytes: Uint8Array }
  | { type: "cut"; stream: number }
  /** `isNow`: without the sound that waits. */
  | { type: "end"; stream: number; isNow: boolean }
  | { type: "drop"; stream: number };

export type FromSpeechWorker =
  | { type: "loaded"; model: number }
  | { type: "event"; stream: number; event: StreamEvent }
  | { type: "cut"; stream: number }
  | { type: "ended"; stream: number }
  | { type: "failed"; stream: number };

/** What a stream tells its owner. After `ended` or `failed` nothing more comes. */
export type RecognitionEvent =
  | StreamEvent
  /** The answer to `cut`, after its final. */
  | { type: "cut" }
  | { type: "ended" }
  /** The recogniser is gone; what it had not told is lost. */
  | { type: "failed" };

export interface Recognition {
  info: EngineInfo;
  ready(): boolean;
  /** Resolves when the model is loaded. Rejects when that has failed several times. */
  loaded(): Promise<void>;
  /** Throws `RecognitionFull` when no worker can take another stream. */
  open(format: AudioFormat, tell: (event: RecognitionEvent) => void): RecognitionStream;
  close(): Promise<void>;
}

/** The sound of one speaker. */
export interface RecognitionStream {
  push(bytes: Uint8Array): void;
  /** Asks for the words so far as a final; answered by `cut`. */
  cut(): void;
  /** There is no more sound; answered by `ended`. */
  end(): void;
  /** As `end`, without the sound that waits: for when time runs out. */
  endNow(): void;
  /** Forgets the stream; nothing more comes. */
  drop(): void;
}

export class RecognitionFull extends Error {
  override name = "RecognitionFull";
}

export interface RecognitionDependencies {
  spawn(): Worker;
  workers: number;
  source: EngineSource;
  info: EngineInfo;
  log: Log;
}

/** Streams of one worker; each keeps its recogniser's memory, and all share the worker's time. */
const STREAMS_PER_WORKER_MAX = 50;
/** A stop waits so long for a model that is being loaded. */
const LOADING_MS_MAX = 5_000;
/** After so many failures whoever waits for the model is told; loading goes on being tried. */
const LOAD_FAILURES_MAX = 3;

interface Member {
  thread: Thread<ToSpeechWorker>;
  isLoaded: boolean;
  streams: Map<number, (event: RecognitionEvent) => void>;
}

/** Runs recognisers in worker threads. One loads the model, the others share it. */
export function createRecognition(dependencies: RecognitionDependencies): Recognition {
  const { spawn, workers, source, info, log } = dependencies;
  const members: Member[] = [];
  let streams = 0;
  let model: number | null = null;
  let loader: Member | null = null;
  let loadFailures = 0;
  const loading = Promise.withResolvers<void>();
  // Most owners ask `ready` and never wait for this.
  loading.promise.catch(() => {});

  const load = (): void => {
    for (const member of members) {
      if (member.isLoaded || !member.thread.ready()) continue;
      if (model === null) {
        if (loader !== null) return;
        loader = member;
      }
      member.thread.post({ type: "load", source, model });
    }
  };

  const receive = (member: Member, message: FromSpeechWorker): void => {
    if (message.type === "loaded") {
      member.isLoaded = true;
      if (model === null)
        log.info({ engine: info.engine, model: info.model }, "the speech model is loaded");
      model = message.model;
      loader = null;
      loading.resolve();
      return load();
    }
    const tell = member.streams.get(message.stream);
    if (message.type === "ended" || message.type === "failed")
      member.streams.delete(message.stream);
    tell?.(message.type === "event" ? message.event : { type: message.type });
  };

  const bury = (member: Member): void => {
    member.isLoaded = false;
    if (loader === member) {
      loader = null;
      if (++loadFailures === LOAD_FAILURES_MAX) {
        loading.reject(new Error("the speech model could not be loaded"));
      }
    }
    const lost = [...member.streams.values()];
    member.streams.clear();
    for (const tell of lost) tell({ type: "failed" });
  };

  for (let i = 0; i < workers; i++) {
    const member: Member = {
      isLoaded: false,
      streams: new Map(),
      thread: startThread<ToSpeechWorker, FromSpeechWorker>({
        spawn,
        log,
        onReady: load,
        onMessage: (message) => receive(member, message),
        onDeath: () => bury(member),
      }),
    };
    members.push(member);
  }
  load();

  return {
    info,
    ready: () => members.some((member) => member.isLoaded),
    loaded: () => loading.promise,
    open: (format, tell) => {
      const member = members
        .filter((one) => one.isLoaded && one.streams.size < STREAMS_PER_WORKER_MAX)
        .sort((a, b) => a.streams.size - b.streams.size)[0];
      if (member === undefined) throw new RecognitionFull("no recogniser is free");
      const stream = ++streams;
      member.streams.set(stream, tell);
      member.thread.post({ type: "open", stream, format });
      const post = (message: ToSpeechWorker): void => {
        if (member.streams.has(stream)) member.thread.post(message);
      };
      return {
        push: (bytes) => post({ type: "audio", stream, bytes }),
        cut: () => post({ type: "cut", stream }),
        end: () => post({ type: "end", stream, isNow: false }),
        endNow: () => post({ type: "end", stream, isNow: true }),
        drop: () => {
          post({ type: "drop", stream });
          member.streams.delete(stream);
        },
      };
    },
    close: async () => {
      // A worker that is ended while it loads would leave its temporary folder behind.
      if (loader !== null) await Promise.race([loading.promise, Bun.sleep(LOADING_MS_MAX)]);
      for (const member of members) member.thread.stop();
    },
  };
}
