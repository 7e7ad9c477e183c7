import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { createAsking } from "./asking.ts";

/** A part of a long list, and where the next one begins; null at the end. */
export interface Page<Row> {
  rows: readonly Row[];
  next: number | null;
}

/** A long list of the server's, as far as it was asked for. */
export interface Pages<Row> {
  /** Null before the first page. */
  rows: ReadonlySignal<readonly Row[] | null>;
  hasMore: ReadonlySignal<boolean>;
  isLoading: ReadonlySignal<boolean>;
  error: ReadonlySignal<string | null>;
  more(): void;
  /** Asks for the first page again. */
  reload(): void;
}

export type LoadPage<Row> = (after: number | undefined, signal: AbortSignal) => Promise<Page<Row>>;

/** Asks for the first page at once, and anew whenever one of `inputs` changes. */
export function usePages<Row>(load: LoadPage<Row>, inputs: readonly unknown[]): Pages<Row> {
  const state = useMemo(createPages<Row>, []);
  useEffect(() => state.begin(load), inputs);
  return state;
}

function createPages<Row>() {
  const rows = signal<readonly Row[] | null>(null);
  const hasMore = signal(false);
  const { error, isLoading, ask, leave } = createAsking();
  let load: LoadPage<Row>;
  let next: number | null = null;

  const askFrom = (after: number | undefined): void =>
    void ask(
      (signal) => load(after, signal),
      (page) => {
        rows.value = after === undefined ? page.rows : [...(rows.value ?? []), ...page.rows];
        next = page.next;
        hasMore.value = next !== null;
      },
    );

  return {
    rows,
    hasMore,
    isLoading,
    error,
    more: () => {
      if (next !== null && !isLoading.value) askFrom(next);
    },
    reload: () => askFrom(undefined),
    begin: (given: LoadPage<Row>) => {
      load = given;
      askFrom(undefined);
      return leave;
    },
  };
}
