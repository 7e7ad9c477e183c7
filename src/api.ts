import { Elysia } from "elysia";
import { answerSchema } from "./features/assistant/model.ts";
import { type AssistantRoutesDependencies, assistantRoutes } from "./features/assistant/routes.ts";
import { type AccountRoutesDependencies, accountRoutes } from "./features/accounts/routes.ts";
import { SIGN_IN_BODY_BYTES_MAX, SIGN_IN_PATHS } from "./features/accounts/sign-in-routes.ts";
import { chatFrames } from "./features/chat/model.ts";
import { type ChatRoutesDependencies, chatRoutes } from "./features/chat/routes.ts";
import {
  FILES_PATH,
  type FileRoutesDependencies,
  fileRoutes,
  openAiMembers,
} from "./features/transcription/file-routes.ts";
import { type LookupRoutesDependencies, lookupRoutes } from "./features/lookup/routes.ts";
import { postBody } from "./features/topics/model.ts";
import { BULK_BODY_BYTES_MAX, BULK_PATH } from "./features/topics/post-routes.ts";
import { type TopicsRoutesDependencies, topicsRoutes } from "./features/topics/routes.ts";
import { transcriptionFrames, transcriptionSchema } from "./features/transcription/model.ts";
import {
  type TranscriptionRoutesDependencies,
  transcriptionRoutes,
} from "./features/transcription/routes.ts";
import { UPLOAD_BODY_BYTES_MAX } from "./features/transcription/uploads.ts";
import { docs } from "./http/docs.ts";
import { errorAnswers } from "./http/errors.ts";
import { type Identify, guard } from "./http/guard.ts";
import { type HealthDependencies, health } from "./http/health.ts";
import { type HttpCounts, type MetricsDependencies, metrics } from "./http/metrics.ts";
import { BODY_WAIT_MS, bodyLimit } from "./http/limits.ts";
import { noStore } from "./http/no-store.ts";
import { type PagesDependencies, pages } from "./http/pages.ts";
import { type OriginDependencies, originCheck } from "./http/origin.ts";
import { problemSchema } from "./http/problem.ts";
import { type RequestIdDependencies, requestIds } from "./http/request-id.ts";
import { requestSpans } from "./http/request-spans.ts";
import { type RequestRateDependencies, requestRate } from "./http/request-rate.ts";
import { securityHeaders } from "./http/security-headers.ts";
import type { Log } from "./platform/log.ts";
import type { Traces } from "./platform/traces.ts";
import { commonFrames } from "./realtime/frames.ts";

export interface ApiDependencies {
  log: Log;
  version: string;
  /** What every route is served below; empty for nothing. */
  basePath: string;
  identify: Identify;
  origin: OriginDependencies;
  pages: PagesDependencies;
  health: HealthDependencies;
  metrics: Omit<MetricsDependencies, "guard">;
  requestId: RequestIdDependencies;
  traces: Traces;
  counts: HttpCounts;
  requestRate: RequestRateDependencies;
  accounts: Omit<AccountRoutesDependencies, "guard">;
  chat: Omit<ChatRoutesDependencies, "guard">;
  transcription: Omit<TranscriptionRoutesDependencies, "guard">;
  files: Omit<FileRoutesDependencies, "guard" | "log">;
  topics: Omit<TopicsRoutesDependencies, "guard">;
  lookup: Omit<LookupRoutesDependencies, "guard">;
  assistant: Omit<AssistantRoutesDependencies, "guard" | "log">;
}

/** Every route of the server in one Elysia. */
export function createApi(dependencies: ApiDependencies) {
  const { log, version, basePath, identify, counts, traces, ...parts } = dependencies;
  const signedIn = guard(identify);
  const routes = new Elysia({ normalize: false })
    .use(
      errorAnswers(
        log,
        (path, problem) => openAiMembers(below(basePath, path), problem),
        counts.problem,
      ),
    )
    .use(pages(parts.pages))
    .use(health(parts.health))
    .use(metrics({ guard: signedIn, ...parts.metrics }))
    .use(accountRoutes({ guard: signedIn, ...parts.accounts }))
    .use(transcriptionRoutes({ guard: signedIn, ...parts.transcription }))
    .use(fileRoutes({ guard: signedIn, log, ...parts.files }))
    .use(chatRoutes({ guard: signedIn, ...parts.chat }))
    .use(topicsRoutes({ guard: signedIn, ...parts.topics }))
    .use(lookupRoutes({ guard: signedIn, ...parts.lookup }))
    .use(assistantRoutes({ guard: signedIn, log, ...parts.assistant }));
  const schemas = {
    Problem: problemSchema,
    Transcription: transcriptionSchema,
    Post: postBody,
    Answer: answerSchema,
    ...chatFrames,
    ...transcriptionFrames,
    ...commonFrames,
  };
  // Clients are given the prefix with the server's address, so the types know nothing of it.
  return new Elysia({ normalize: false, prefix: basePath as "" })
    .use(requestSpans({ traces, ...parts.requestId }))
    .use(requestIds(parts.requestId))
    .use(counts.plugin)
    .use(securityHeaders())
    .use(noStore([`${basePath}/v1/auth/`, `${basePath}/v1/keys`]))
    .use(originCheck(parts.origin))
    .use(requestRate(parts.requestRate))
    .use(
      bodyLimit(
        {
          [basePath + FILES_PATH]: UPLOAD_BODY_BYTES_MAX,
          [basePath + BULK_PATH]: BULK_BODY_BYTES_MAX,
        },
        BODY_WAIT_MS,
        Object.fromEntries(SIGN_IN_PATHS.map((path) => [basePath + path, SIGN_IN_BODY_BYTES_MAX])),
      ),
    )
    .use(routes)
    .use(docs({ routes, version, basePath, schemas }));
}

/** A path as routes know it. */
function below(basePath: string, path: string): string {
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
}

/** The API's type, for typed clients. */
export type Api = ReturnType<typeof createApi>;
