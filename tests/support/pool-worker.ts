// A worker whose jobs say what becomes of them.

import { serveJobs, tellLog } from "../../src/platform/worker-side.ts";

export type PoolJob =
  | { kind: "double"; number: number }
  | { kind: "throw"; message: string }
  | { kind: "exit" }
  /** Is answered, and ends the worker a moment later. */
  | { kind: "reject" }
  | { kind: "log"; message: string }
  /** Holds the worker until the first number in the shared memory is not 0. */
  | { kind: "wait"; gate: SharedArrayBuffer }
  /** Ends the worker the first time only; `tries` counts in shared memory. */
  | { kind: "exitOnce"; tries: SharedArrayBuffer }
  /** Answers how often it was begun. */
  | { kind: "count"; tries: SharedArrayBuffer };

const LONG_ENOUGH_MS = 10_000;

serveJobs((job: PoolJob): number => {
  switch (job.kind) {
    case "double":
      return job.number * 2;
    case "throw":
      throw new Error(job.message);
    case "exit":
      return process.exit(3);
    case "reject":
      void Promise.reject(new Error("nobody handles this"));
      return 0;
    case "log":
      tellLog("warn", { worker: "test" }, job.message);
      return 0;
    case "wait":
      Atomics.wait(new Int32Array(job.gate), 0, 0, LONG_ENOUGH_MS);
      return 0;
    case "exitOnce":
      if (Atomics.add(new Int32Array(job.tries), 0, 1) === 0) process.exit(3);
      return 1;
    case "count":
      return Atomics.add(new Int32Array(job.tries), 0, 1) + 1;
  }
});
