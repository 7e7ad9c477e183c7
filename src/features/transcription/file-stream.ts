import { answerInEvents } from "../../http/events.ts";
import type { Log } from "../../platform/log.ts";
import type { ReceivedFile } from "./file-transcriber.ts";
import { deltaOf, doneEvent, openAiError } from "./openai-answers.ts";

/**
 * The words as server-sent events while the file is recognised. The answer begins when the file has
 * turned out to be sound; before that it rejects, so that most errors have a status. Closes the file.
 */
export function streamAnswer(file: ReceivedFile, request: Request, log: Log): Promise<Response> {
  return answerInEvents({
    request,
    log,
    beginsInSilence: false,
    errorData: (problem) => ({ type: "error", error: openAiError(problem) }),
    run: async ({ tell, begin, signal }) => {
      let isFirst = true;
      try {
        const words = await file.recognise({
          signal,
          onBegin: begin,
          onSegment: (segment) => {
            const delta = deltaOf(segment, isFirst);
            if (delta === "") return;
            isFirst = false;
            tell("transcript.text.delta", { type: "transcript.text.delta", delta });
          },
        });
        tell("transcript.text.done", doneEvent(words));
      } finally {
        await file.close();
      }
    },
  });
}
