import { asProblem, logged } from "../../http/errors.ts";
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

/** A proxy ends a connection that is silent for a minute. */
const SILENT_MS_MAX = 15_000;

/**
 * An answer as server-sent events: `delta` with a piece of the text, then `done` with the whole
 * answer, or `error` with a problem. It begins with the first piece, or when the model has thought
 * for long; before that it rejects, so that most errors have a status. What the caller does not
 * read waits; the limit of an answer is its limit.
 */
export async function streamAnswer({
  open,
  request,
  log,
  silentMs = SILENT_MS_MAX,
}: AnswerStreamRequest): Promise<Response> {
  const begun = Promise.withResolvers<void>();
  const left = new AbortController();
  const signal = AbortSignal.any([request.signal, left.signal]);
  const encoder = new TextEncoder();
  let isBegun = false;
  let isOver = false;
  let told: ReadableStreamDefaultController<Uint8Array> | null = null;

  const send = (text: string): void => {
    if (!isOver) told?.enqueue(encoder.encode(text));
  };
  const tell = (event: string, data: object): void =>
    send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const begin = (): void => {
    isBegun = true;
    begun.resolve();
  };

  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (told = controller),
    cancel: () => {
      isOver = true;
      left.abort(new DOMException("the client has gone", "AbortError"));
    },
  });

  const run = async (): Promise<void> => {
    const texts = open(signal);
    for (;;) {
      const next = await texts.next();
      begin();
      if (next.done === true) return tell("done", answerJson(next.value));
      tell("delta", { text: next.value });
    }
  };

  /** What goes wrong once the answer has begun. */
  const tellError = (error: unknown): void => {
    if (signal.aborted || !isBegun) return;
    tell("error", problemMembers(asProblem(error) ?? logged(error, request, log)));
  };

  const silence = setInterval(() => {
    begin();
    send(": still thinking\n\n");
  }, silentMs);
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
