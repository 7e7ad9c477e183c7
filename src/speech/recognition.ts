import type { Log } from "../platform/log.ts";
import { type Thread, startThread } from "../platform/thread.ts";
import { type Admission, createAdmission } from "./admission.ts";
import type { EngineInfo, EngineSource } from "./engine.ts";
import type { FromSpeechWorker, RecognitionEvent, ToSpeechWorker } from "./messages.ts";
import type { StreamRequest } from "./stream.ts";

/** Runs recognisers for whoever has sound. */
export interface Recognition {
  /** Every model, the preferred ones first. */
  models: readonly EngineInfo[];
  /** The model that would listen for a language (`auto`: to whatever is spoken); null for none. */
  modelFor(language: string): EngineInfo | null;
  ready(): boolean;
  /** Resolves when the models are loaded. Rejects when that has failed several times. */
  loaded(): Promise<void>;
  /** Throws `RecognitionFull` when there is no room for another stream. */
  open(request: RecognitionRequest, tell: (event: RecognitionEvent) => void): RecognitionStream;
  /** Takes the room for a stream that is opened when its format is known. Throws `RecognitionFull`. */
  reserve(request: PlaceRequest, tell: (event: RecognitionEvent) => void): RecognitionPlace;
  close(): Promise<void>;
}

export interface PlaceRequest {
  /** A tag that `modelFor` knows, or `auto`. */
  language: string;
  /** Nobody waits for each word: it gets the time that is left, and is always taken in. */
  isPatient: boolean;
}

/** What is said of a stream's sound when it is opened. */
export interface SoundRequest extends Omit<StreamRequest, "language"> {
  language: string;
}

export interface RecognitionRequest extends SoundRequest, PlaceRequest {}

/** Room that is kept for one stream; `tell` hears of it when it is lost. */
export interface RecognitionPlace {
  /** Once. */
  open(request: SoundRequest): RecognitionStream;
  /** Instead of opening it. */
  leave(): void;
}

/** The sound of one speaker. */
export interface RecognitionStream {
  push(bytes: Uint8Array): void;
  /** Asks for the words so far as a final; answered by `cut`. */
  cut(): void;
  configure(change: { endpointingMs?: number; language?: string }): void;
  /** There is no more sound; answered by `ended`. */
  end(): void;
  /** As `end`, without the sound that waits: for when time runs out. */
  endNow(): void;
  /** Forgets the stream; nothing more comes. */
  drop(): void;
}

/** There is no room for another stream now. */
export class RecognitionFull extends Error {
  override name = "RecognitionFull";
  readonly retryAfterMs = RETRY_AFTER_MS;
}

/** A model and how to load it. */
export interface SpeechModel {
  source: EngineSource;
  info: EngineInfo;
}

export interface RecognitionDependencies {
  spawn(): Worker;
  workers: number;
  /** The preferred ones first. */
  models: readonly SpeechModel[];
  log: Log;
}

/** By then somebody may have stopped speaking. */
const RETRY_AFTER_MS = 5_000;
/** Streams of one worker; each keeps its recogniser's memory, silent or not. */
const STREAMS_PER_WORKER_MAX = 50;
/** A stop waits so long for a model that is being loaded. */
const LOADING_MS_MAX = 5_000;
/** After so many failures whoever waits for the model is told; loading goes on being tried. */
const LOAD_FAILURES_MAX = 3;

type AboutStream = Extract<FromSpeechWorker, { stream: number }>;

interface Member {
  thread: Thread<ToSpeechWorker>;
  isLoaded: boolean;
  streams: Map<number, (event: RecognitionEvent) => void>;
  admission: Admission;
}

