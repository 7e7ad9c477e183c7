import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  DiagLogLevel,
  type Span as OpenTelemetrySpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  diag,
  trace,
} from "@opentelemetry/api";
import { ExportResultCode, parseTraceParent } from "@opentelemetry/core";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { SamplerName, TracesConfig } from "../config.traces.ts";
import { codeOf } from "./error-code.ts";
import type { Log } from "./log.ts";
import {
  type Span,
  type SpanAttributes,
  type SpanRequest,
  type Traces,
  errorType,
} from "./traces.ts";

export interface TracesDependencies {
  config: TracesConfig;
  version: string;
  processId: string;
  log: Log;
}

/** Longer values are cut. */
const VALUE_CHARACTERS_MAX = 512;
/** Different complaints that are told before all others are left out. */
const COMPLAINTS_MAX = 20;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT };

/** Traces by OpenTelemetry, sent to a collector. Collecting never waits for sending. */
export function createTraces({ config, version, processId, log }: TracesDependencies): Traces {
  const running = new AsyncLocalStorage<Context>();
  const health = createHealth(log);
  // One logger for the whole process: it belongs to the library, not to us.
  diag.setLogger(
    { ...SILENT, error: health.complain, warn: health.complain },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const { batch } = config;
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        "service.name": config.serviceName,
        "service.version": version,
        "service.instance.id": processId,
        ...config.resource,
      }),
    ),
    sampler: samplerOf(config),
    spanLimits: { attributeValueLengthLimit: VALUE_CHARACTERS_MAX },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: watched(exporterOf(config), health),
        scheduledDelayMillis: batch.delayMs,
        exportTimeoutMillis: batch.timeoutMs,
        maxQueueSize: batch.queueMax,
        maxExportBatchSize: Math.min(batch.spansMax, batch.queueMax),
      }),
    ],
  });
  const tracer = provider.getTracer("earshot", version);
  /** Where the spans of this adapter are in the library's own terms. */
  const contexts = new WeakMap<Span, Context>();

  const parentOf = (isRoot: boolean, parent: string | null): Context => {
    const above = isRoot ? ROOT_CONTEXT : (running.getStore() ?? ROOT_CONTEXT);
    const remote = parent === null ? null : parseTraceParent(parent);
    return remote === null ? above : trace.setSpanContext(above, { ...remote, isRemote: true });
  };

  const begin: Traces["begin"] = ({ name, kind, attributes, isRoot = false, parent = null }) => {
    const context = parentOf(isRoot, parent);
    const span = tracer.startSpan(name, { kind: kindOf(kind) }, context);
    const isKept = span.isRecording();
    if (isKept && attributes !== undefined) setKnown(span, attributes);
    let hasFailed = false;
    const own: Span = {
      isKept,
      set: (more) => {
        if (isKept) setKnown(span, more);
      },
      rename: (other) => void span.updateName(other),
      fail: (type) => {
        // What went wrong first says more than what came of it.
        if (!hasFailed) markFailed(span, type);
        hasFailed = true;
      },
      end: () => span.end(),
    };
    contexts.set(own, trace.setSpan(context, span));
    return own;
  };

  const within: Traces["within"] = (span, run, argument) =>
    running.run(contexts.get(span) ?? ROOT_CONTEXT, run, argument);

  const record: Traces["record"] = ({ name, kind, attributes, failure, startedAt, endedAt }) => {
    const request = { kind: kindOf(kind), startTime: startedAt };
    const span = tracer.startSpan(name, request, ROOT_CONTEXT);
    setKnown(span, attributes);
    if (failure !== null) markFailed(span, failure);
    span.end(endedAt);
  };

  return {
    isOn: true,
    begin,
    within,
    record,
    span: async (request, work) => {
      const span = begin(request);
      try {
        return await within(span, work, span);
      } catch (error) {
        span.fail(errorType(error));
        throw error;
      } finally {
        span.end();
      }
    },
    close: async (withinMs) => {
      const handedOver = provider.shutdown().then(
        () => true,
        (error: unknown) => {
          health.failed(error);
          return true;
        },
      );
      const late = Bun.sleep(withinMs).then(() => false);
      if (!(await Promise.race([handedOver, late]))) health.failed(new Error("it took too long"));
      diag.disable();
    },
  };
}

function kindOf(kind: SpanRequest["kind"]): SpanKind {
  return kind === undefined ? SpanKind.INTERNAL : KINDS[kind];
}

function markFailed(span: OpenTelemetrySpan, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute("error.type", type);
}

function setKnown(span: OpenTelemetrySpan, attributes: SpanAttributes): void {
  for (const name in attributes) {
    const value = attributes[name] ?? null;
    if (value !== null) span.setAttribute(name, value);
  }
}

const SILENT = { error() {}, warn() {}, info() {}, debug() {}, verbose() {} };

/** Whether the collector takes what it is sent, told when that changes. */
interface Health {
  worked(): void;
  failed(error: unknown): void;
  /** Something else that the library has to say; the same is told once as long as it lasts. */
  complain(message: string): void;
}

function createHealth(log: Log): Health {
  let isFailing = false;
  const complaints = new Set<string>();
  // Bound to here: what is sent is of many requests, and not of the one that began the sending.
  return {
    worked: AsyncLocalStorage.bind(() => {
      if (isFailing) log.info({}, "traces are taken again");
      isFailing = false;
    }),
    failed: AsyncLocalStorage.bind((error: unknown) => {
      if (!isFailing) log.warn({ reason: reasonOf(error) }, "traces are not taken, and are lost");
      isFailing = true;
    }),
    complain: AsyncLocalStorage.bind((message: string) => {
      const kind = message.replace(/\d+/g, "0");
      if (complaints.has(kind) || complaints.size >= COMPLAINTS_MAX) return;
      complaints.add(kind);
      log.warn({ reason: message }, "a part of the traces is not right");
    }),
  };
}

/**
 * A status, a code, or what the library says when there is neither. A collector's own words are not
 * told: it may repeat what it was sent.
 */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return errorType(error);
  if ("code" in error && typeof error.code === "number") return `status ${error.code}`;
  return codeOf(error) || error.message;
}

/** An exporter whose failures are this side's business: spans that are not taken are gone. */
function watched(exporter: SpanExporter, health: Health): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, ({ code, error }) => {
        if (code === ExportResultCode.SUCCESS) health.worked();
        else health.failed(error);
        done({ code: ExportResultCode.SUCCESS });
      }),
    shutdown: () => exporter.shutdown(),
  };
}

function exporterOf({ url, headers, timeoutMs, protocol, batch }: TracesConfig): SpanExporter {
  // The queue would take a longer wait for a failure of its own, and tell of it each time.
  const options = { url, headers, timeoutMillis: Math.min(timeoutMs, batch.timeoutMs) };
  return protocol === "http/json" ? new JsonExporter(options) : new ProtobufExporter(options);
}

function samplerOf({ sampler, ratio }: TracesConfig): Sampler {
  const samplers: Record<SamplerName, () => Sampler> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
    parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    parentbased_traceidratio: () =>
      new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
  };
  return samplers[sampler]();
}
