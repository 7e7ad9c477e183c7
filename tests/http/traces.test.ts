import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../src/environment.ts";
import {
  type Scripted,
  startScripted,
  wordsEntry,
  writeSources,
} from "../features/lookup/scripted.ts";
import {
  KEY,
  type ModelService,
  SERVICE_SECRET,
  fails,
  says,
  startModelService,
  streams,
} from "../features/assistant/model-service.ts";
import { type TestApp, postJson, startTestApp, until } from "../support/app.ts";
import { type CollectedSpan, type Collector, startCollector } from "../support/collector.ts";
import { startListeningApp } from "../support/listening.ts";
import { openSocket } from "../support/socket.ts";
import { cut, speak, speech, written } from "../support/speaker.ts";

setDefaultTimeout(30_000);

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const traceparent = `00-${TRACE}-${PARENT}-01`;

let collector: Collector;
beforeAll(() => {
  collector = startCollector();
});
afterEach(() => {
  collector.be("well");
  collector.spans.length = 0;
  collector.text = "";
  collector.requests = 0;
});
afterAll(() => collector.stop());

/** An app that sends its traces soon. */
function startTraced(settings: Environment = {}): Promise<TestApp> {
  return startTestApp({ ...traced(), ...settings });
}

function traced(): Environment {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "20",
  };
}

/** Waits for the span that `is` says. */
async function spanThat(is: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
  let found: CollectedSpan | undefined;
  await until(() => (found = collector.spans.find(is)) !== undefined);
  if (found === undefined) throw new Error("there is no such span");
  return found;
}

const named = (name: string) => spanThat((span) => span.name === name);

/** Asks, reads all that is answered, and gives the status. */
async function ask(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  return response.status;
}

function warnings({ lines }: TestApp): string[] {
  return lines
    .map((line) => JSON.parse(line) as { part?: string; level: string; msg: string })
    .filter(({ part, level }) => part === "traces" && level !== "debug")
    .map(({ msg }) => msg);
}

