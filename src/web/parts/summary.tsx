import { useApp } from "../context.ts";
import { useLoaded } from "./loaded.ts";

interface SummaryAnswer {
  summary: string;
  source: "model" | "extractive";
  model: string | null;
}

/** What a room or a transcription says in short; `of` is the address that makes it. */
export function Summary({ of }: { of: string }) {
  const { api } = useApp();
  const { value, error, isLoading } = useLoaded(
    () => api.send<SummaryAnswer>("POST", of, {}),
    [of],
  );
  if (error.value !== null) {
    return (
      <p class="notice" role="alert">
        {error.value}
      </p>
    );
  }
  if (value.value === null) return <p aria-busy={isLoading.value}>Reading what was said…</p>;
  const { summary, source, model } = value.value;
  return (
    <div class="stack tight">
      <div class="summary" dir="auto">
        {summary.split("\n").map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
      <p class="muted small">
        {source === "model" ? `Written by ${model}` : "The sentences that say most, word for word"}
      </p>
    </div>
  );
}
