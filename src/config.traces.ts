import {
  ConfigError,
  type Environment,
  choice,
  fraction,
  httpAddress,
  pairs,
  text,
  whole,
} from "./environment.ts";

// The settings of traces: OpenTelemetry's own names, meanings and defaults (Environment Variable
// Specification and OTLP Exporter Configuration).

const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** Where traces go, and which. */
export interface TracesConfig {
  /** Takes spans by OTLP, such as `http://127.0.0.1:4318/v1/traces`. */
  url: string;
  protocol: "http/protobuf" | "http/json";
  /** Sent with every batch; they may be secrets. */
  headers: Record<string, string>;
  /** How long one batch may take, with its retries. */
  timeoutMs: number;
  serviceName: string;
  /** What else describes this process. */
  resource: Record<string, string>;
  sampler: SamplerName;
  /** The share of traces that a sampler by ratio takes. */
  ratio: number;
  batch: {
    /** How long spans wait for others. */
    delayMs: number;
    timeoutMs: number;
    /** Spans that wait; more are dropped. */
    queueMax: number;
    spansMax: number;
  };
}

const WAIT_MS_MAX = 600_000;
const SPANS_MAX = 1_000_000;

/** Null when traces are off: then none of their other settings is looked at. */
export function readTraces(env: Environment): TracesConfig | null {
  const endpoint = httpAddress(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  const own = httpAddress(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const url = own ?? (endpoint === null ? null : `${endpoint.replace(/\/$/, "")}/v1/traces`);
  const isDisabled = text(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true";
  if (url === null || isDisabled) return null;
  if (choice(env, "OTEL_TRACES_EXPORTER", ["otlp", "none"], "otlp") === "none") return null;
  const attributes = pairs(env, "OTEL_RESOURCE_ATTRIBUTES");
  return {
    url,
    protocol: protocol(env),
    headers: headers(env),
    timeoutMs: whole(env, "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 1, WAIT_MS_MAX),
    serviceName: text(env, "OTEL_SERVICE_NAME") ?? attributes["service.name"] ?? "earshot",
    resource: Object.fromEntries(
      Object.entries(attributes).filter(([name]) => name !== "service.name"),
    ),
    sampler: choice(env, "OTEL_TRACES_SAMPLER", SAMPLERS, "parentbased_always_on"),
    ratio: fraction(env, "OTEL_TRACES_SAMPLER_ARG", 1),
    batch: {
      delayMs: whole(env, "OTEL_BSP_SCHEDULE_DELAY", 5_000, 1, WAIT_MS_MAX),
      timeoutMs: whole(env, "OTEL_BSP_EXPORT_TIMEOUT", 30_000, 1, WAIT_MS_MAX),
      queueMax: whole(env, "OTEL_BSP_MAX_QUEUE_SIZE", 2_048, 1, SPANS_MAX),
      spansMax: whole(env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1, SPANS_MAX),
    },
  };
}

function protocol(env: Environment): TracesConfig["protocol"] {
  const known = ["http/protobuf", "http/json", "grpc"] as const;
  const isOwn = text(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") !== null;
  const found = isOwn
    ? choice(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", known, "http/protobuf")
    : choice(env, "OTEL_EXPORTER_OTLP_PROTOCOL", known, "http/protobuf");
  if (found !== "grpc") return found;
  const name = `OTEL_EXPORTER_OTLP_${isOwn ? "TRACES_" : ""}PROTOCOL`;
  throw new ConfigError(
    `${name}=grpc is not spoken here: use http/protobuf or http/json, at the collector's port for http (4318)`,
  );
}

function headers(env: Environment): Record<string, string> {
  const found = pairs(env, "OTEL_EXPORTER_OTLP_HEADERS");
  try {
    return new Headers(found).toJSON();
  } catch {
    throw new ConfigError(
      `OTEL_EXPORTER_OTLP_HEADERS must hold names and values that a request may carry`,
    );
  }
}
