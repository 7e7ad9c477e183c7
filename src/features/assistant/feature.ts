import type { Caller } from "../../http/caller.ts";
import { type Allowances, type Count, createQuota } from "../../http/quota.ts";
import type { Log } from "../../platform/log.ts";
import type { LineSentence, SummaryJob } from "../../text/summary.ts";
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
  /** Finds the sentences that say most, on a thread of its own. */
  chooseSentences(job: SummaryJob): Promise<LineSentence[]>;
  count: Count;
  log: Log;
}

/** Questions to the language model; past them 429 `llm_rate_limited`. */
const QUESTIONS: Allowances = {
  user: { burst: 60, everyMs: 2_000 },
  guests: { burst: 300, everyMs: 400 },
};
/** Summaries, with the model or without; past them 429 `rate_limited`. */
const SUMMARIES: Allowances = {
  user: { burst: 120, everyMs: 2_000 },
  guests: { burst: 600, everyMs: 400 },
};

export function createAssistantFeature(
  dependencies: AssistantFeatureDependencies,
): AssistantFeature {
  const { inference, readTranscription, readRoom, chooseSentences, count, log } = dependencies;
  const admission = createAdmission(createQuota(count, "questions", QUESTIONS));
  return {
    routes: {
      service: createAssistantService({ inference, admission }),
      summarise: createSummaries({
        inference,
        admission,
        quota: createQuota(count, "summaries", SUMMARIES),
        choose: chooseSentences,
        log,
      }),
      readTranscription,
      readRoom,
    },
  };
}
