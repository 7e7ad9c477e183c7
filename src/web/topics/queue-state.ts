import { type ReadonlySignal, signal } from "@preact/signals";
import type { Static } from "elysia";
import type { queueSchema } from "../../features/topics/model.ts";
import { readEvents } from "../parts/events.ts";
import { type Api, ApiError } from "../api.ts";

export type Queue = Static<typeof queueSchema>;

export interface FollowedQueue {
  /** Null until it is told for the first time. */
  queue: ReadonlySignal<Queue | null>;
  /** `waiting`: the line is down, and is tried again. `forbidden`: not for this person. */
  line: ReadonlySignal<"connecting" | "open" | "waiting" | "forbidden">;
  close(): void;
}

/** The server says every 15 seconds that it is there. */
const SILENT_MS_MAX = 45_000;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 30_000;

/** Follows how the queue stands, over breaks of the line. */
export function followQueue(api: Api): FollowedQueue {
  const queue = signal<Queue | null>(null);
  const line = signal<"connecting" | "open" | "waiting" | "forbidden">("connecting");
  const closed = new AbortController();
  let pauseMs = PAUSE_MS_MIN;
  let waiting: ReturnType<typeof setTimeout> | undefined;

  const follow = async (): Promise<void> => {
    const silent = new AbortController();
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => silent.abort(), SILENT_MS_MAX);
    };
    alive();
    try {
      const answer = await api.fetch("/v1/queue/events", {
        signal: AbortSignal.any([closed.signal, silent.signal]),
      });
      for await (const { event, data } of readEvents(answer.body ?? new ReadableStream(), alive)) {
        if (event !== "queue") continue;
        queue.value = JSON.parse(data) as Queue;
        line.value = "open";
        pauseMs = PAUSE_MS_MIN;
      }
    } catch (error) {
      // Anything else is a break, as the end of the stream is: it is opened again.
      if (isForbidden(error)) line.value = "forbidden";
    } finally {
      clearTimeout(silence);
    }
    if (closed.signal.aborted || line.value === "forbidden") return;
    line.value = "waiting";
    // Not all pages at the same moment.
    waiting = setTimeout(() => void follow(), pauseMs * (1 + Math.random()));
    pauseMs = Math.min(PAUSE_MS_MAX, 2 * pauseMs);
  };

  void follow();
  return {
    queue,
    line,
    close: () => {
      closed.abort();
      clearTimeout(waiting);
    },
  };
}

/** Whether the server has said that something is not for this person. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}
