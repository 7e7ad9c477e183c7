import { tellLog, tellReady } from "../platform/worker-side.ts";
import { UnsupportedAudio } from "./audio.ts";
import { type Engine, ServiceFailed } from "./engine.ts";
import { type LoadedModel, loadEngine } from "./load.ts";
import type { FromSpeechWorker, StreamFailure, ToSpeechWorker } from "./messages.ts";
import { type SoundStream, openSoundStream } from "./stream.ts";

declare const self: Worker;

interface OpenStream {
  id: number;
  /** Null until it is open; what is asked of it meanwhile waits. */
  sound: SoundStream | null;
  waiting: ToSpeechWorker[];
  /** It waits for something that is not computed here. */
  isBusy: boolean;
  /** Nobody listens while it is spoken: it gets the time that the others leave. */
  isPatient: boolean;
}

/** How long the streams are worked on before messages are heard again. */
const ROUND_MS = 20;
/** How often the cost of a block is told. */
const COST_EVERY_BLOCKS = 20;

const streams = new Map<number, OpenStream>();
const costs = new Map<Engine, { ms: number; blocks: number }>();
let engines: Engine[] = [];
let isScheduled = false;

self.addEventListener("message", ({ data }: MessageEvent<ToSpeechWorker>) => {
  switch (data.type) {
    case "load":
      void load(data);
      return;
    case "open":
      void open(data);
      return;
    case "drop":
      streams.get(data.stream)?.sound?.free();
      streams.delete(data.stream);
      return;
    default:
      ask(data);
  }
});
tellReady();

/** A model that cannot be loaded ends the worker: its owner decides how often that is tried. */
async function load({ sources, models }: ToSpeechWorker & { type: "load" }): Promise<void> {
  const loaded: LoadedModel[] = [];
  for (const [at, source] of sources.entries()) loaded.push(await loadEngine(source, models?.[at]));
  engines = loaded.map(({ engine }) => engine);
  tell({ type: "loaded", models: loaded.map(({ address }) => address) });
}

function ask(message: ToSpeechWorker & { stream: number }): void {
  const entry = streams.get(message.stream);
  if (entry === undefined) return;
  if (message.type === "end" && message.isNow) {
    entry.waiting.length = 0;
    entry.sound?.forget();
  }
  entry.waiting.push(message);
  work();
}

/** Never rejects: a stream that cannot be opened fails alone. */
async function open(message: ToSpeechWorker & { type: "open" }): Promise<void> {
  const { stream: id, engine: index, isPatient, ...request } = message;
  const entry: OpenStream = { id, sound: null, waiting: [], isBusy: false, isPatient };
  streams.set(id, entry);
  try {
    const sound = await openSoundStream(
      engineAt(index),
      request,
      (event) => tell({ type: "event", stream: id, event }),
      (error) => fail(entry, error),
    );
    if (streams.get(id) !== entry) return sound.free();
    entry.sound = sound;
    work();
  } catch (error) {
    fail(entry, error);
  }
}

function engineAt(index: number): Engine {
  const engine = engines[index];
  if (engine === undefined) throw new Error("no such engine is loaded");
  return engine;
}

/**
 * Gives every stream one block in turn, and lets new messages in between rounds, so that a client
 * that sends an hour of sound at once does not hold up those who speak now.
 */
function work(): void {
  if (isScheduled) return;
  const until = performance.now() + ROUND_MS;
  let hasMore: boolean;
  do {
    hasMore = workRound(false) || workRound(true);
  } while (hasMore && performance.now() < until);
  if (!hasMore) return;
  isScheduled = true;
  // A timer, because immediates in a row keep a worker from hearing its messages.
  setTimeout(() => {
    isScheduled = false;
    work();
  }, 0);
}

/** One block, or the next thing that was asked for, of each stream. False when none has any. */
function workRound(isPatient: boolean): boolean {
  const accepted = new Map<Engine, OpenStream[]>();
  let hasMore = false;
  for (const entry of streams.values()) {
    if (entry.isPatient !== isPatient || entry.sound === null || entry.isBusy) continue;
    try {
      hasMore = advance(entry, entry.sound, accepted) || hasMore;
    } catch (error) {
      fail(entry, error);
    }
  }
  for (const [engine, entries] of accepted) decode(engine, entries);
  return hasMore;
}

