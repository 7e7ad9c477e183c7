import { newId } from "../client/ids.ts";
import { type KeptStorage, readJson } from "./storage.ts";

/** Runs work when no other page of this browser, and nothing else of this one, is at it. */
export type InTurn = <Value>(work: () => Promise<Value>) => Promise<Value>;

/** Whose turn it is, as it is kept. */
interface Lease {
  of: string;
  /** Unix milliseconds. */
  until: number;
}

/** A page that was closed in its turn holds the others up for so long. */
const LEASE_MS = 30_000;
/** Within so long every page sees what another one has written. */
const SETTLE_MS = 100;
const LOOK_EVERY_MS = 150;

export interface TurnDependencies {
  name: string;
  /** Undefined on pages that came over plain http from another machine. */
  locks: LockManager | undefined;
  storage: KeptStorage;
}

/**
 * Turns by the browser's locks. Where it has none, by what the pages write into their storage: whoever
 * finds its own name there after a while has the turn (after Lamport, "A Fast Mutual Exclusion
 * Algorithm", 1987).
 */
export function createTurns({ name, locks, storage }: TurnDependencies): InTurn {
  if (locks !== undefined) {
    return async (work) => locks.request(name, () => settled(work));
  }
  const key = `${name}.turn`;
  let last: Promise<unknown> = Promise.resolve();

  const take = async (of: string): Promise<void> => {
    for (;;) {
      if (isFree(readJson(storage, key))) {
        storage.setItem(key, JSON.stringify({ of, until: Date.now() + LEASE_MS } satisfies Lease));
        await after(SETTLE_MS);
        if (ownerOf(readJson(storage, key)) === of) return;
      } else {
        await after(LOOK_EVERY_MS);
      }
    }
  };

  const run = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    const of = newId();
    await take(of);
    try {
      return await settled(work);
    } finally {
      if (ownerOf(readJson(storage, key)) === of) storage.removeItem(key);
    }
  };

  return <Value>(work: () => Promise<Value>): Promise<Value> => {
    const turn = last.then(() => run(work));
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** The next one must see what was written: the lock may be handed over sooner than the storage. */
async function settled<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } finally {
    await after(SETTLE_MS);
  }
}

function isFree(lease: unknown): boolean {
  const { until } = (lease ?? {}) as Partial<Lease>;
  const leftMs = typeof until === "number" ? until - Date.now() : 0;
  // A lease that lasts longer than any was written by a clock that has been set since.
  return leftMs <= 0 || leftMs > LEASE_MS;
}

function ownerOf(lease: unknown): string | undefined {
  return (lease as Partial<Lease> | null | undefined)?.of;
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