describe("traces of requests", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTraced({
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=seven",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    });
  });
  afterAll(() => app.stop());

  test("name the route, the answer and the request's id", async () => {
    const response = await fetch(`${app.url}/v1/transcriptions/123?token=hunter2`);
    expect(response.status).toBe(404);
    const span = await named("GET /v1/transcriptions/:id");
    expect(span).toMatchObject({ kind: "server", parentSpanId: "", isFailed: false });
    expect(span.attributes).toEqual({
      "http.request.method": "GET",
      "http.route": "/v1/transcriptions/:id",
      "http.response.status_code": 404,
      "url.scheme": "http",
      "url.path": "/v1/transcriptions/123",
      "earshot.request_id": response.headers.get("x-request-id") ?? "",
    });
    expect(collector.headers.get("x-tenant")).toBe("seven");
    expect(collector.resource).toMatchObject({
      "service.name": "earshot",
      "deployment.environment.name": "test",
      "telemetry.sdk.name": "opentelemetry",
    });
  });

  test("hold no query, no name, no text and no token", async () => {
    const headers = { authorization: "Bearer hunter2", "x-api-key": "hunter2", traceparent };
    await ask(`${app.url}/v1/rooms/hunter2/messages?token=hunter2&q=hunter2`, headers);
    await ask(`${app.url}/v1/topics/hunter2?a=hunter2`, headers);
    await ask(`${app.url}/hunter2/hunter2?hunter2`, headers);
    await postJson(`${app.url}/v1/auth/login`, { name: "hunter2", password: "hunter2" }, headers);
    await fetch(`${app.url}/v1/posts?hunter2`, { method: "POST", body: "hunter2", headers });
    await fetch(`${app.url}/hunter2`, { method: "PROPFIND", headers });
    await ask(`${app.url}/readyz`);
    await named("GET /readyz");
    expect(collector.text).not.toContain("hunter2");
    const room = await named("GET /v1/rooms/:room/messages");
    expect(room.attributes["url.path"]).toBe("/v1/rooms/:room/messages");
    const nowhere = await spanThat(({ name }) => name === "GET");
    expect(nowhere.attributes).toMatchObject({ "http.response.status_code": 404 });
    const unknown = await spanThat(({ name }) => name === "HTTP");
    expect(unknown.attributes).toMatchObject({ "http.request.method": "_OTHER" });
  });

  test("know the route of a body that cannot be read", async () => {
    const headers = { "content-type": "application/json" };
    await fetch(`${app.url}/v1/auth/login`, { method: "POST", body: "{", headers });
    const span = await named("POST /v1/auth/login");
    expect(span.attributes).toMatchObject({ "http.response.status_code": 400 });
  });

  test("do not follow strangers", async () => {
    await ask(`${app.url}/healthz`, { traceparent });
    const span = await named("GET /healthz");
    expect(span.parentSpanId).toBe("");
    expect(span.traceId).not.toBe(TRACE);
  });

  test("follow a trusted proxy, if what it says is one", async () => {
    const behind = await startTraced({ TRUSTED_PROXIES: "127.0.0.1" });
    try {
      await ask(`${behind.url}/healthz`, { traceparent });
      expect(await named("GET /healthz")).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
      await ask(`${behind.url}/readyz`, { traceparent: "00-hunter2" });
      expect(await named("GET /readyz")).toMatchObject({ parentSpanId: "" });
      // Nor does it collect what the proxy does not.
      await ask(`${behind.url}/openapi.json`, { traceparent: `00-${TRACE}-${PARENT}-00` });
      await ask(`${behind.url}/docs`);
      await named("GET /docs");
      expect(collector.spans.map(({ name }) => name)).toEqual([
        "GET /healthz",
        "GET /readyz",
        "GET /docs",
      ]);
    } finally {
      await behind.stop();
    }
  });

  test("end with their stream", async () => {
    const response = await fetch(`${app.url}/v1/queue/events`);
    const reader = response.body?.getReader();
    await reader?.read();
    await ask(`${app.url}/readyz`);
    await named("GET /readyz");
    expect(collector.spans.map(({ name }) => name)).toEqual(["GET /readyz"]);
    await reader?.cancel();
    const span = await named("GET /v1/queue/events");
    expect(span).toMatchObject({ kind: "server", isFailed: false });
    expect(span.attributes).toMatchObject({ "http.response.status_code": 200 });
  });

  test("tell a socket's beginning", async () => {
    const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?room=lobby&name=hunter2`);
    await socket.next("joined");
    const span = await named("GET /v1/ws/chat");
    expect(span.attributes).toMatchObject({ "http.response.status_code": 101 });
    socket.close();
    expect(collector.text).not.toContain("hunter2");
  });

  test("show the way of a batch of posts", async () => {
    const content = "Barack Obama met Angela Merkel in Berlin.";
    const sent = await postJson(`${app.url}/v1/posts`, { publication: "p", content });
    expect(sent.status).toBe(201);
    const batch = await named("posts");
    expect(batch).toMatchObject({ kind: "internal", parentSpanId: "" });
    expect(batch.attributes).toEqual({ "earshot.posts.taken": 1, "earshot.posts.found": 1 });
    for (const name of ["find topics", "count topics"]) {
      const step = collector.spans.find((span) => span.name === name);
      expect(step).toMatchObject({ traceId: batch.traceId, parentSpanId: batch.spanId });
    }
    expect(collector.text).not.toContain("Merkel");
  });
});

describe("traces of calls to others", () => {
  let app: TestApp;
  let model: ModelService;
  let api: Scripted;
  let files: { folder: string; path: string };
  beforeAll(async () => {
    model = startModelService(says("yes"));
    api = startScripted();
    files = writeSources(wordsEntry(api.url));
    app = await startTraced({
      OPENAI_BASE_URL: model.url.replace("//", "//somebody:hunter2@"),
      OPENAI_API_KEY: KEY,
      LLM_MODEL: "small",
      PUBLIC_SOURCES: files.path,
    });
  });
  afterAll(async () => {
    await app.stop();
    await Promise.all([model.stop(), api.stop()]);
    rmSync(files.folder, { recursive: true, force: true });
  });
  afterEach(() => {
    for (const secret of [KEY, SERVICE_SECRET, "hunter2", "question"]) {
      expect(collector.text).not.toContain(secret);
    }
  });

  /** The span of the call, below that of the request that made it. */
  async function callOf(request: string): Promise<CollectedSpan> {
    const above = await named(request);
    const call = await spanThat(({ parentSpanId }) => parentSpanId === above.spanId);
    expect(call.traceId).toBe(above.traceId);
    return call;
  }

  test("are below the request that asked the language model", async () => {
    await postJson(`${app.url}/v1/inference`, { prompt: "question" });
    const call = await callOf("POST /v1/inference");
    expect(call).toMatchObject({ name: "POST", kind: "client", isFailed: false });
    expect(call.attributes).toEqual({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(model.url).port),
      "url.full": `${model.url}/chat/completions`,
    });
  });

  test("last as long as an answer in pieces", async () => {
    model.script(streams(["a", "b"]));
    const response = await postJson(`${app.url}/v1/inference`, {
      prompt: "question",
      stream: true,
    });
    expect(await response.text()).toContain("event: done");
    const above = await named("POST /v1/inference");
    const call = await callOf("POST /v1/inference");
    expect(call).toMatchObject({ kind: "client", isFailed: false });
    expect(above.ms).toBeGreaterThanOrEqual(call.ms);
  });

  test("tell what failed", async () => {
    model.script(fails(401));
    await postJson(`${app.url}/v1/inference`, { prompt: "question" });
    const call = await callOf("POST /v1/inference");
    expect(call).toMatchObject({ kind: "client", isFailed: true });
    expect(call.attributes).toMatchObject({ "error.type": "401" });
    const above = await named("POST /v1/inference");
    expect(above.isFailed).toBe(true);
  });

  test("do not tell what was looked up", async () => {
    await ask(`${app.url}/v1/public/words?word=hunter2`);
    const call = await callOf("GET /v1/public/:source");
    expect(call).toMatchObject({ name: "GET", kind: "client", isFailed: false });
    expect(call.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "server.port": api.port,
      "earshot.lookup.source": "words",
    });
  });

  test("are not told to others", async () => {
    let headers = new Headers();
    api.answer = (request) => {
      headers = request.headers;
      return Response.json(1);
    };
    await ask(`${app.url}/v1/public/words?word=other`);
    await callOf("GET /v1/public/:source");
    expect(headers.has("user-agent")).toBe(true);
    expect(headers.has("traceparent")).toBe(false);
  });
});

test("what is said is traced from its service to its words", async () => {
  const { app, service } = await startListeningApp(traced());
  try {
    await speak(app, cut(written(speech(0, 2_000))));
    const call = await spanThat(({ kind }) => kind === "client");
    expect(call).toMatchObject({ name: "POST", parentSpanId: "", isFailed: false });
    expect(call.attributes).toMatchObject({
      "http.response.status_code": 200,
      "url.full": `${service.url}/audio/transcriptions`,
    });
    const segment = await named("segment");
    expect(segment.parentSpanId).toBe("");
    expect(segment.attributes["earshot.segment.audio_ms"]).toBeGreaterThan(0);
    expect(segment.attributes["earshot.segment.behind_ms"]).toBeGreaterThanOrEqual(0);
    expect(collector.text).not.toContain("heard");
  } finally {
    await app.stop();
  }
});

describe("a collector", () => {
  test("is told in protobuf unless JSON is asked for", async () => {
    const bodies: string[] = [];
    const server = Bun.serve({
      port: 0,
      fetch: async (request) => {
        bodies.push(`${request.headers.get("content-type")} ${await request.text()}`);
        return new Response(null);
      },
    });
    const settings = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: server.url.href };
    const app = await startTraced({ ...settings, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" });
    await ask(`${app.url}/healthz`);
    await until(() => bodies.length > 0);
    await app.stop();
    expect(warnings(app)).toEqual([]);
    await server.stop(true);
    expect(bodies[0]).toStartWith("application/x-protobuf ");
    expect(bodies.join("")).toContain("GET /healthz");
  });

  test("is given what there is at a stop", async () => {
    const app = await startTraced({ OTEL_BSP_SCHEDULE_DELAY: "600000" });
    await ask(`${app.url}/healthz`);
    expect(collector.requests).toBe(0);
    await app.stop();
    expect(collector.spans.map(({ name }) => name)).toContain("GET /healthz");
  });

  test.each(["refusing", "failing", "silent"] as const)(
    "that is %s disturbs nobody and is told of once",
    async (mood) => {
      collector.be(mood);
      const app = await startTraced({
        OTEL_EXPORTER_OTLP_TIMEOUT: "200",
        OTEL_BSP_MAX_QUEUE_SIZE: "5",
      });
      for (let round = 0; round < 3; round++) {
        const before = collector.requests;
        for (let at = 0; at < 10; at++) expect(await ask(`${app.url}/healthz`)).toBe(200);
        await until(() => collector.requests > before);
      }
      await until(() => warnings(app).includes("traces are not taken, and are lost"));
      const isTold = () =>
        warnings(app).filter((line) => line === "traces are not taken, and are lost").length;
      expect(isTold()).toBe(1);
      collector.be("well");
      await until(async () => {
        await ask(`${app.url}/healthz`);
        return warnings(app).includes("traces are taken again");
      });
      expect(isTold()).toBe(1);
      await app.stop();
      expect(app.lines.join("")).not.toContain("had no owner");
    },
  );

  test("that is gone does not keep the server from stopping", async () => {
    const gone = startCollector();
    await gone.stop();
    const app = await startTraced({
      OTEL_EXPORTER_OTLP_ENDPOINT: gone.url,
      OTEL_EXPORTER_OTLP_TIMEOUT: "200",
    });
    expect(await ask(`${app.url}/healthz`)).toBe(200);
    await until(() => warnings(app).length > 0);
    expect(warnings(app)).toEqual(["traces are not taken, and are lost"]);
    expect(await ask(`${app.url}/healthz`)).toBe(200);
    await app.stop();
    const isThere = await ask(`${app.url}/healthz`).then(
      () => true,
      () => false,
    );
    expect(isThere).toBe(false);
  });
});

describe("nothing is sent", () => {
  test("of what the sampler leaves out", async () => {
    const app = await startTraced({
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0",
    });
    for (let at = 0; at < 20; at++) await ask(`${app.url}/v1/languages`);
    await postJson(`${app.url}/v1/posts`, { publication: "p", content: "Berlin" });
    await app.stop();
    expect(collector.requests).toBe(0);
  });

  test("and nothing loaded without a collector", async () => {
    const loaded = async (settings: Environment): Promise<number> => {
      const child = Bun.spawn(
        [process.execPath, join(import.meta.dir, "../support/loaded-child.ts")],
        {
          env: { PATH: process.env["PATH"] ?? "", ...settings },
          stdout: "pipe",
        },
      );
      return Number(await child.stdout.text());
    };
    expect(await loaded({ OTEL_SERVICE_NAME: "ears" })).toBe(0);
    expect(collector.requests).toBe(0);
    expect(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })).toBeGreaterThan(0);
  });
});
