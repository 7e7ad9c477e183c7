import { type Log, errorFields } from "../../platform/log.ts";
import { endsWithin } from "../../platform/stops.ts";
import type { AccountStore } from "./account.store.ts";
import type { AllBelongings } from "./belongings.ts";

export interface Erasure {
  /** Erases what belongs to a closed account. */
  erase(userId: number): Promise<void>;
  /** Begins nothing more, and waits for what is under way, no longer than that. */
  close(withinMs: number): Promise<void>;
}

export interface ErasureDependencies {
  store: AccountStore;
  belongings: AllBelongings;
  /** Unix milliseconds. */
  now(): number;
  log: Log;
  /** Repeats `run` until the answer is called; by a timer, unless a test brings its own clock. */
  every?(ms: number, run: () => void): () => void;
}

const ROUND_EVERY_MS = 60_000;
/** By then no socket is open, and no request under way, that the account may still say something on. */
const STRAGGLERS_MS = 60_000;

/**
 * Erases closed accounts: at once, and once more when nothing of them can be on its way any more.
 * What a stop or a failure has left is done by a later round, or by the next start.
 */
export function createErasure(dependencies: ErasureDependencies): Erasure {
  const { store, belongings, now, log, every = repeat } = dependencies;
  let isClosed = false;
  let round: Promise<void> | null = null;

  const erase = async (userId: number): Promise<void> => {
    for (const { erase: eraseKind } of Object.values(belongings)) await eraseKind(userId);
  };

  const eraseLeaving = async (): Promise<void> => {
    try {
      for (const { id, closedAt } of await store.leaving()) {
        if (isClosed) break;
        const at = now();
        await erase(id);
        if (at - closedAt >= STRAGGLERS_MS) await store.markErased(id, at);
      }
    } catch (error) {
      // Where the database was closed first, the next start goes on.
      if (!isClosed) log.error(errorFields(error), "a closed account could not be erased yet");
    }
    round = null;
  };

  const begin = (): void => void (round ??= eraseLeaving());
  const end = every(ROUND_EVERY_MS, begin);
  begin();
  return {
    erase,
    close: async (withinMs) => {
      isClosed = true;
      end();
      if (round !== null) await endsWithin(round, withinMs);
    },
  };
}

function repeat(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
