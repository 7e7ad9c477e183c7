import type { Log } from "./log.ts";
import { isSpanNotice } from "./traces.worker.ts";
import { createTrouble } from "./trouble.ts";

/** What every worker may say beside its own answers. */
export type ThreadNotice =
  | { type: "ready" }
  | {
      type: "log";
      level: "info" | "warn" | "error";
      fields: Record<string, unknown>;
      message: string;
    };

/** A worker thread that is started again whenever it ends without having been asked to. */
export interface Thread<In> {
  /** False while it starts; `post` must not be called then. */
  ready(): boolean;
  post(message: In): void;
  /** Ends a worker that hangs; it is started again. */
  kill(): void;
  stop(): void;
}

export interface ThreadDependencies<Out> {
  spawn(): Worker;
  log: Log;
  onReady(): void;
  onMessage(message: Out): void;
  /** The worker is gone, with everything it was doing. */
  onDeath(): void;
}

const RESTART_MS_MIN = 50;
const RESTART_MS_MAX = 5_000;
/** A worker that has run for so long has recovered; its next restart is quick again. */
const STABLE_MS = 30_000;

/** Starts a worker and keeps it running. Its log lines go to `log`. */
export function startThread<In, Out>(dependencies: ThreadDependencies<Out>): Thread<In> {
  const { spawn, log, onReady, onMessage, onDeath } = dependencies;
  let worker: Worker | null = null;
  let isReady = false;
  let stopped = false;
  let restartMs = RESTART_MS_MIN;
  let restarting: ReturnType<typeof setTimeout> | null = null;
  const trouble = createTrouble({ log, level: "error" });

  const start = (): void => {
    restarting = null;
    const startedAt = performance.now();
    const current = spawn();
    worker = current;
    current.addEventListener("message", ({ data }: MessageEvent<Out | ThreadNotice>) => {
      // Whoever collects spans listens for them.
      if (worker !== current || isSpanNotice(data)) return;
      if (!isNotice(data)) return onMessage(data);
      if (data.type === "log") return log[data.level](data.fields, data.message);
      isReady = true;
      onReady();
    });
    current.addEventListener("error", ({ message }) => ended(current, startedAt, message));
    // A rejection that nobody handled ends a worker with code 0, so every end counts.
    current.addEventListener("close", () => ended(current, startedAt, null));
  };

  const ended = (which: Worker, startedAt: number, error: string | null): void => {
    if (worker !== which) return;
    worker = null;
    isReady = false;
    which.terminate();
    if (stopped) return;
    const wasStable = performance.now() - startedAt > STABLE_MS;
    restartMs = wasStable ? RESTART_MS_MIN : Math.min(restartMs * 2, RESTART_MS_MAX);
    if (wasStable) trouble.end("a worker that was started again has run for a while");
    trouble.begin(
      { ...(error !== null && { error: reasonIn(error) }), restart_ms: restartMs },
      "a worker ended and is started again",
    );
    restarting = setTimeout(start, restartMs);
    onDeath();
  };

  start();
  return {
    ready: () => isReady,
    post: (message) => worker?.postMessage(message),
    kill: () => worker?.terminate(),
    stop: () => {
      stopped = true;
      isReady = false;
      if (restarting !== null) clearTimeout(restarting);
      worker?.terminate();
    },
  };
}

/** What an error that ended a worker says, without the piece of the program that Bun shows before it. */
function reasonIn(error: string): string {
  const lines = error.split("\n").map((line) => line.trim());
  const caret = lines.indexOf("^");
  return (lines[caret + 1] ?? error).replace(/^error: /, "");
}

function isNotice(message: unknown): message is ThreadNotice {
  return (
    typeof message === "object" &&
    message !== null &&
    "type" in message &&
    (message.type === "ready" || message.type === "log")
  );
}
