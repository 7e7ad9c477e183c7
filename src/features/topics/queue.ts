import { AsyncLocalStorage } from "node:async_hooks";
import { Problem } from "../../http/problem.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { DeadPost, QueueState } from "./model.ts";
import type { QueueStore } from "./queue.store.ts";

/** What people see of the queue, and may do about it. */
export interface QueueService {
  /** The rate is 0 for who asks first: it is only measured while somebody asks. */
  state(): Promise<QueueState>;
  /** Calls `tell` about once a second with how the queue stands. Returns what ends that. */
  follow(tell: (state: QueueState) => void): () => void;
  dead(after: number, limit: number): Promise<DeadPost[]>;
  /** Sends a dead post back to the queue. Throws `not_found`. */
  retry(id: number): Promise<void>;
  /** Tells no more followers. */
  close(): void;
}

export interface QueueServiceDependencies {
  store: QueueStore;
  onAdded(): void;
  log: Log;
  lookEveryMs?: number;
  /** How long it is looked further after somebody asked. */
  askedMs?: number;
}

const LOOK_EVERY_MS = 1_000;
/** The rate is that of the last looks. */
const LOOKS_KEPT = 10;
/**
 * So long after somebody asked it is looked further, so that whoever asks now and then is told the rate
 * of the last seconds. Whoever asks for the first time is told none.
 */
const ASKED_MS = 120_000;

export function createQueueService(dependencies: QueueServiceDependencies): QueueService {
  const { store, onAdded, log, lookEveryMs = LOOK_EVERY_MS, askedMs = ASKED_MS } = dependencies;
  const followers = new Set<(state: QueueState) => void>();
  const looks: { at: number; done: number }[] = [];
  let askedAt = 0;
  let isClosed = false;
  /** Null while nobody asks. */
  let timer: ReturnType<typeof setInterval> | null = null;

  /** How fast the posts were done between the oldest look that is kept and now. */
  const rateOf = (done: number): number => {
    const [first] = looks;
    const seconds = first === undefined ? 0 : (performance.now() - first.at) / 1000;
    if (first === undefined || seconds < 0.1) return 0;
    return Math.round((10 * Math.max(0, done - first.done)) / seconds) / 10;
  };

  const read = async (): Promise<QueueState> => {
    const now = await store.state();
    return { ...now, ratePerS: rateOf(now.done) };
  };

  // Bound to here: it goes on for all who ask, and not for the request that asked first.
  const look = AsyncLocalStorage.bind(async (): Promise<void> => {
    if (followers.size === 0 && performance.now() - askedAt > askedMs) return stopLooking();
    try {
      const current = await read();
      note(current);
      for (const tell of followers) tell(current);
    } catch (error) {
      log.error(errorFields(error), "how the queue stands could not be read");
    }
  });

  const note = ({ done }: QueueState): void => {
    // One that was begun before the last stop is of no use to the next rate.
    if (timer === null) return;
    looks.push({ at: performance.now(), done });
    if (looks.length > LOOKS_KEPT) looks.shift();
  };

  const keepLooking = (): void => {
    askedAt = performance.now();
    if (!isClosed) timer ??= setInterval(() => void look(), lookEveryMs);
  };

  const stopLooking = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
    looks.length = 0;
  };

  return {
    state: async () => {
      keepLooking();
      const current = await read();
      if (looks.length === 0) note(current);
      return current;
    },
    follow: (tell) => {
      keepLooking();
      followers.add(tell);
      return () => void followers.delete(tell);
    },
    dead: (after, limit) => store.dead(after, limit),
    retry: async (id) => {
      if (!(await store.retry(id))) throw new Problem("not_found", "There is no such dead post");
      onAdded();
    },
    close: () => {
      isClosed = true;
      stopLooking();
    },
  };
}
