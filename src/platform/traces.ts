import { codeOf } from "./error-code.ts";

// Traces tell an operator where the time of one request went. Their technology is in traces.otel.ts,
// which is loaded only where somebody collects them.

/** Numbers, kinds and ids. Nothing that was said, nobody's name, no token and no query may be put in. */
export type SpanAttributes = Record<string, string | number | boolean | null>;

export interface SpanRequest {
  /** One of few: what differs each time is an attribute. */
  name: string;
  /** `server`: somebody asked us. `client`: we ask somebody. Neither: something that is done here. */
  kind?: "server" | "client" | undefined;
  attributes?: SpanAttributes;
  /** It is done for all, and not for the request that it happens to run in. */
  isRoot?: boolean;
  /** The `traceparent` (W3C Trace Context) of who asked, when that may be believed. */
  parent?: string | null;
}

/** A stretch of time that something took. After `end` nothing about it changes any more. */
export interface Span {
  /** False when it is left out: then nothing that is said of it is kept. */
  isKept: boolean;
  /** Adds what became known meanwhile; null is left out. */
  set(attributes: SpanAttributes): void;
  rename(name: string): void;
  /** It went wrong; `type` is one of few, such as a status or a code. */
  fail(type: string): void;
  end(): void;
}

/** A span that was measured elsewhere; times are in milliseconds since 1970. */
export interface DoneSpan extends Pick<SpanRequest, "name" | "kind"> {
  attributes: SpanAttributes;
  /** What it failed with; see `Span.fail`. */
  failure: string | null;
  startedAt: number;
  endedAt: number;
}

export interface Traces {
  /** False where nobody collects them: then none of the others does anything. */
  isOn: boolean;
  /** Begins a span below the one that runs now. Whoever begins it ends it. */
  begin(request: SpanRequest): Span;
  /** Runs something, with all that it begins, below `span`. */
  within<Argument, Result>(
    span: Span,
    run: (argument: Argument) => Result,
    argument: Argument,
  ): Result;
  /** A span around `work`, which goes wrong when that rejects. */
  span<Result>(request: SpanRequest, work: (span: Span) => Promise<Result>): Promise<Result>;
  /** Takes a span, as a trace of its own. */
  record(span: DoneSpan): void;
  /** Hands over what was collected, for so long. Never rejects. */
  close(withinMs: number): Promise<void>;
}

const NO_SPAN: Span = {
  isKept: false,
  set: () => undefined,
  rename: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** For where nobody collects traces. */
export const NO_TRACES: Traces = {
  isOn: false,
  begin: () => NO_SPAN,
  within: (_span, run, argument) => run(argument),
  span: (_request, work) => work(NO_SPAN),
  record: () => undefined,
  close: async () => undefined,
};

/** What kind of error it is; its message may hold what somebody wrote. */
export function errorType(error: unknown): string {
  const code = codeOf(error);
  if (code !== "") return code;
  return error instanceof Error ? error.name : "error";
}
