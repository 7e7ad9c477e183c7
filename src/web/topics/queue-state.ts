import { type ReadonlySignal, signal } from "@preact/signals";
import type { Static } from "elysia";
import type { queueSchema } from "../../features/topics/model.ts";
import { readEvents } from "./events.ts";
import type { KeyedFetch } from "./keyed.ts";

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
export function followQueue(ask: KeyedFetch): FollowedQueue {
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
      const answer = await ask("/v1/queue/events", {
        signal: AbortSignal.any([closed.signal, silent.signal]),
      });
      if (answer.status === 401 || answer.status === 403) {
        line.value = "forbidden";
        return;
      }
      if (!answer.ok || answer.body === null) throw new Error(`the server said ${answer.status}`);
      for await (const { event, data } of readEvents(answer.body, alive)) {
        if (event !== "queue") continue;
        queue.value = JSON.parse(data) as Queue;
        line.value = "open";
        pauseMs = PAUSE_MS_MIN;
      }
    } catch {
      // A break, as the end of the stream is: it is opened again.
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
