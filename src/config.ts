import { isIP } from "node:net";
import { cpus } from "node:os";
import {
  ConfigError,
  type Environment,
  choice,
  httpAddress,
  list,
  quoted,
  secret,
  text,
  whole,
} from "./environment.ts";
import { type TracesConfig, readTraces } from "./config.traces.ts";

/** How much a line of the log matters; `silent` writes nothing. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

export interface Config {
  host: string;
  port: number;
  portShared: boolean;
  /** A file path, or `:memory:`. */
  databasePath: string;
  redisUrl: string | null;
  auth: "open" | "required";
  jwtSecret: string | null;
  /** Whether people may make accounts themselves. */
  isRegistrationOpen: boolean;
  /** Keys for programs, next to those in the database. */
  apiKeys: string[];
  /** Origins such as `https://example.org`, next to the server's own. */
  corsOrigins: string[];
  speechEngine: "auto" | "vosk" | "sherpa" | "openai" | "none";
  /** Which of the installed models; null for all. */
  speechModels: string[] | null;
  speechWorkers: number;
  /** How long a session whose socket broke waits for its client. */
  speechParkMs: number;
  modelsDir: string;
  /** Where models are pulled from instead of their own addresses. */
  modelsMirror: string | null;
  /** An OpenAI-compatible service; null when none was given. */
  openAi: { baseUrl: string | null; apiKey: string | null; speechModel: string } | null;
  /** Which language model of that service is asked when nobody names one. */
  llmModel: string | null;
  /** Whether it puts processed texts right. */
  llmCleanup: boolean;
  textWorkers: number;
  presenceLeaseMs: number;
  rateLimits: boolean;
  logLevel: LogLevel;
  shutdownTimeoutMs: number;
  /** What is counted into topics. */
  topicsFrom: TopicSource[];
  /** Posts that may wait to be worked. */
  queuedPostsMax: number;
  /** The file of cached public APIs; null for the built-in few. */
  publicSources: string | null;
  /** Addresses and networks of proxies whose forwarded headers count. */
  trustedProxies: string[];
  /** A path prefix such as `/earshot`; empty at the root. */
  basePath: string;
  /** Files of a certificate and its key, in PEM; null for plain http. */
  tls: { certPath: string; keyPath: string } | null;
  /** How many days messages, transcriptions and done posts are kept; null for ever. */
  retentionDays: number | null;
  /** Where traces go; null for nowhere. */
  traces: TracesConfig | null;
}

const PORT_MAX = 65_535;
const WORKERS_MAX = 64;
const SECRET_BYTES_MIN = 32;
const API_KEY_CHARACTERS_MIN = 16;
/** Requests carry keys in a header. */
const API_KEY_CHARACTERS_MAX = 1_024;
const TIMEOUT_MS_MAX = 600_000;
const LEASE_MS_MIN = 1_000;
const QUEUED_POSTS_MAX = 100_000_000;
const RETENTION_DAYS_MAX = 36_500;

const TOPIC_SOURCES = ["posts", "rooms", "transcriptions"] as const;
export type TopicSource = (typeof TOPIC_SOURCES)[number];

/** Reads and checks every setting. Throws `ConfigError` for the first one that is wrong. */
export function readConfig(env: Environment): Config {
  const host = text(env, "HOST") ?? "127.0.0.1";
  const jwtSecret = secret(env, "JWT_SECRET", SECRET_BYTES_MIN);
  const auth = choice(env, "AUTH", ["open", "required"], jwtSecret === null ? "open" : "required");
  if (auth === "required" && jwtSecret === null) {
    throw new ConfigError("AUTH=required needs JWT_SECRET, a secret of at least 32 bytes");
  }
  if (auth === "open" && !isLoopback(host)) {
    throw new ConfigError(
      `AUTH=open lets anyone in, so HOST must be a loopback address, not ${quoted(host)}; set JWT_SECRET to require accounts`,
    );
  }
  return {
    host,
    port: whole(env, "PORT", 3000, 0, PORT_MAX),
    portShared: choice(env, "PORT_SHARED", ["on", "off"], "off") === "on",
    databasePath: databasePath(env),
    redisUrl: redisUrl(env),
    auth,
    jwtSecret,
    isRegistrationOpen: choice(env, "REGISTRATION", ["open", "closed"], "open") === "open",
    apiKeys: apiKeys(env),
    corsOrigins: origins(env),
    speechEngine: choice(
      env,
      "SPEECH_ENGINE",
      ["auto", "vosk", "sherpa", "openai", "none"],
      "auto",
    ),
    speechModels: text(env, "SPEECH_MODEL")?.split(/\s*,\s*/) ?? null,
    modelsDir: text(env, "MODELS_DIR") ?? "./models",
    modelsMirror: httpAddress(env, "MODELS_MIRROR"),
    openAi: openAi(env),
    llmModel: text(env, "LLM_MODEL"),
    llmCleanup: llmCleanup(env),
    speechWorkers: whole(env, "SPEECH_WORKERS", Math.max(1, cpus().length), 1, WORKERS_MAX),
    speechParkMs: whole(env, "SPEECH_PARK_MS", 60_000, 100, TIMEOUT_MS_MAX),
    textWorkers: whole(env, "TEXT_WORKERS", Math.max(1, cpus().length), 1, WORKERS_MAX),
    presenceLeaseMs: whole(env, "PRESENCE_LEASE_MS", 15_000, LEASE_MS_MIN, TIMEOUT_MS_MAX),
    rateLimits: choice(env, "RATE_LIMITS", ["on", "off"], "on") === "on",
    logLevel: choice(
      env,
      "LOG_LEVEL",
      ["trace", "debug", "info", "warn", "error", "silent"],
      "info",
    ),
    shutdownTimeoutMs: whole(env, "SHUTDOWN_TIMEOUT_MS", 10_000, 100, TIMEOUT_MS_MAX),
    topicsFrom: list(env, "TOPICS_FROM", TOPIC_SOURCES, ["posts"]),
    queuedPostsMax: whole(env, "QUEUED_POSTS_MAX", 1_000_000, 1, QUEUED_POSTS_MAX),
    publicSources: text(env, "PUBLIC_SOURCES"),
    trustedProxies: networks(env, "TRUSTED_PROXIES"),
    basePath: basePath(env),
    tls: tls(env),
    retentionDays:
      text(env, "RETENTION_DAYS") === null
        ? null
        : whole(env, "RETENTION_DAYS", 1, 1, RETENTION_DAYS_MAX),
    traces: readTraces(env),
  };
}

