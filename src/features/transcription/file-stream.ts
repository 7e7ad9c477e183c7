import { asProblem, logged } from "../../http/errors.ts";
import type { Log } from "../../platform/log.ts";
import type { ReceivedFile } from "./file-transcriber.ts";
import { deltaOf, doneEvent, openAiError } from "./openai-answers.ts";

/** A proxy ends a connection that is silent for a minute. */
const SILENT_MS_MAX = 15_000;

/**
 * The words as server-sent events while the file is recognised. The answer begins when the file has
 * turned out to be sound; before that it rejects, so that most errors have a status. Closes the file.
 */
export async function streamAnswer(
  file: ReceivedFile,
  request: Request,
  log: Log,
): Promise<Response> {
  const begun = Promise.withResolvers<void>();
  const left = new AbortController();
  const signal = AbortSignal.any([request.signal, left.signal]);
  const encoder = new TextEncoder();
  let isFirst = true;
  let isBegun = false;
  let isOver = false;
  let told: ReadableStreamDefaultController<Uint8Array> | null = null;

  const send = (text: string): void => {
    if (!isOver) told?.enqueue(encoder.encode(text));
  };
  const tell = (event: string, data: object): void =>
    send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (told = controller),
    cancel: () => {
      isOver = true;
      left.abort(new DOMException("the client has gone", "AbortError"));
    },
  });

  const run = async (): Promise<void> => {
    try {
      const words = await file.recognise({
        signal,
        onBegin: () => {
          isBegun = true;
          begun.resolve();
        },
        onSegment: (segment) => {
          const delta = deltaOf(segment, isFirst);
          if (delta === "") return;
          isFirst = false;
          tell("transcript.text.delta", { type: "transcript.text.delta", delta });
        },
      });
      tell("transcript.text.done", doneEvent(words));
      begun.resolve();
    } finally {
      await file.close();
    }
  };

  /** What goes wrong once the answer has begun. */
  const tellError = (error: unknown): void => {
    if (signal.aborted || !isBegun) return;
    const problem = asProblem(error) ?? logged(error, request, log);
    tell("error", { type: "error", error: openAiError(problem) });
  };

  const silence = setInterval(() => send(": still listening\n\n"), SILENT_MS_MAX);
  const done = run();
  const end = (): void => {
    clearInterval(silence);
    if (!isOver) told?.close();
    isOver = true;
  };
  done.then(end, (error: unknown) => {
    tellError(error);
    end();
  });
  await Promise.race([begun.promise, done]);
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
  });
}
