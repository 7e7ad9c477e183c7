import { Elysia } from "elysia";
import { type PostRoutesDependencies, postRoutes } from "./post-routes.ts";
import { type QueueRoutesDependencies, queueRoutes } from "./queue-routes.ts";
import { type TopicRoutesDependencies, topicRoutes } from "./topic-routes.ts";

export interface TopicsRoutesDependencies
  extends PostRoutesDependencies, QueueRoutesDependencies, TopicRoutesDependencies {}

/** Every route of the feature. */
export function topicsRoutes(dependencies: TopicsRoutesDependencies) {
  return new Elysia({ name: "topics feature" })
    .use(postRoutes(dependencies))
    .use(queueRoutes(dependencies))
    .use(topicRoutes(dependencies));
}