/** Whether only this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** What a header cannot carry unchanged would be a key that opens nothing. */
function apiKeys(env: Environment): string[] {
  const keys = text(env, "API_KEYS")?.split(/\s*,\s*/) ?? [];
  const isKey = (key: string): boolean =>
    key.length >= API_KEY_CHARACTERS_MIN &&
    key.length <= API_KEY_CHARACTERS_MAX &&
    /^[!-~]+$/.test(key);
  if (keys.every(isKey)) return keys;
  throw new ConfigError(
    `API_KEYS must be keys with commas between them, each ${API_KEY_CHARACTERS_MIN} to ${API_KEY_CHARACTERS_MAX} ASCII characters without spaces`,
  );
}

function databasePath(env: Environment): string {
  const value = text(env, "DATABASE_URL") ?? "sqlite:./data/earshot.db";
  const path = value.startsWith("sqlite:") ? value.slice("sqlite:".length) : "";
  if (path === "" || path === "//") {
    throw new ConfigError("DATABASE_URL must be sqlite:PATH or sqlite::memory:");
  }
  return path.startsWith("//") ? path.slice(2) : path;
}

/** Segments of plain characters: proxies and browsers write others in more than one way. */
function basePath(env: Environment): string {
  const value = text(env, "BASE_PATH")?.replace(/\/$/, "") ?? "";
  if (value === "" || /^(\/[\w~-][\w.~-]*)+$/.test(value)) return value;
  throw new ConfigError(`BASE_PATH must be a path such as /earshot, not ${quoted(value)}`);
}

function tls(env: Environment): Config["tls"] {
  const certPath = text(env, "TLS_CERT");
  const keyPath = text(env, "TLS_KEY");
  if (certPath === null && keyPath === null) return null;
  if (certPath !== null && keyPath !== null) return { certPath, keyPath };
  throw new ConfigError(
    certPath === null ? "TLS_KEY needs TLS_CERT as well" : "TLS_CERT needs TLS_KEY as well",
  );
}

function redisUrl(env: Environment): string | null {
  const value = text(env, "REDIS_URL");
  if (value === null) return null;
  const url = URL.parse(value);
  if (url === null || !["redis:", "rediss:"].includes(url.protocol)) {
    throw new ConfigError("REDIS_URL must be an address such as redis://127.0.0.1:6379");
  }
  return value;
}

function openAi(env: Environment): Config["openAi"] {
  const baseUrl = httpAddress(env, "OPENAI_BASE_URL");
  const apiKey = text(env, "OPENAI_API_KEY");
  if (baseUrl === null && apiKey === null) return null;
  return { baseUrl, apiKey, speechModel: text(env, "SPEECH_OPENAI_MODEL") ?? "whisper-1" };
}

function llmCleanup(env: Environment): boolean {
  const isOn = choice(env, "LLM_CLEANUP", ["on", "off"], "off") === "on";
  if (isOn && (openAi(env) === null || text(env, "LLM_MODEL") === null)) {
    throw new ConfigError("LLM_CLEANUP=on needs LLM_MODEL, and OPENAI_BASE_URL or OPENAI_API_KEY");
  }
  return isOn;
}

/** Addresses, and networks as `10.0.0.0/8`. */
function networks(env: Environment, name: string): string[] {
  const entries = text(env, name)?.split(/\s*,\s*/) ?? [];
  for (const entry of entries) {
    const [address = "", prefix = "0"] = entry.split("/");
    const version = isIP(address);
    const isPrefix = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
    if (version === 0 || !isPrefix) {
      throw new ConfigError(
        `${name} must list addresses or networks such as 10.0.0.0/8, not ${quoted(entry)}`,
      );
    }
  }
  return entries;
}

function origins(env: Environment): string[] {
  const value = text(env, "CORS_ORIGINS");
  if (value === null) return [];
  return value.split(",").map((part) => {
    const origin = part.trim();
    const url = URL.parse(origin);
    if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== origin.toLowerCase()) {
      throw new ConfigError(
        `CORS_ORIGINS must list origins such as https://example.org, not ${quoted(origin)}`,
      );
    }
    return url.origin;
  });
}
