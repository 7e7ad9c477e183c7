import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { ConfigError, type Environment } from "../src/environment.ts";

const ROOT = join(import.meta.dir, "..");
const SECRET = "a secret of more than thirty-two bytes";

/** The message that a wrong setting stops the start with. */
function refusalOf(env: Environment): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`nothing is wrong with ${Object.keys(env).join(", ")}`);
}

describe("the settings", () => {
  test("have the documented defaults", () => {
    expect(readConfig({})).toMatchObject({
      host: "127.0.0.1",
      port: 3000,
      portShared: false,
      databasePath: "./data/earshot.db",
      redisUrl: null,
      auth: "open",
      jwtSecret: null,
      apiKeys: [],
      corsOrigins: [],
      speechEngine: "auto",
      llmModel: null,
      llmCleanup: false,
      presenceLeaseMs: 15_000,
      logLevel: "info",
      shutdownTimeoutMs: 10_000,
      basePath: "",
      tls: null,
      retentionDays: null,
    });
    expect(readConfig({}).speechWorkers).toBeGreaterThan(0);
    expect(readConfig({}).textWorkers).toBeGreaterThan(0);
  });

  test("that are empty or blank count as not set", () => {
    const names = [
      "HOST",
      "PORT",
      "PORT_SHARED",
      "DATABASE_URL",
      "REDIS_URL",
      "AUTH",
      "JWT_SECRET",
      "API_KEYS",
      "CORS_ORIGINS",
      "SPEECH_ENGINE",
      "SPEECH_WORKERS",
      "TEXT_WORKERS",
      "PRESENCE_LEASE_MS",
      "LOG_LEVEL",
      "SHUTDOWN_TIMEOUT_MS",
      "TLS_CERT",
      "RETENTION_DAYS",
    ];
    for (const blank of ["", "  "]) {
      const env = Object.fromEntries(names.map((name) => [name, blank]));
      expect(readConfig(env)).toEqual(readConfig({}));
    }
  });

  const good: [Environment, object][] = [
    [{ HOST: "localhost" }, { host: "localhost", auth: "open" }],
    [{ HOST: "::1" }, { host: "::1" }],
    [{ HOST: "127.1.2.3" }, { host: "127.1.2.3" }],
    [
      { HOST: "0.0.0.0", JWT_SECRET: SECRET },
      { host: "0.0.0.0", auth: "required" },
    ],
    [{ PORT: "0" }, { port: 0 }],
    [{ PORT: " 65535 " }, { port: 65_535 }],
    [{ PORT_SHARED: "on" }, { portShared: true }],
    [{ PORT_SHARED: "off" }, { portShared: false }],
    [{ DATABASE_URL: "sqlite::memory:" }, { databasePath: ":memory:" }],
    [{ DATABASE_URL: "sqlite:/var/lib/a b.db" }, { databasePath: "/var/lib/a b.db" }],
    [{ DATABASE_URL: "sqlite:///var/lib/a.db" }, { databasePath: "/var/lib/a.db" }],
    [{ REDIS_URL: "redis://127.0.0.1:6379" }, { redisUrl: "redis://127.0.0.1:6379" }],
    [{ REDIS_URL: "rediss://me:pw@r.example/2" }, { redisUrl: "rediss://me:pw@r.example/2" }],
    [{ JWT_SECRET: SECRET }, { auth: "required", jwtSecret: SECRET }],
    [
      { JWT_SECRET: SECRET, AUTH: "open" },
      { auth: "open", jwtSecret: SECRET },
    ],
    [{ JWT_SECRET: "é".repeat(16) }, { jwtSecret: "é".repeat(16) }],
    [{ API_KEYS: "x".repeat(16) }, { apiKeys: ["x".repeat(16)] }],
    [
      { API_KEYS: ` ek_0123456789abc , ${"y".repeat(1_024)}` },
      { apiKeys: ["ek_0123456789abc", "y".repeat(1_024)] },
    ],
    [
      { CORS_ORIGINS: "https://example.org, http://localhost:8080" },
      { corsOrigins: ["https://example.org", "http://localhost:8080"] },
    ],
    [{ SPEECH_ENGINE: "none" }, { speechEngine: "none" }],
    [{ SPEECH_ENGINE: "vosk" }, { speechEngine: "vosk" }],
    [
      { SPEECH_WORKERS: "1", TEXT_WORKERS: "64" },
      { speechWorkers: 1, textWorkers: 64 },
    ],
    [{ PRESENCE_LEASE_MS: "1000" }, { presenceLeaseMs: 1_000 }],
    [{ SHUTDOWN_TIMEOUT_MS: "600000" }, { shutdownTimeoutMs: 600_000 }],
    ...["trace", "debug", "info", "warn", "error", "silent"].map((level): [Environment, object] => [
      { LOG_LEVEL: level },
      { logLevel: level },
    ]),
  ];
  for (const [env, expected] of good) {
    test(`take ${JSON.stringify(env)}`, () => expect(readConfig(env)).toMatchObject(expected));
  }

  const bad: [string, string[]][] = [
    ["PORT", ["-1", "65536", "80.5", "http", "0x50", "1e3", "3000\n4000"]],
    ["PORT_SHARED", ["yes", "ON", "1"]],
    ["DATABASE_URL", ["postgres://localhost/a", "./a.db", "sqlite:", "sqlite://"]],
    ["REDIS_URL", ["127.0.0.1:6379", "http://127.0.0.1", "redis"]],
    ["AUTH", ["none", "Open"]],
    ["JWT_SECRET", ["short", "x".repeat(31)]],
    [
      "API_KEYS",
      ["short", "x".repeat(15), `${"x".repeat(16)},`, "x".repeat(1_025), "é".repeat(16)],
    ],
    ["CORS_ORIGINS", ["*", "example.org", "https://example.org/", "https://a.example,,", "null"]],
    ["SPEECH_ENGINE", ["sherpa-onnx", "whisper"]],
    ["SPEECH_WORKERS", ["0", "65", "many"]],
    ["TEXT_WORKERS", ["0", "-2"]],
    ["PRESENCE_LEASE_MS", ["999", "600001", "15s"]],
    ["RATE_LIMITS", ["none", "OFF"]],
    ["LOG_LEVEL", ["verbose", "INFO"]],
    ["SHUTDOWN_TIMEOUT_MS", ["99", "600001", "soon"]],
  ];
  for (const [name, values] of bad) {
    test(`stop the start at a wrong ${name} with one line that names it`, () => {
      for (const value of values) {
        const message = refusalOf({ [name]: value });
        expect(message).toContain(name);
        expect(message.split("\n")).toHaveLength(1);
        expect(message.length).toBeLessThan(300);
      }
    });
  }

  test("never repeat a secret", () => {
    const secrets: Environment[] = [
      { JWT_SECRET: "hunter2" },
      { API_KEYS: "hunter2" },
      { API_KEYS: `${"hunter2".repeat(9)},hunter2` },
      { API_KEYS: "hunter2 hunter2 hunter2" },
      { REDIS_URL: "http://me:hunter2@redis.example" },
      { DATABASE_URL: "postgres://me:hunter2@db.example/earshot" },
      { JWT_SECRET: "hunter2".repeat(9), PORT: "wrong" },
    ];
    for (const env of secrets) expect(refusalOf(env)).not.toContain("hunter2");
  });

  test("refuse an open door on an address that others can reach", () => {
    for (const HOST of ["0.0.0.0", "192.168.1.2", "::", "earshot.example", "127.0.0.1.example"]) {
      expect(refusalOf({ HOST })).toMatch(/AUTH.*HOST/);
      expect(refusalOf({ HOST, AUTH: "open", JWT_SECRET: SECRET })).toMatch(/AUTH.*HOST/);
    }
  });

  test("refuse to clean up by a language model that is not there", () => {
    const on: Environment = { LLM_CLEANUP: "on" };
    const model: Environment = { LLM_MODEL: "small" };
    const service: Environment = { OPENAI_BASE_URL: "http://127.0.0.1:8080/v1" };
    for (const env of [on, { ...on, ...model }, { ...on, ...service }]) {
      expect(refusalOf(env)).toMatch(/LLM_CLEANUP.*LLM_MODEL.*OPENAI_BASE_URL/);
    }
    expect(readConfig({ ...on, ...model, ...service })).toMatchObject({ llmCleanup: true });
    expect(refusalOf({ LLM_CLEANUP: "yes" })).toContain("LLM_CLEANUP");
  });

  test("refuse to require accounts without a secret to sign with", () => {
    expect(refusalOf({ AUTH: "required" })).toMatch(/AUTH.*JWT_SECRET/);
  });

  test("take a certificate and its key, both or none", () => {
    const both = { TLS_CERT: "/etc/earshot.crt", TLS_KEY: "/etc/earshot.key" };
    expect(readConfig(both).tls).toEqual({ certPath: both.TLS_CERT, keyPath: both.TLS_KEY });
    expect(readConfig({}).tls).toBeNull();
    expect(refusalOf({ TLS_CERT: both.TLS_CERT })).toMatch(/TLS_CERT.*TLS_KEY/);
    expect(refusalOf({ TLS_KEY: both.TLS_KEY })).toMatch(/TLS_KEY.*TLS_CERT/);
  });

  test("take a path prefix, with or without a slash at its end", () => {
    expect(readConfig({}).basePath).toBe("");
    expect(readConfig({ BASE_PATH: "/" }).basePath).toBe("");
    expect(readConfig({ BASE_PATH: "/earshot/" }).basePath).toBe("/earshot");
    expect(readConfig({ BASE_PATH: "/a/b.c-1" }).basePath).toBe("/a/b.c-1");
    for (const BASE_PATH of [
      "earshot",
      "//earshot",
      "/a//b",
      "/a?b",
      "/a/../b",
      "/ä",
      "/:a",
      "/*",
    ]) {
      expect(refusalOf({ BASE_PATH })).toContain("BASE_PATH");
    }
  });

  test("keep things for ever or for whole days", () => {
    expect(readConfig({}).retentionDays).toBeNull();
    expect(readConfig({ RETENTION_DAYS: "30" }).retentionDays).toBe(30);
    for (const RETENTION_DAYS of ["0", "-1", "1.5", "for ever"]) {
      expect(refusalOf({ RETENTION_DAYS })).toContain("RETENTION_DAYS");
    }
  });
});

