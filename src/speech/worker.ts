import { tellLog, tellReady } from "../platform/worker-side.ts";
import type { Engine } from "./engine.ts";
import type { FromSpeechWorker, ToSpeechWorker } from "./recognition.ts";
import { type SoundStream, openSoundStream } from "./stream.ts";
import { loadVoskModel, openVosk } from "./vosk.ts";

declare const self: Worker;

interface OpenStream {
  /** Null until it is open; what is asked of it meanwhile waits. */
  sound: SoundStream | null;
  waiting: ToSpeechWorker[];
}

/** How long the streams are worked on before messages are heard again. */
const ROUND_MS = 20;

const streams = new Map<number, OpenStream>();
let engine: Engine | null = null;
let isScheduled = false;

self.addEventListener("message", ({ data }: MessageEvent<ToSpeechWorker>) => {
  switch (data.type) {
    case "load": {
      const model = data.model ?? loadVoskModel(data.source);
      engine = openVosk(data.source, model);
      tell({ type: "loaded", model });
      return;
    }
    case "open":
      streams.set(data.stream, { sound: null, waiting: [] });
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
async function open({ stream, format }: ToSpeechWorker & { type: "open" }): Promise<void> {
  try {
    if (engine === null) throw new Error("no engine is loaded");
    const sound = await openSoundStream(format, engine.open(), (event) =>
      tell({ type: "event", stream, event }),
    );
    const entry = streams.get(stream);
    if (entry === undefined) return sound.free();
    entry.sound = sound;
    work();
  } catch (error) {
    fail(stream, error);
  }
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
    hasMore = false;
    for (const [stream, entry] of streams) {
      try {
        hasMore = advance(stream, entry) || hasMore;
      } catch (error) {
        fail(stream, error);
      }
    }
  } while (hasMore && performance.now() < until);
  if (!hasMore) return;
  isScheduled = true;
  // A timer, because immediates in a row keep a worker from hearing its messages.
  setTimeout(() => {
    isScheduled = false;
    work();
  }, 0);
}

/** One block, or the next thing that was asked for. False when the stream has nothing to do. */
function advance(stream: number, { sound, waiting }: OpenStream): boolean {
  if (sound === null) return false;
  if (sound.step()) return true;
  const next = waiting.shift();
  switch (next?.type) {
    case "audio":
      sound.push(next.bytes);
      break;
    case "cut":
      sound.cut();
      tell({ type: "cut", stream });
      break;
    case "end":
      sound.end();
      sound.free();
      streams.delete(stream);
      tell({ type: "ended", stream });
      break;
    default:
  }
  return next !== undefined;
}

function fail(stream: number, error: unknown): void {
  streams.get(stream)?.sound?.free();
  streams.delete(stream);
  const message = error instanceof Error ? error.message : String(error);
  tellLog("error", { error: message }, "a stream of sound failed");
  tell({ type: "failed", stream });
}

function tell(message: FromSpeechWorker): void {
  self.postMessage(message);
}
