import type { Hearing } from "./hearing.ts";

/** The end of a session waits for its recogniser as long as it gets on. */
const STALLED_MS_MAX = 30_000;
/** How long a recogniser may take to answer when it is told to end at once. */
export const HURRIED_MS_MAX = 4_000;
const LOOK_EVERY_MS = 100;

export interface EndDependencies {
  hearing: Hearing;
  /** Finds a recogniser, if there is none, for the sound that waits. */
  reopen(): Promise<void>;
  /** Resolves when the recogniser has told its last words: whether they are all. */
  over(): Promise<boolean>;
  /** When time is up, by `performance.now`. */
  endAt(): number;
  /** How long the recogniser may then take for what it has begun. */
  hurriedMs(): number;
  /** Time is up, or the recogniser does not get on: the rest stays in the spool. */
  onHurry(): void;
}

/** Has the rest of the sound recognised; resolves with whether all of it was. */
export async function waitForEnd({
  hearing,
  reopen,
  over,
  endAt,
  hurriedMs,
  onHurry,
}: EndDependencies): Promise<boolean> {
  const rest = recogniseRest(hearing, reopen, over);
  const watch = watchProgress(hearing, endAt);
  const isWhole = await Promise.race([rest, watch.stalled]);
  watch.stop();
  if (isWhole !== null) return isWhole;
  onHurry();
  hearing.endNow();
  await Promise.race([rest, Bun.sleep(hurriedMs())]);
  hearing.suspend();
  return false;
}

/** Never rejects. */
async function recogniseRest(
  hearing: Hearing,
  reopen: () => Promise<void>,
  over: () => Promise<boolean>,
): Promise<boolean> {
  try {
    hearing.end();
    if (!hearing.isOpen()) {
      if (hearing.receivedBytes() <= hearing.settled().bytes) return true;
      await reopen();
    }
    return await over();
  } catch {
    return false;
  }
}

/** `stalled` resolves with null when nothing moves or time is up. */
function watchProgress(
  hearing: Hearing,
  endAt: () => number,
): { stalled: Promise<null>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<null>();
  let lastMs = hearing.processedMs();
  let movedAt = performance.now();
  const looking = setInterval(() => {
    const at = performance.now();
    if (hearing.processedMs() !== lastMs) movedAt = at;
    lastMs = hearing.processedMs();
    if (at - movedAt > STALLED_MS_MAX || at > endAt()) resolve(null);
  }, LOOK_EVERY_MS);
  return { stalled: promise, stop: () => clearInterval(looking) };
}
