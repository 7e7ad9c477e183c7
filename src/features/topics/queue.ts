import { Problem } from "../../http/problem.ts";
import { type Log, errorFields } from "../../platform/log.ts";
import type { DeadPost, QueueState } from "./model.ts";
import type { QueueStore } from "./queue.store.ts";

/** What people see of the queue, and may do about it. */
export interface QueueService {
  state(): Promise<QueueState>;
  /** Calls `tell` about once a second with how the queue stands. Returns what ends that. */
  follow(tell: (state: QueueState) => void): () => void;
  dead(after: number, limit: number): Promise<DeadPost[]>;
  /** Sends a dead post back to the queue. Throws `not_found`. */
  retry(id: number): Promise<void>;
  close(): void;
}

export interface QueueServiceDependencies {
  store: QueueStore;
  onAdded(): void;
  log: Log;
}

const LOOK_EVERY_MS = 1_000;
/** The rate is that of the last looks. */
const LOOKS_KEPT = 10;

export function createQueueService(dependencies: QueueServiceDependencies): QueueService {
  const { store, onAdded, log } = dependencies;
  const followers = new Set<(state: QueueState) => void>();
  const looks: { at: number; done: number }[] = [];

  /** How fast the posts were done between the oldest look that is kept and now. */
  const rateOf = (done: number): number => {
    const [first] = looks;
    const seconds = first === undefined ? 0 : (performance.now() - first.at) / 1000;
    if (first === undefined || seconds < 0.1) return 0;
    return Math.round((10 * Math.max(0, done - first.done)) / seconds) / 10;
  };

  const state = async (): Promise<QueueState> => {
    const now = await store.state();
    return { ...now, ratePerS: rateOf(now.done) };
  };

  const look = async (): Promise<void> => {
    try {
      const current = await state();
      looks.push({ at: performance.now(), done: current.done });
      if (looks.length > LOOKS_KEPT) looks.shift();
      for (const tell of followers) tell(current);
    } catch (error) {
      log.error(errorFields(error), "how the queue stands could not be read");
    }
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  void look();

  return {
    state,
    follow: (tell) => {
      followers.add(tell);
      return () => void followers.delete(tell);
    },
    dead: (after, limit) => store.dead(after, limit),
    retry: async (id) => {
      if (!(await store.retry(id))) throw new Problem("not_found", "There is no such dead post");
      onAdded();
    },
    close: () => clearInterval(timer),
  };
}
