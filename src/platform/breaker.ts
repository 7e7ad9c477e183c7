/** Keeps those who ask a part that may hang from hanging with it. */
export interface Breaker {
  /**
   * What `work` comes to. Rejects with `PartAway` when that takes longer than `msMax`, half a second
   * where nothing is said, and at once for a while afterwards; then one is let through to see whether
   * the part answers again.
   */
  run<T>(work: () => Promise<T>, msMax?: number): Promise<T>;
  /** Says that the part answers: everybody is let through again. */
  mend(): void;
}

/** A part that takes longer counts as away. */
const ANSWER_MS_MAX = 500;
/** One that took too long is not even asked for this long. */
const REST_MS = 3_000;

/** A part gave no answer in time, or was not asked since it gave none before. */
export class PartAway extends Error {
  override name = "PartAway";
}

/** A circuit breaker (Nygard, Release It!, 2007) that is tripped by silence only: errors are answers. */
export function createBreaker(): Breaker {
  let isLost = false;
  let isProbing = false;
  let restsUntil = 0;

  return {
    run: async (work, msMax = ANSWER_MS_MAX) => {
      const isProbe = isLost;
      if (isProbe) {
        if (isProbing || performance.now() < restsUntil) throw new PartAway("it rests");
        isProbing = true;
      }
      try {
        const value = await inTime(work(), msMax);
        isLost = false;
        return value;
      } catch (error) {
        isLost = error instanceof PartAway;
        if (isLost) restsUntil = performance.now() + REST_MS;
        throw error;
      } finally {
        if (isProbe) isProbing = false;
      }
    },
    mend: () => {
      isLost = false;
    },
  };
}

/**
 * In two halves: when it was this process that stood still, the first ends late, and within the second
 * it finds the answer that has been there for long.
 */
function inTime<T>(work: Promise<T>, msMax: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new PartAway("no answer in time"));
    let timer = setTimeout(() => {
      timer = setTimeout(late, msMax / 2);
    }, msMax / 2);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
