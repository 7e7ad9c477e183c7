import type { Database } from "../../platform/database.ts";
import type { Log } from "../../platform/log.ts";
import type { Measure } from "../../platform/metrics.ts";
import type { Traces } from "../../platform/traces.ts";
import type { TopicMention } from "../../text/topics.ts";
import { type SourceName, createPostStore } from "./post.store.ts";
import { createPostService } from "./posts.ts";
import { createQueueEvents } from "./queue-events.ts";
import { queueJson } from "./queue-routes.ts";
import { createQueueStore } from "./queue.store.ts";
import { queueFamilies } from "./queue-metrics.ts";
import { createQueueService } from "./queue.ts";
import type { TopicsRoutesDependencies } from "./routes.ts";
import { type ReadSaid, followSources } from "./sources.ts";
import { type TopicReader, createTopicsService } from "./topics.ts";
import { startPostWork } from "./work.ts";

/** Posts, their queue and the counts of their topics, joined. */
export interface TopicsFeature {
  routes: Omit<TopicsRoutesDependencies, "guard">;
  measure: Measure;
  /** Ends the streams, so that the server can stop. */
  closeEvents(): void;
  /** Takes no more from the queue, and hands back what is not done in time. */
  close(withinMs: number): Promise<void>;
}

export interface TopicsFeatureDependencies {
  database: Database;
  reader: TopicReader;
  findTopics(text: string): Promise<TopicMention[]>;
  /** Threads that find topics. */
  threads: number;
  /** Posts that may wait. */
  queuedMax: number;
  /** Whether posts are taken in. */
  takesPosts: boolean;
  /** What else is counted. */
  sources: Partial<Record<SourceName, ReadSaid>>;
  draining(): boolean;
  processId: string;
  now(): number;
  log: Log;
  traces: Traces;
}

export function createTopicsFeature(dependencies: TopicsFeatureDependencies): TopicsFeature {
  const { database, reader, findTopics, threads, queuedMax, takesPosts } = dependencies;
  const { sources, draining, processId, now, log, traces } = dependencies;
  const postStore = createPostStore({ database, queuedMax, now });
  const queueStore = createQueueStore({ database, processId, now });
  const work = startPostWork({ store: queueStore, findTopics, threads, log, traces });
  const endSources = followSources({ store: postStore, sources, onAdded: work.wake, log });
  const queue = createQueueService({ store: queueStore, onAdded: work.wake, log });
  const events = createQueueEvents(queue, queueJson);
  const posts = createPostService({
    store: postStore,
    isOpen: takesPosts,
    draining,
    onAdded: work.wake,
  });
  return {
    routes: { posts, queue, openEvents: events.open, topics: createTopicsService(reader) },
    measure: async () => [...(await posts.measure()), ...queueFamilies(await queueStore.state())],
    closeEvents: () => {
      queue.close();
      events.close();
    },
    close: async (withinMs) => {
      await Promise.all([endSources(withinMs), work.end(withinMs)]);
    },
  };
}
