import { Problem } from "../../http/problem.ts";
import type { QueueState } from "./model.ts";
import type { QueueService } from "./queue.ts";

/** Streams at once; more are refused. */
const STREAMS_MAX = 100;
/** One that is not read is told nothing more until it is. */
const WAITING_EVENTS_MAX = 8;
/** A proxy ends a connection that is silent for a minute. */
const SILENT_MS_MAX = 15_000;
const RETRY_MS = 10_000;

/** Streams of server-sent events that say how the queue stands: at once, then whenever it moves. */
export function createQueueEvents(
  queue: Pick<QueueService, "state" | "follow">,
  toJson: (state: QueueState) => object,
): { open(): Promise<Response>; close(): void } {
  const open = new Set<() => void>();

  return {
    open: async () => {
      const first = await queue.state();
      // From here to where the stream is noted nothing else can come in between.
      if (open.size >= STREAMS_MAX) {
        throw new Problem("rate_limited", "Too many follow the queue", { retryAfterMs: RETRY_MS });
      }
      const encoder = new TextEncoder();
      let unfollow = (): void => undefined;
      let end = (): void => undefined;
      const body = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            let told = "";
            let toldAt = 0;
            /** False for a stream that is not read; it is told later. */
            const send = (text: string): boolean => {
              if ((controller.desiredSize ?? 0) <= 0) return false;
              toldAt = performance.now();
              controller.enqueue(encoder.encode(text));
              return true;
            };
            const tell = (state: QueueState): void => {
              const { oldest_age_ms: _, ...moved } = toJson(state) as { oldest_age_ms?: unknown };
              const data = JSON.stringify(moved);
              if (data === told) {
                if (performance.now() - toldAt > SILENT_MS_MAX) send(": still here\n\n");
              } else if (send(`event: queue\ndata: ${JSON.stringify(toJson(state))}\n\n`)) {
                told = data;
              }
            };
            tell(first);
            unfollow = queue.follow(tell);
            end = () => {
              unfollow();
              open.delete(end);
              controller.close();
            };
            open.add(end);
          },
          cancel: () => {
            unfollow();
            open.delete(end);
          },
        },
        { highWaterMark: WAITING_EVENTS_MAX },
      );
      return new Response(body, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
      });
    },
    close: () => {
      for (const end of open) end();
    },
  };
}
