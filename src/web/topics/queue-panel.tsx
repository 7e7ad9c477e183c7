import { useEffect, useMemo } from "preact/hooks";
import { DeadPosts } from "./dead-posts.tsx";
import { useApp } from "../context.ts";
import { type Queue, followQueue } from "./queue-state.ts";

const LINE_WORDS = {
  connecting: "Connecting…",
  open: "Live",
  waiting: "The line is down, trying again",
} as const;
const MINUTE_S = 60;
const HOUR_S = 3_600;

/** How the queue of posts stands, as it moves; nothing for those whom it does not concern. */
export function QueuePanel() {
  const { api } = useApp();
  const followed = useMemo(() => followQueue(api), [api]);
  useEffect(() => () => followed.close(), [followed]);
  const { queue, line } = followed;
  if (line.value === "forbidden") return null;
  return (
    <>
      <section class="stack tight" aria-labelledby="queue-heading">
        <div class="row apart">
          <h2 id="queue-heading">The queue</h2>
          <span class="badge" role="status">
            {LINE_WORDS[line.value]}
          </span>
        </div>
        <Figures queue={queue.value} />
      </section>
      <DeadPosts dead={queue.value?.dead ?? 0} />
    </>
  );
}

function Figures({ queue }: { queue: Queue | null }) {
  const rate = queue?.rate_per_s;
  const decimals = { maximumFractionDigits: rate !== undefined && rate < 10 ? 1 : 0 };
  const figures: [string, string | undefined][] = [
    ["read a second", rate?.toLocaleString(undefined, decimals)],
    ["waiting", queue?.queued.toLocaleString()],
    ["being read", queue?.leased.toLocaleString()],
    ["the oldest waits", queue === null ? undefined : ageText(queue.oldest_age_ms)],
    ["done", queue?.done.toLocaleString()],
    ["could not be read", queue?.dead.toLocaleString()],
  ];
  return (
    <dl class="figures" aria-busy={queue === null}>
      {figures.map(([words, value]) => (
        <div key={words} class="card">
          <dt class="muted small">{words}</dt>
          <dd class="number">{value ?? "–"}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Such as `12 s`. */
function ageText(ms: number | null): string {
  if (ms === null) return "0 s";
  const seconds = Math.round(ms / 1_000);
  if (seconds < MINUTE_S) return `${seconds} s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min`;
  return `${Math.floor(seconds / HOUR_S)} h`;
}
