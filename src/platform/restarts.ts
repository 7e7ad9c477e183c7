import { type Measure, byLabel, counter } from "./metrics.ts";

/** Counts the worker threads that had to be started again. */
export interface Restarts {
  /** The same `spawn`; what it starts beyond the first `size` takes the place of one that ended. */
  counted<Given extends unknown[]>(
    kind: string,
    size: number,
    spawn: (...given: Given) => Worker,
  ): (...given: Given) => Worker;
  measure: Measure;
}

export function createRestarts(): Restarts {
  const kinds = new Map<string, { size: number; started: number }>();
  return {
    counted: (kind, size, spawn) => {
      const count = { size, started: 0 };
      kinds.set(kind, count);
      return (...given) => {
        count.started++;
        return spawn(...given);
      };
    },
    measure: () => [
      counter(
        "earshot_worker_restarts_total",
        "Worker threads that were started again because one had ended.",
        byLabel(
          "kind",
          Array.from(kinds, ([kind, { size, started }]) => [kind, Math.max(0, started - size)]),
        ),
      ),
    ],
  };
}
