import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { reasonOf } from "../api.ts";

/** Something that is asked of the server. */
export interface Loaded<Value> {
  /** The last answer; null before the first. */
  value: ReadonlySignal<Value | null>;
  error: ReadonlySignal<string | null>;
  isLoading: ReadonlySignal<boolean>;
  /** Asks again. */
  reload(): void;
  /** Shows a change before the server is asked again. */
  set(value: Value): void;
}

/** Asks at once, and anew whenever one of `inputs` changes; an answer that is late is left out. */
export function useLoaded<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  inputs: readonly unknown[],
): Loaded<Value> {
  const state = useMemo(createLoaded<Value>, []);
  useEffect(() => state.begin(load), inputs);
  return state;
}

function createLoaded<Value>() {
  const value = signal<Value | null>(null);
  const error = signal<string | null>(null);
  const isLoading = signal(true);
  let asked: (signal: AbortSignal) => Promise<Value>;
  let current = new AbortController();

  const ask = async (): Promise<void> => {
    current.abort();
    const own = (current = new AbortController());
    isLoading.value = true;
    try {
      const answer = await asked(own.signal);
      if (own.signal.aborted) return;
      value.value = answer;
      error.value = null;
    } catch (failure) {
      if (own.signal.aborted) return;
      error.value = reasonOf(failure);
    }
    isLoading.value = false;
  };

  return {
    value,
    error,
    isLoading,
    reload: () => void ask(),
    set: (next: Value) => {
      value.value = next;
    },
    begin: (load: typeof asked) => {
      asked = load;
      void ask();
      return () => current.abort();
    },
  };
}
