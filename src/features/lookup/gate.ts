import { Problem } from "../../http/problem.ts";
import type { Source } from "./model.ts";

/** Lets so many calls out at once: a few for each source, some more in all. */
export interface Gate {
  /** Waits for its turn, and answers what must be called after the call. Rejects with `queue_full`. */
  enter(source: Source): Promise<() => void>;
}

export interface GateDependencies {
  /** Calls at once, to all sources together. */
  callsMax: number;
  /** Calls that may wait; past it new ones are refused. */
  waitingMax: number;
  /** How long one waits before it is refused. */
  waitMs: number;
}

interface Waiting {
  source: Source;
  let(): void;
}

const RETRY_MS = 1_000;

export function createGate({ callsMax, waitingMax, waitMs }: GateDependencies): Gate {
  const running = new Map<string, number>();
  const waiting = new Set<Waiting>();
  let calls = 0;

  const hasRoom = ({ name, callsMax: most }: Source): boolean =>
    calls < callsMax && (running.get(name) ?? 0) < most;

  const start = ({ name }: Source): (() => void) => {
    calls++;
    running.set(name, (running.get(name) ?? 0) + 1);
    return () => {
      calls--;
      running.set(name, (running.get(name) ?? 1) - 1);
      // In the order they came, but nobody waits behind a source that has no room.
      for (const one of waiting) {
        if (calls >= callsMax) return;
        if (hasRoom(one.source)) one.let();
      }
    };
  };

  return {
    enter: (source) => {
      if (hasRoom(source)) return Promise.resolve(start(source));
      if (waiting.size >= waitingMax) return Promise.reject(full(source));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(one);
          reject(full(source));
        }, waitMs);
        const one: Waiting = {
          source,
          let: () => {
            clearTimeout(timer);
            waiting.delete(one);
            resolve(start(source));
          },
        };
        waiting.add(one);
      });
    },
  };
}

function full({ name }: Source): Problem {
  return new Problem("queue_full", `Too much is being asked of ${name}; try again soon`, {
    retryAfterMs: RETRY_MS,
  });
}
