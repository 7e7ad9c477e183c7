import type { Source, SourceFailed } from "./model.ts";

/**
 * Leaves a source alone that is in trouble, whatever is asked of it: after a few failures in a row, or
 * as soon and as long as it says so itself. One failure after the pause begins the next.
 */
export interface Pauses {
  /** How much longer a source is left alone; 0 when it may be asked. */
  leftMs(source: Source): number;
  failed(source: Source, failure: SourceFailed): void;
  answered(source: Source): void;
}

const FAILURES_MAX = 3;
const PAUSE_MS = 5_000;
/** A source that wants to be left alone for longer is asked again all the same. */
const WANTED_MS_MAX = 300_000;

interface Trouble {
  failures: number;
  until: number;
}

export function createPauses(now: () => number): Pauses {
  const troubles = new Map<string, Trouble>();
  return {
    leftMs: ({ name }) => Math.max(0, (troubles.get(name)?.until ?? 0) - now()),
    failed: ({ name }, { isDown, retryAfterMs }) => {
      if (!isDown) return;
      const { failures, until } = troubles.get(name) ?? { failures: 0, until: 0 };
      const pauseMs =
        retryAfterMs === null
          ? Number(failures + 1 >= FAILURES_MAX) * PAUSE_MS
          : Math.min(retryAfterMs, WANTED_MS_MAX);
      troubles.set(name, { failures: failures + 1, until: Math.max(until, now() + pauseMs) });
    },
    answered: ({ name }) => void troubles.delete(name),
  };
}
