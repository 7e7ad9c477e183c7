import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { createAsking } from "./asking.ts";

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
  const { error, isLoading, ask, leave } = createAsking();
  let asked: (signal: AbortSignal) => Promise<Value>;

  const show = (next: Value): void => {
    value.value = next;
  };
  const reload = (): void => void ask(asked, show);

  return {
    value,
    error,
    isLoading,
    reload,
    set: show,
    begin: (load: typeof asked) => {
      asked = load;
      reload();
      return leave;
    },
  };
}
