import { type Log, errorFields } from "./log.ts";

/** Takes a part down within so many milliseconds, of its own accord. */
export type StopStep = (withinMs: number) => unknown;

export interface Stops {
  /**
   * Has a part taken down before all that were added before it. `part` is what the log calls it; `share`
   * is how much it may take, at most, of the time that is left when its turn comes.
   */
  add(step: StopStep, about: { part: string; share?: number }): void;
  /** Takes everything down, the last one first. Never rejects, and resolves within the time. */
  run(): Promise<void>;
}

export interface StopsDependencies {
  /** The longest that all of it may take together. */
  withinMs: number;
  log: Log;
}

/** However slow a part is, those behind it have as much again between them. */
const SHARE = 1 / 2;
/** Of what is left behind its share, what a part may overrun by before the next one begins. */
const OVERRUN_SHARE = 1 / 4;
/** Kept back of the time, for what nothing can hurry; of a short one, a small share. */
const RESERVE_MS = 500;
const RESERVE_SHARE = 1 / 20;
/** Even when no time is left each part has so much of the reserve. */
const LEAST_SHARE = 1 / 10;

/**
 * The order and the time of a stop. Each part is begun, and waited for no longer than its share: one that
 * hangs, behind another process's lock or a service that is silent, must not keep those behind it from
 * ending as they should.
 */
export function createStops({ withinMs, log }: StopsDependencies): Stops {
  const steps: { step: StopStep; part: string; share: number }[] = [];

  /** Never rejects: it may fail long after it was waited for. */
  const take = async (step: StopStep, part: string, ms: number): Promise<void> => {
    try {
      await step(ms);
    } catch (error) {
      log.error({ what: part, ...errorFields(error) }, "a part did not stop cleanly");
    }
  };

  return {
    add: (step, { part, share = SHARE }) => void steps.push({ step, part, share }),
    run: async () => {
      const reserveMs = Math.min(RESERVE_MS, withinMs * RESERVE_SHARE);
      const endsAt = performance.now() + withinMs - reserveMs;
      for (const { step, part, share } of steps.splice(0).reverse()) {
        const leftMs = Math.max(0, endsAt - performance.now());
        const stepMs = share * leftMs;
        const overrunMs = Math.max(OVERRUN_SHARE * (leftMs - stepMs), LEAST_SHARE * reserveMs);
        if (await endsWithin(take(step, part, stepMs), stepMs + overrunMs)) continue;
        log.warn(
          { what: part, after_ms: Math.round(stepMs + overrunMs) },
          "a part did not stop in time: the next ones are stopped while it goes on",
        );
      }
    },
  };
}

/** Waits for `work`, but no longer than `ms`; whether it has ended. Rejects as `work` does until then. */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
