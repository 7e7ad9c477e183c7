import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { reasonOf } from "../api.ts";
import { Problem } from "./problem.tsx";

/** Something that is being done, and what came of it. */
export interface Doing {
  isBusy: ReadonlySignal<boolean>;
  problem: Signal<string | null>;
  /** What was done, in words. */
  done: Signal<string | null>;
  /** Does it, unless it is being done already. */
  run(work: () => Promise<string | null>): void;
}

/** Does one thing at a time; `work` answers what to say when it is done. */
export function useDoing(): Doing {
  const isBusy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const done = useSignal<string | null>(null);
  const act = async (work: () => Promise<string | null>): Promise<void> => {
    isBusy.value = true;
    problem.value = null;
    done.value = null;
    try {
      done.value = await work();
    } catch (error) {
      problem.value = reasonOf(error);
    }
    isBusy.value = false;
  };
  return {
    isBusy,
    problem,
    done,
    run: (work) => {
      if (!isBusy.value) void act(work);
    },
  };
}

/** Says what went wrong, or what was done. */
export function Outcome({ of: { problem, done } }: { of: Doing }) {
  return (
    <>
      <Problem text={problem.value} />
      <p class={done.value === null ? "spoken" : "notice good"} role="status">
        {done.value}
      </p>
    </>
  );
}
