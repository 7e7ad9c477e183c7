import { type Family, counter, gauge } from "../../platform/metrics.ts";
import type { QueueState } from "./model.ts";

/** How the queue stands, for whoever watches. It is one for all processes, and each tells the whole. */
export function queueFamilies(state: Omit<QueueState, "ratePerS">): Family[] {
  return [
    gauge("earshot_posts_queued", "Posts that wait; all processes tell the same.", state.queued),
    gauge("earshot_posts_leased", "Posts that are worked on; all tell the same.", state.leased),
    gauge("earshot_posts_dead", "Posts that could not be worked; all tell the same.", state.dead),
    counter("earshot_posts_done_total", "Posts that are counted; all tell the same.", state.done),
    gauge(
      "earshot_posts_oldest_age_seconds",
      "How long ago the oldest post that is not done was taken in; 0 when there is none.",
      (state.oldestAgeMs ?? 0) / 1000,
    ),
  ];
}
