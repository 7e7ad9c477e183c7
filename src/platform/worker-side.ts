import type { Batch, BatchResult } from "./pool.ts";
import type { ThreadNotice } from "./thread.ts";

// The worker's end of the line; see thread.ts and pool.ts for the other.

declare const self: Worker;

export function tellReady(): void {
  tell({ type: "ready" });
}

/** Writes to the one log of the process. */
export function tellLog(
  level: "info" | "warn" | "error",
  fields: Record<string, unknown>,
  message: string,
): void {
  tell({ type: "log", level, fields, message });
}

/** Answers every batch of a pool with `work` of each job; a job that throws fails alone. */
export function serveJobs<Job, Result>(work: (job: Job) => Result | Promise<Result>): void {
  const answer = async ({ batch, jobs }: Batch<Job>): Promise<void> => {
    const outcomes: BatchResult<Result>["outcomes"] = [];
    for (const job of jobs) {
      try {
        const result = work(job);
        // Most are done at once, and awaiting each would cost as much as many of them.
        outcomes.push({ result: result instanceof Promise ? await result : result });
      } catch (error) {
        outcomes.push({ error: error instanceof Error ? error.message : String(error) });
      }
    }
    self.postMessage({ batch, outcomes } satisfies BatchResult<Result>);
  };
  self.addEventListener("message", ({ data }: MessageEvent<Batch<Job>>) => void answer(data));
  tellReady();
}

function tell(notice: ThreadNotice): void {
  self.postMessage(notice);
}
