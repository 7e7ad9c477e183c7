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
export function serveJobs<Job, Result>(work: (job: Job) => Result): void {
  self.addEventListener("message", ({ data }: MessageEvent<Batch<Job>>) => {
    const outcomes = data.jobs.map((job) => {
      try {
        return { result: work(job) };
      } catch (error) {
        return { error: error instanceof Error ? error.message : String(error) };
      }
    });
    self.postMessage({ batch: data.batch, outcomes } satisfies BatchResult<Result>);
  });
  tellReady();
}

function tell(notice: ThreadNotice): void {
  self.postMessage(notice);
}