describe("the settings of traces", () => {
  const at = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

  test("are OpenTelemetry's, with its defaults", () => {
    expect(readConfig(at).traces).toEqual({
      url: "http://127.0.0.1:4318/v1/traces",
      protocol: "http/protobuf",
      headers: {},
      timeoutMs: 10_000,
      serviceName: "earshot",
      resource: {},
      sampler: "parentbased_always_on",
      ratio: 1,
      batch: { delayMs: 5_000, timeoutMs: 30_000, queueMax: 2_048, spansMax: 512 },
    });
  });

  test("are not looked at when traces are off", () => {
    const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_SAMPLER: "dice" };
    expect(readConfig(wrong).traces).toBeNull();
    expect(readConfig({ ...at, ...wrong, OTEL_SDK_DISABLED: "TRUE" }).traces).toBeNull();
    expect(readConfig({ ...at, ...wrong, OTEL_TRACES_EXPORTER: "none" }).traces).toBeNull();
  });

  const good: [Environment, object][] = [
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "https://c.example/a/" },
      { url: "https://c.example/a/v1/traces" },
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c.example/in" },
      { url: "https://c.example/in" },
    ],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }, { protocol: "http/json" }],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json" },
      { protocol: "http/json" },
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Basic%20YTpi, x-tenant = 7 " },
      { headers: { authorization: "Basic YTpi", "x-tenant": "7" } },
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: "service.name=ears,deployment.environment.name=a%2Cb" },
      { serviceName: "ears", resource: { "deployment.environment.name": "a,b" } },
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: "service.name=ears", OTEL_SERVICE_NAME: "mine" },
      { serviceName: "mine", resource: {} },
    ],
    [
      { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.05" },
      { sampler: "parentbased_traceidratio", ratio: 0.05 },
    ],
    [{ OTEL_TRACES_SAMPLER_ARG: "0" }, { ratio: 0 }],
  ];
  for (const [env, expected] of good) {
    test(`take ${JSON.stringify(env)}`, () => {
      expect(readConfig({ ...at, ...env }).traces).toMatchObject(expected);
    });
  }

  const bad: [string, string[]][] = [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", ["127.0.0.1:4318", "grpc://127.0.0.1"]],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ["collector"]],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", ["grpc", "protobuf"]],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", ["grpc", "protobuf"]],
    ["OTEL_EXPORTER_OTLP_HEADERS", ["hunter2", "=hunter2", "a=%zz-hunter2", "a b=hunter2"]],
    ["OTEL_EXPORTER_OTLP_HEADERS", ["a(=hunter2", "a=b%0d%0ahunter2"]],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", ["0", "10s"]],
    ["OTEL_RESOURCE_ATTRIBUTES", ["production"]],
    ["OTEL_TRACES_SAMPLER", ["half", "jaeger_remote"]],
    ["OTEL_TRACES_SAMPLER_ARG", ["1.1", "-0.1", "half", "1e-1"]],
    ["OTEL_TRACES_EXPORTER", ["console"]],
    ["OTEL_BSP_MAX_QUEUE_SIZE", ["0", "many"]],
  ];
  for (const [name, values] of bad) {
    test(`stop the start at a wrong ${name}`, () => {
      for (const value of values) {
        const message = refusalOf({ ...at, [name]: value });
        expect(message).toContain(name);
        expect(message).not.toContain("hunter2");
        expect(message.split("\n")).toHaveLength(1);
      }
    });
  }

  test("say what there is instead of gRPC", () => {
    const message = refusalOf({ ...at, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
    expect(message).toMatch(/http\/protobuf.*4318/);
  });
});

describe(".env.example", () => {
  const example = readFileSync(join(ROOT, ".env.example"), "utf8");
  const listed = Object.fromEntries(
    [...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const source = ["src/config.ts", "src/config.traces.ts"]
    .map((file) => readFileSync(join(ROOT, file), "utf8"))
    .join("\n");
  const read = new Set([...source.matchAll(/\(\s*env,\s*"([A-Z_]+)"/g)].map(([, name]) => name));
  const known = [...read].filter((name) => name !== undefined);

  test("lists every setting that is read, and no other", () => {
    expect(known.length).toBeGreaterThan(10);
    expect(Object.keys(listed).sort()).toEqual(known.sort());
  });

  test("holds the defaults", () => {
    expect(readConfig(listed)).toEqual(readConfig({}));
  });
});
