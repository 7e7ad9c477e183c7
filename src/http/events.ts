import type { Log } from "../platform/log.ts";
import { asProblem, logged } from "./errors.ts";
import type { Problem } from "./problem.ts";

// Server-sent events (HTML Living Standard, section 9.2), as every route that has them sends them.

/** A stream of events to one caller. */
export interface EventStream {
  response: Response;
  /** Tells an event; false when it is not taken, since too much waits unread or nobody is there. */
  tell(event: string, data: object): boolean;
  /** Ends the stream behind what was told. */
  end(): void;
}

export interface EventStreamOptions {
  /** Events that may wait unread. */
  waitingMax: number;
  /** Called once when the caller leaves, not after `end`. */
  onLeave(): void;
  /** How long nothing is sent at most. */
  silentMs?: number;
}

/** What tells an answer as events while it is made. */
export interface AnswerTold {
  tell(event: string, data: object): void;
  /** From here on the answer is a stream, and what goes wrong is told in it. */
  begin(): void;
  /** Aborted when the caller leaves, or does not read what it is told. */
  signal: AbortSignal;
}

export interface AnswerRequest {
  request: Request;
  /** Makes the answer; the stream ends with it. */
  run(told: AnswerTold): Promise<void>;
  /** The data of the event `error`, which ends an answer that goes wrong once it has begun. */
  errorData(problem: Problem): object;
  /** Whether an answer that is long in coming begins all the same, so that its caller hears of it. */
  beginsInSilence: boolean;
  log: Log;
  silentMs?: number;
}

/** A proxy ends a connection that is silent for a minute. */
const SILENT_MS_MAX = 15_000;
/** Events of one answer that may wait unread; past it the answer is broken off. */
const ANSWER_WAITING_MAX = 10_000;
const STILL_HERE = ": still here\n\n";
const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** One event as it is sent; data of several lines are as many lines. */
export function eventText(event: string, data: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `event: ${event}\n${lines.join("")}\n`;
}

/**
 * Opens a stream of events. It says now and then that it is still there, which also finds out that the
 * caller has gone without a word.
 */
export function openEvents({
  waitingMax,
  onLeave,
  silentMs = SILENT_MS_MAX,
}: EventStreamOptions): EventStream {
  const encoder = new TextEncoder();
  let isOver = false;
  let told: ReadableStreamDefaultController<Uint8Array> | null = null;

  const send = (text: string): boolean => {
    if (isOver || told === null || (told.desiredSize ?? 0) <= 0) return false;
    told.enqueue(encoder.encode(text));
    return true;
  };
  const finish = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearInterval(silence);
    return true;
  };
  const silence = setInterval(() => send(STILL_HERE), silentMs);
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => void (told = controller),
      cancel: () => {
        if (finish()) onLeave();
      },
    },
    { highWaterMark: waitingMax },
  );
  return {
    response: new Response(body, { headers: HEADERS }),
    tell: (event, data) => send(eventText(event, JSON.stringify(data))),
    end: () => {
      if (finish()) told?.close();
    },
  };
}

/**
 * An answer as events. It rejects with what goes wrong before it begins, so that most errors have a
 * status.
 */
export async function answerInEvents(wanted: AnswerRequest): Promise<Response> {
  const { request, run, errorData, beginsInSilence, log, silentMs = SILENT_MS_MAX } = wanted;
  const begun = Promise.withResolvers<void>();
  const left = new AbortController();
  const leave = (): void => left.abort(new DOMException("the client has gone", "AbortError"));
  const signal = AbortSignal.any([request.signal, left.signal]);
  const stream = openEvents({ waitingMax: ANSWER_WAITING_MAX, onLeave: leave, silentMs });
  let isBegun = false;
  const begin = (): void => {
    isBegun = true;
    begun.resolve();
  };
  // Half an answer must not look like a whole one: whoever misses an event is told no more.
  const tell = (event: string, data: object): void => {
    if (signal.aborted || stream.tell(event, data)) return;
    leave();
    stream.end();
  };
  const silence = beginsInSilence ? setTimeout(begin, silentMs) : undefined;

  const answer = async (): Promise<void> => {
    try {
      await run({ tell, begin, signal });
    } catch (error) {
      if (!isBegun) throw error;
      if (!signal.aborted)
        tell("error", errorData(asProblem(error) ?? logged(error, request, log)));
    } finally {
      clearTimeout(silence);
      stream.end();
    }
  };
  await Promise.race([begun.promise, answer()]);
  return stream.response;
}
