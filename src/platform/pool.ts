import type { Log } from "./log.ts";
import { type Thread, startThread } from "./thread.ts";

/** Worker threads that turn jobs into results. */
export interface Pool<Job, Result> {
  /** Rejects with `PoolFull`, `JobFailed` or `PoolClosed`. */
  run(job: Job): Promise<Result>;
  ready(): boolean;
  /** Jobs that no worker has been given yet. */
  queued(): number;
  /** Waits for the jobs that were handed in, at most `withinMs`; what is left is rejected. */
  close(withinMs: number): Promise<void>;
}

export class PoolFull extends Error {
  override name = "PoolFull";
}

export class PoolClosed extends Error {
  override name = "PoolClosed";
}

/** The worker threw, hung or died over the job, twice. */
class JobFailed extends Error {
  override name = "JobFailed";
}

export interface Batch<Job> {
  batch: number;
  jobs: Job[];
}

/** One outcome for each job, in the jobs' order. */
export interface BatchResult<Result> {
  batch: number;
  outcomes: ({ result: Result } | { error: string })[];
}

export interface PoolDependencies {
  spawn(): Worker;
  size: number;
  /** Jobs that a worker is given at once and answers together; 100 unless told. */
  batchJobsMax?: number;
  log: Log;
}

/** Past it `run` rejects with `PoolFull`. */
const QUEUED_JOBS_MAX = 10_000;
const BATCH_JOBS_MAX = 100;
/** Two, so that a worker has its next batch at hand when it ends one. */
const BATCHES_IN_FLIGHT = 2;
/** A batch that takes longer ends its worker. */
const BATCH_MS_MAX = 30_000;

interface Waiting<Job, Result> {
  job: Job;
  tries: number;
  resolve(result: Result): void;
  reject(error: Error): void;
}

interface Member<Job, Result> {
  thread: Thread<Batch<Job>>;
  inFlight: Map<number, { waiting: Waiting<Job, Result>[]; timer: ReturnType<typeof setTimeout> }>;
}

/** Starts `size` workers that answer each `Batch` with a `BatchResult` (see `serveJobs`). */
export function createPool<Job, Result>(dependencies: PoolDependencies): Pool<Job, Result> {
  const { spawn, size, batchJobsMax = BATCH_JOBS_MAX, log } = dependencies;
  const queue: Waiting<Job, Result>[] = [];
  const members: Member<Job, Result>[] = [];
  let batches = 0;
  let closed = false;
  const idle: (() => void)[] = [];

  const feed = (): void => {
    for (const member of members) {
      while (queue.length > 0 && member.thread.ready() && hasRoom(member)) {
        const count = isRetry(queue)
          ? 1
          : queue.slice(0, batchJobsMax).findIndex((w) => w.tries > 0);
        send(member, queue.splice(0, count < 0 ? batchJobsMax : count));
      }
    }
    if (queue.length > 0 || members.some((member) => member.inFlight.size > 0)) return;
    for (const resolve of idle.splice(0)) resolve();
  };

  /** A job whose worker died has the next one to itself, so that it takes no others with it again. */
  const hasRoom = (member: Member<Job, Result>): boolean => {
    if (isRetry(queue)) return member.inFlight.size === 0;
    const isAlone = [...member.inFlight.values()].some(({ waiting }) => isRetry(waiting));
    return !isAlone && member.inFlight.size < BATCHES_IN_FLIGHT;
  };

  const isRetry = ([first]: Waiting<Job, Result>[]): boolean =>
    first !== undefined && first.tries > 0;

  const send = (member: Member<Job, Result>, waiting: Waiting<Job, Result>[]): void => {
    const batch = ++batches;
    const timer = setTimeout(() => {
      log.error({ jobs: waiting.length }, "a batch took too long; its worker is ended");
      member.thread.kill();
    }, BATCH_MS_MAX);
    member.inFlight.set(batch, { waiting, timer });
    member.thread.post({ batch, jobs: waiting.map((one) => one.job) });
  };

  const finish = (member: Member<Job, Result>, { batch, outcomes }: BatchResult<Result>): void => {
    const sent = member.inFlight.get(batch);
    if (sent === undefined) return;
    clearTimeout(sent.timer);
    member.inFlight.delete(batch);
    for (const [at, one] of sent.waiting.entries()) {
      const outcome = outcomes[at];
      if (outcome !== undefined && "result" in outcome) one.resolve(outcome.result);
      else one.reject(new JobFailed(outcome?.error ?? "the worker gave no answer"));
    }
    feed();
  };

  const bury = (member: Member<Job, Result>): void => {
    const again: Waiting<Job, Result>[] = [];
    for (const { waiting, timer } of member.inFlight.values()) {
      clearTimeout(timer);
      for (const one of waiting) {
        if (one.tries++ > 0) one.reject(new JobFailed("the worker died over this job twice"));
        else again.push(one);
      }
    }
    queue.unshift(...again);
    member.inFlight.clear();
    feed();
  };

  for (let i = 0; i < size; i++) {
    const member: Member<Job, Result> = {
      inFlight: new Map(),
      thread: startThread<Batch<Job>, BatchResult<Result>>({
        spawn,
        log,
        onReady: feed,
        onMessage: (message) => finish(member, message),
        onDeath: () => bury(member),
      }),
    };
    members.push(member);
  }

  return {
    run: (job) => {
      if (closed) return Promise.reject(new PoolClosed("the pool is closed"));
      if (queue.length >= QUEUED_JOBS_MAX)
        return Promise.reject(new PoolFull("too many jobs wait"));
      return new Promise((resolve, reject) => {
        queue.push({ job, tries: 0, resolve, reject });
        feed();
      });
    },
    ready: () => members.some((member) => member.thread.ready()),
    queued: () => queue.length,
    close: async (withinMs) => {
      closed = true;
      if (queue.length > 0 || members.some((member) => member.inFlight.size > 0)) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          idle.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
      const left = queue.splice(0);
      for (const member of members) {
        member.thread.stop();
        for (const { waiting, timer } of member.inFlight.values()) {
          clearTimeout(timer);
          left.push(...waiting);
        }
        member.inFlight.clear();
      }
      for (const one of left) one.reject(new PoolClosed("the pool was closed"));
    },
  };
}