/** Runs recognisers in worker threads. One loads the models, the others share what can be shared. */
export function createRecognition(dependencies: RecognitionDependencies): Recognition {
  const { spawn, workers, models, log } = dependencies;
  const infos = models.map(({ info }) => info);
  const members: Member[] = [];
  let streams = 0;
  let addresses: readonly (number | null)[] | null = null;
  let loader: Member | null = null;
  let loadFailures = 0;
  const loading = Promise.withResolvers<void>();
  // Most owners ask `ready` and never wait for this.
  loading.promise.catch(() => {});

  const load = (): void => {
    const sources = models.map(({ source }) => source);
    for (const member of members) {
      if (member.isLoaded || !member.thread.ready()) continue;
      if (addresses === null) {
        if (loader !== null) return;
        loader = member;
      }
      member.thread.post({ type: "load", sources, models: addresses });
    }
  };

  const receive = (member: Member, message: FromSpeechWorker): void => {
    switch (message.type) {
      case "loaded":
        member.isLoaded = true;
        if (addresses === null) log.info({ models: infos }, "the speech models are loaded");
        addresses = message.models;
        loader = null;
        loading.resolve();
        return load();
      case "cost":
        return member.admission.charge(message.engine, message.msPerBlock);
      default:
        return pass(member, message);
    }
  };

  const pass = (member: Member, message: AboutStream): void => {
    const { stream, ...event } = message;
    const tell = member.streams.get(stream);
    if (event.type === "ended" || event.type === "failed") leave(member, stream);
    tell?.(event.type === "event" ? event.event : event);
  };

  const leave = (member: Member, stream: number): void => {
    member.streams.delete(stream);
    member.admission.leave(stream);
  };

  const bury = (member: Member): void => {
    member.isLoaded = false;
    if (loader === member) {
      loader = null;
      if (++loadFailures === LOAD_FAILURES_MAX) {
        loading.reject(new Error("the speech models could not be loaded"));
      }
    }
    const lost = [...member.streams.entries()];
    for (const [stream] of lost) leave(member, stream);
    const failure = { kind: "engine", message: "the worker ended" } as const;
    for (const [, tell] of lost) tell({ type: "failed", failure });
  };

  for (let i = 0; i < workers; i++) {
    const member: Member = {
      isLoaded: false,
      streams: new Map(),
      admission: createAdmission(performance.now.bind(performance)),
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

  /** The model for a language and what to tell it; -1 when none knows it. */
  const choose = (language: string): { engine: number; language: string | null } => {
    const isAny = language === "auto";
    const engine = infos.findIndex(
      ({ languages }) => isAny || languages.length === 0 || languages.includes(language),
    );
    return { engine, language: isAny ? null : language };
  };

  const memberFor = (engine: number, isPatient: boolean): Member => {
    const open = members.filter((one) => one.isLoaded && one.streams.size < STREAMS_PER_WORKER_MAX);
    const [member] = open.sort((a, b) => a.admission.load() - b.admission.load());
    if (member === undefined || !(isPatient || member.admission.hasRoom(engine))) {
      throw new RecognitionFull("no recogniser is free");
    }
    return member;
  };

  const reserve: Recognition["reserve"] = ({ language: expected, isPatient }, tell) => {
    const member = memberFor(choose(expected).engine, isPatient);
    const stream = ++streams;
    const enter = (engine: number): void => {
      if (!isPatient) member.admission.enter(stream, engine);
    };
    member.streams.set(stream, tell);
    enter(choose(expected).engine);
    const post = (message: ToSpeechWorker): void => {
      if (member.streams.has(stream)) member.thread.post(message);
    };
    return {
      leave: () => leave(member, stream),
      open: ({ language: asked, ...request }) => {
        const { engine, language } = choose(asked);
        enter(engine);
        post({ type: "open", stream, engine, language, isPatient, ...request });
        return {
          push: (bytes) => {
            member.admission.hear(stream);
            post({ type: "audio", stream, bytes });
          },
          cut: () => post({ type: "cut", stream }),
          configure: ({ endpointingMs = null, language: other }) => {
            const chosen = other === undefined ? { engine: null, language: null } : choose(other);
            post({ type: "configure", stream, endpointingMs, ...chosen });
          },
          end: () => post({ type: "end", stream, isNow: false }),
          endNow: () => post({ type: "end", stream, isNow: true }),
          drop: () => {
            post({ type: "drop", stream });
            leave(member, stream);
          },
        };
      },
    };
  };

  return {
    models: infos,
    modelFor: (language) => infos[choose(language).engine] ?? null,
    ready: () => members.some((member) => member.isLoaded),
    loaded: () => loading.promise,
    open: ({ isPatient, ...request }, tell) =>
      reserve({ language: request.language, isPatient }, tell).open(request),
    reserve,
    close: async () => {
      // A worker that is ended while it loads would leave its temporary folder behind.
      if (loader !== null) await Promise.race([loading.promise, Bun.sleep(LOADING_MS_MAX)]);
      for (const member of members) member.thread.stop();
    },
  };
}
