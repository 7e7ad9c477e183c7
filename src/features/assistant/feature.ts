import type { Caller } from "../../http/caller.ts";
import type { Log } from "../../platform/log.ts";
import type { Rate, RateLimit } from "../../realtime/rate.ts";
import { createAdmission } from "./admission.ts";
import type { Inference } from "./inference.ts";
import type { AssistantRoutesDependencies } from "./routes.ts";
import type { Talk } from "./said.ts";
import { createAssistantService } from "./service.ts";
import { createSummaries } from "./summaries.ts";

/** The language model's part of the house. */
export interface AssistantFeature {
  routes: Omit<AssistantRoutesDependencies, "guard" | "log">;
}

export interface AssistantFeatureDependencies {
  inference: Inference;
  /** What a transcription holds. Throws what the caller is to be told when it may not see it. */
  readTranscription(caller: Caller, id: number): Promise<Talk>;
  /** What was said last in a room. Throws likewise. */
  readRoom(caller: Caller, room: string): Promise<Talk>;
  /** How often one user may ask, in this process. */
  quota: RateLimit;
  log: Log;
}

/** What one user may ask in the long run, and at once. */
export const QUESTIONS: Rate = { perSecond: 0.5, burst: 60 };

export function createAssistantFeature(
  dependencies: AssistantFeatureDependencies,
): AssistantFeature {
  const { inference, readTranscription, readRoom, quota, log } = dependencies;
  const shared = { inference, admission: createAdmission(quota), log };
  return {
    routes: {
      service: createAssistantService(shared),
      summarise: createSummaries(shared),
      readTranscription,
      readRoom,
    },
  };
}
