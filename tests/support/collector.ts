type Value = string | number | boolean;

/** A span as a collector was given it. */
export interface CollectedSpan {
  name: string;
  kind: "internal" | "server" | "client";
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentSpanId: string;
  isFailed: boolean;
  ms: number;
  attributes: Record<string, Value>;
}

/** How a collector is: it takes all, refuses it, fails, or never answers. */
export type Mood = "well" | "refusing" | "failing" | "silent";

/** Takes traces by OTLP as JSON over http (OpenTelemetry Protocol Specification 1). */
export interface Collector {
  url: string;
  spans: CollectedSpan[];
  /** What describes the process that sent last. */
  resource: Record<string, Value>;
  requests: number;
  headers: Headers;
  /** Everything that came, as it came. */
  text: string;
  be(mood: Mood): void;
  stop(): Promise<void>;
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number; doubleValue?: number; boolValue?: boolean };
}

interface Sent {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: SentSpan[] }[];
  }[];
}

interface SentSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes: Attribute[];
}

const KINDS = ["internal", "internal", "server", "client"] as const;
const ERROR = 2;
const STATUSES = { refusing: 400, failing: 503 } as const;

export function startCollector(port = 0): Collector {
  let mood: Mood = "well";
  const server = Bun.serve({
    port,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const body = await request.text();
      collector.requests++;
      if (mood === "silent") return new Promise<Response>(() => {});
      if (mood !== "well") return new Response(body, { status: STATUSES[mood] });
      collector.text += request.url + body;
      collector.headers = request.headers;
      for (const { resource, scopeSpans } of (JSON.parse(body) as Sent).resourceSpans) {
        collector.resource = valuesOf(resource.attributes);
        for (const { spans } of scopeSpans) collector.spans.push(...spans.map(collected));
      }
      return Response.json({});
    },
  });
  const collector: Collector = {
    url: `http://127.0.0.1:${server.port}`,
    spans: [],
    resource: {},
    requests: 0,
    headers: new Headers(),
    text: "",
    be: (next) => {
      mood = next;
    },
    stop: () => server.stop(true),
  };
  return collector;
}

function collected(span: SentSpan): CollectedSpan {
  const { name, kind, traceId, spanId, parentSpanId = "", status, attributes } = span;
  const ns = BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
  return {
    name,
    kind: KINDS[kind] ?? "internal",
    traceId,
    spanId,
    parentSpanId,
    isFailed: status?.code === ERROR,
    ms: Number(ns) / 1e6,
    attributes: valuesOf(attributes),
  };
}

function valuesOf(attributes: readonly Attribute[]): Record<string, Value> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? "",
    ]),
  );
}
