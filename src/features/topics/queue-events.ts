import type { Caller, KeyCaller } from "../../http/caller.ts";
import { openEvents } from "../../http/events.ts";
import { Problem } from "../../http/problem.ts";
import type { QueueState } from "./model.ts";
import type { QueueService } from "./queue.ts";

/** Streams at once; more are refused. */
const STREAMS_MAX = 100;
/** And of one caller's: a program that forgets to close its own must leave places to others. */
const CALLER_STREAMS_MAX = 10;
/** One that is not read is told nothing more until it is. */
const WAITING_EVENTS_MAX = 8;
const RETRY_MS = 10_000;

/** Streams of server-sent events that say how the queue stands: at once, then whenever it moves. */
export function createQueueEvents(
  queue: Pick<QueueService, "state" | "follow">,
  toJson: (state: QueueState) => object,
): { open(caller: Caller | KeyCaller): Promise<Response>; close(): void } {
  /** What ends each stream, and whose it is. */
  const open = new Map<() => void, number>();

  return {
    open: async ({ userId }) => {
      const first = await queue.state();
      // From here to where the stream is noted nothing else can come in between.
      if (open.size >= STREAMS_MAX) {
        throw new Problem("rate_limited", "Too many follow the queue", { retryAfterMs: RETRY_MS });
      }
      if ([...open.values()].filter((one) => one === userId).length >= CALLER_STREAMS_MAX) {
        throw new Problem("rate_limited", "You follow the queue often enough", {
          retryAfterMs: RETRY_MS,
        });
      }
      let told = "";
      const tell = (state: QueueState): void => {
        // That the oldest post grows older is no news.
        const moved = JSON.stringify(toJson({ ...state, oldestAgeMs: null }));
        if (moved !== told && stream.tell("queue", toJson(state))) told = moved;
      };
      const forget = (): void => {
        unfollow();
        open.delete(end);
      };
      const end = (): void => {
        forget();
        stream.end();
      };
      const stream = openEvents({ waitingMax: WAITING_EVENTS_MAX, onLeave: forget });
      tell(first);
      const unfollow = queue.follow(tell);
      open.set(end, userId);
      return stream.response;
    },
    close: () => {
      for (const end of open.keys()) end();
    },
  };
}
