import { signal } from "@preact/signals";
import { reasonOf } from "../api.ts";

/** Questions to the server of which only the newest counts: an answer that is late is left out. */
export function createAsking() {
  const error = signal<string | null>(null);
  const isLoading = signal(true);
  let current = new AbortController();

  const ask = async <Answer>(
    load: (signal: AbortSignal) => Promise<Answer>,
    take: (answer: Answer) => void,
  ): Promise<void> => {
    current.abort();
    const own = (current = new AbortController());
    isLoading.value = true;
    try {
      const answer = await load(own.signal);
      if (own.signal.aborted) return;
      take(answer);
      error.value = null;
    } catch (failure) {
      if (own.signal.aborted) return;
      error.value = reasonOf(failure);
    }
    isLoading.value = false;
  };

  return { error, isLoading, ask, leave: () => current.abort() };
}
