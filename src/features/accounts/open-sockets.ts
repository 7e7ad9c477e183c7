import type { Bus } from "../../platform/bus.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import { createTrouble } from "../../platform/trouble.ts";

export interface OpenSockets {
  /** Ends the sockets of sessions that are over, here and in other processes. */
  end(sessionIds: readonly number[]): void;
  close(): void;
}

export interface OpenSocketsDependencies {
  bus: Bus;
  /** The sessions that this process's sockets belong to. */
  sessions(): ReadonlySet<number>;
  endSockets(sessionIds: ReadonlySet<number>): void;
  /** Those of the sessions that are over. */
  overAmong(ids: readonly number[]): Promise<number[]>;
  log: Log;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
}

/** Sessions of accounts that are over. */
const ENDED = "accounts.ended";
/** The bus may lose a word, and other processes may have none: the database is asked so often. */
const LOOK_EVERY_MS = 5_000;
/** Sessions that are looked at before others have their turn. */
const LOOKED_AT_ONCE = 200;

export function createOpenSockets(dependencies: OpenSocketsDependencies): OpenSockets {
  const { bus, sessions, endSockets, overAmong, log, every = repeat } = dependencies;
  const subscription = bus.subscribe(ENDED, (message) => endSockets(new Set(message as number[])));
  const trouble = createTrouble({ log, level: "error" });
  let isLooking = false;

  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      const ids = [...sessions()];
      for (let at = 0; at < ids.length; at += LOOKED_AT_ONCE) {
        const over = await overAmong(ids.slice(at, at + LOOKED_AT_ONCE));
        if (over.length > 0) endSockets(new Set(over));
        await new Promise((resolve) => setImmediate(resolve));
      }
      trouble.end("the sessions of open sockets are looked at again");
    } catch (error) {
      trouble.begin(errorFields(error), "the sessions of open sockets could not be looked at");
    } finally {
      isLooking = false;
    }
  };

  const stop = every(LOOK_EVERY_MS, () => void look());
  return {
    end: (sessionIds) => {
      if (sessionIds.length > 0) bus.publish(ENDED, sessionIds);
    },
    close: () => {
      stop();
      subscription.stop();
    },
  };
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
