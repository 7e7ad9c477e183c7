// Simulated time: it passes when it is told to.

export interface Clock {
  now(): number;
  after(ms: number, run: () => void): void;
  every(ms: number, run: () => void): () => void;
  /** Lets time pass; between any two moments promises and commits have their turn. */
  advance(ms: number): Promise<void>;
}

export function createClock(): Clock {
  let now = 1_000_000;
  let made = 0;
  const moments: { at: number; order: number; run: () => void }[] = [];

  const after = (ms: number, run: () => void): void => {
    const moment = { at: now + ms, order: made++, run };
    const later = moments.findLastIndex(({ at }) => at <= moment.at) + 1;
    moments.splice(later, 0, moment);
  };

  return {
    now: () => now,
    after,
    every: (ms, run) => {
      let isStopped = false;
      const again = (): void => {
        if (isStopped) return;
        run();
        after(ms, again);
      };
      after(ms, again);
      return () => {
        isStopped = true;
      };
    },
    advance: async (ms) => {
      const end = now + ms;
      await turn();
      while (moments[0] !== undefined && moments[0].at <= end) {
        const moment = moments.shift();
        now = moment?.at ?? now;
        moment?.run();
        await turn();
      }
      now = end;
    },
  };
}

/** Lets what waits for the event loop run, commits among it. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export function sleepOn(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
