import type { DoneSpan, SpanRequest, Traces } from "./traces.ts";

// Workers have nothing that sends: they tell the process of their spans when those are over, beside
// their own answers.

declare const self: Worker;

interface SpanNotice {
  type: "span";
  span: DoneSpan;
}

/** The worker's end. What runs within a span there is not below it. */
export function tellSpans(): Pick<Traces, "isOn" | "begin" | "within"> {
  return {
    isOn: true,
    begin: ({ name, kind, attributes = {} }: SpanRequest) => {
      const span: DoneSpan = {
        name,
        kind,
        attributes,
        failure: null,
        startedAt: now(),
        endedAt: 0,
      };
      return {
        isKept: true,
        set: (more) => void (span.attributes = { ...span.attributes, ...more }),
        rename: (other) => void (span.name = other),
        fail: (type) => void (span.failure ??= type),
        end: () => self.postMessage({ type: "span", span: { ...span, endedAt: now() } }),
      };
    },
    within: (_span, run, argument) => run(argument),
  };
}

/** The process's end: the same worker. */
export function hearSpans(traces: Traces, worker: Worker): Worker {
  if (traces.isOn) {
    worker.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (isSpanNotice(data)) traces.record(data.span);
    });
  }
  return worker;
}

export function isSpanNotice(message: unknown): message is SpanNotice {
  return (
    typeof message === "object" && message !== null && "type" in message && message.type === "span"
  );
}

/** Milliseconds since 1970, with their fractions. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