function advance(
  entry: OpenStream,
  sound: SoundStream,
  accepted: Map<Engine, OpenStream[]>,
): boolean {
  const waits = sound.wait();
  if (waits !== null) {
    hold(entry, waits);
    return true;
  }
  const startedAt = performance.now();
  if (sound.accept()) {
    charge(sound.engine, performance.now() - startedAt, 1);
    const others = accepted.get(sound.engine);
    if (others === undefined) accepted.set(sound.engine, [entry]);
    else others.push(entry);
    return true;
  }
  const decoding = sound.decodeMore();
  if (decoding !== null) {
    hold(entry, decoding);
    return true;
  }
  const next = entry.waiting.shift();
  if (next === undefined) return false;
  hold(entry, answer(entry, sound, next));
  return true;
}

/** What all of them have accepted is decoded together, where the engine can. */
function decode(engine: Engine, entries: readonly OpenStream[]): void {
  const startedAt = performance.now();
  try {
    if (engine.kind === "streaming") engine.decode();
  } catch (error) {
    for (const entry of entries) fail(entry, error);
  }
  for (const entry of entries) {
    try {
      if (streams.get(entry.id) === entry) entry.sound?.collect();
    } catch (error) {
      fail(entry, error);
    }
  }
  charge(engine, performance.now() - startedAt, 0);
}

/** Adds to what the engine's blocks have cost, and tells it now and then. */
function charge(engine: Engine, ms: number, blocks: number): void {
  const cost = costs.get(engine) ?? { ms: 0, blocks: 0 };
  costs.set(engine, cost);
  cost.ms += ms;
  cost.blocks += blocks;
  if (cost.blocks < COST_EVERY_BLOCKS) return;
  tell({ type: "cost", engine: engines.indexOf(engine), msPerBlock: cost.ms / cost.blocks });
  costs.delete(engine);
}

/** Lets the stream rest until `done`; the others go on. */
function hold(entry: OpenStream, done: Promise<void>): void {
  entry.isBusy = true;
  done.then(
    () => {
      entry.isBusy = false;
      work();
    },
    (error: unknown) => fail(entry, error),
  );
}

async function answer(
  entry: OpenStream,
  sound: SoundStream,
  message: ToSpeechWorker,
): Promise<void> {
  const stream = entry.id;
  switch (message.type) {
    case "audio":
      await sound.push(message.bytes);
      return tell({ type: "taken", stream, bytes: message.bytes.length });
    case "cut":
      await sound.cut();
      return isOpen(entry) ? tell({ type: "cut", stream }) : undefined;
    case "configure":
      if (message.endpointingMs !== null) sound.setEndpointing(message.endpointingMs);
      if (message.engine !== null) await sound.change(engineAt(message.engine), message.language);
      return;
    case "end":
      await sound.end();
      if (!isOpen(entry)) return;
      sound.free();
      streams.delete(stream);
      return tell({ type: "ended", stream });
    default:
  }
}

function isOpen(entry: OpenStream): boolean {
  return streams.get(entry.id) === entry;
}

function fail(entry: OpenStream, error: unknown): void {
  if (!isOpen(entry)) return;
  streams.delete(entry.id);
  entry.sound?.free();
  const failure = failureOf(error);
  if (failure.kind === "engine") {
    tellLog("error", { error: failure.message }, "a stream of sound failed");
  }
  tell({ type: "failed", stream: entry.id, failure });
}

function failureOf(error: unknown): StreamFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UnsupportedAudio) return { kind: "audio", message };
  if (!(error instanceof ServiceFailed)) return { kind: "engine", message };
  const { isPassing, retryAfterMs } = error;
  return { kind: "service", message, isPassing, retryAfterMs };
}

function tell(message: FromSpeechWorker): void {
  self.postMessage(message);
}
