import { answerInEvents } from "../../http/events.ts";
import { problemMembers } from "../../http/problem.ts";
import type { Log } from "../../platform/log.ts";
import type { Answer } from "./answers.ts";
import { answerJson } from "./model.ts";

export interface AnswerStreamRequest {
  /** Opens the answer; the signal is aborted when the caller leaves. */
  open(signal: AbortSignal): AsyncGenerator<string, Answer, undefined>;
  request: Request;
  log: Log;
  /** How long nothing is sent at most. */
  silentMs?: number;
}

/**
 * An answer as server-sent events: `delta` with a piece of the text, then `done` with the whole
 * answer, or `error` with a problem. It begins with the first piece, or when the model has thought
 * for long; before that it rejects, so that most errors have a status.
 */
export function streamAnswer({ open, ...rest }: AnswerStreamRequest): Promise<Response> {
  return answerInEvents({
    ...rest,
    beginsInSilence: true,
    errorData: problemMembers,
    run: async ({ tell, begin, signal }) => {
      const texts = open(signal);
      for (;;) {
        const next = await texts.next();
        begin();
        if (next.done === true) return tell("done", answerJson(next.value));
        tell("delta", { text: next.value });
      }
    },
  });
}
