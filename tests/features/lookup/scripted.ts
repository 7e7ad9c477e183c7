import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cache, createMemoryCache } from "../../../src/features/lookup/cache.ts";
import { createGate } from "../../../src/features/lookup/gate.ts";
import type { Source } from "../../../src/features/lookup/model.ts";
import { createPauses } from "../../../src/features/lookup/pauses.ts";
import { type Resolve, resolveHost } from "../../../src/features/lookup/resolving.ts";
import { type LookupService, createLookupService } from "../../../src/features/lookup/service.ts";
import { parseSources } from "../../../src/features/lookup/source-file.ts";
import { createUpstream } from "../../../src/features/lookup/upstream.ts";
import type { Caller } from "../../../src/http/caller.ts";
import type { Quota } from "../../../src/http/quota.ts";
import { createLog } from "../../../src/platform/log.ts";
import { temporaryFolder } from "../../support/app.ts";

// A public API of our own on this machine, and the parts that ask it.

type Answer = (request: Request) => Response | Promise<Response>;

export interface Scripted {
  url: string;
  port: number;
  /** The path and query of every call. */
  calls: string[];
  /** What it answers from now on. */
  answer: Answer;
  /** Forgets the calls and answers as in the beginning. */
  reset(): void;
  stop(): Promise<void>;
}

export const TLS = {
  host: "api.example.test",
  // Made for these tests alone, for a name that nobody can have; valid until 2126.
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggt3MMNtmMx9JV6OD
MxGF7dxldbo9K8glqBfRNrCnTD2hRANCAARdPGvqU48PATxTwp6QRUyKXSYlE46d
mSwKkUOquFNOTc0wHKdW8OUsA+bn0vaB1EuuSiq611nfIx2er72D3+XN
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBqjCCAVCgAwIBAgIUQ7hyCoSkX4GKOnuzDZP/WB/OLjswCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQYXBpLmV4YW1wbGUudGVzdDAgFw0yNjExMjIwNTExMzRaGA8y
MTI2MTAyOTA1MTEzNFowGzEZMBcGA1UEAwwQYXBpLmV4YW1wbGUudGVzdDBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABF08a+pTjw8BPFPCnpBFTIpdJiUTjp2ZLAqR
Q6q4U05NzTAcp1bw5SwD5ufS9oHUS65KKrrXWd8jHZ6vvYPf5c2jcDBuMB0GA1Ud
DgQWBBQjjGcuh3pEO+9xI4sF6gLfFiICKTAfBgNVHSMEGDAWgBQjjGcuh3pEO+9x
I4sF6gLfFiICKTAPBgNVHRMBAf8EBTADAQH/MBsGA1UdEQQUMBKCEGFwaS5leGFt
cGxlLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIhAKVflCjXcDdufzzDyuaa53oNCrjf
vy7RuZ4M3ApX2pdmAiA+uATlqaZMSlfOGaoPwymQPU2y6MukItnk4dUbiIgi1w==
-----END CERTIFICATE-----`,
};

const pathAsWord: Answer = (request) => Response.json({ word: new URL(request.url).pathname });

/** Starts an API that answers `{"word": …}` to everything until it is told otherwise. */
export function startScripted(tls: { key: string; cert: string } | null = null): Scripted {
  const calls: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls !== null && { tls }),
    fetch: (request) => {
      const { pathname, search } = new URL(request.url);
      calls.push(pathname + search);
      return scripted.answer(request);
    },
  });
  const port = server.port ?? 0;
  const scripted: Scripted = {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    answer: pathAsWord,
    reset: () => {
      calls.length = 0;
      scripted.answer = pathAsWord;
    },
    stop: () => server.stop(true),
  };
  return scripted;
}

export type Entry = Record<string, unknown>;

/** A source in the file's form: words of the API on this machine, every failure told at once. */
export function wordsEntry(base_url: string, more: Entry = {}): Entry {
  return {
    name: "words",
    base_url,
    private: true,
    allow_http: true,
    paths: { entry: { template: "/entries/{word}", parameters: { word: { pattern: ".+" } } } },
    failed_ttl_s: 0,
    ...more,
  };
}

/** Writes a file of sources into a folder of its own, for `PUBLIC_SOURCES`. */
export function writeSources(...sources: Entry[]): { folder: string; path: string } {
  const folder = temporaryFolder();
  const path = join(folder, "sources.json");
  writeFileSync(path, JSON.stringify({ sources }));
  return { folder, path };
}

export function sourceOf(entry: Entry): Source {
  const [source] = parseSources({ sources: [entry] }).values();
  if (source === undefined) throw new Error("there is no source");
  return source;
}

export interface ServiceParts {
  now?: () => number;
  resolve?: Resolve;
  ca?: string;
  cache?: Cache;
  callsMax?: number;
  waitingMax?: number;
  lines?: string[];
  misses?: Quota;
}

export const somebody: Caller = { userId: 1, role: "user", name: "Somebody" };

const NO_QUOTA: Quota = { take: async () => 0, giveBack: async () => undefined };

/** The service for one source, with a clock and a name server of the test's own. */
export function serviceOf(entry: Entry, parts: ServiceParts = {}): LookupService {
  const { now = Date.now, resolve = resolveHost, ca, lines = [] } = parts;
  const source = sourceOf(entry);
  return createLookupService({
    sources: new Map([[source.name, source]]),
    cache: parts.cache ?? createMemoryCache({ bytesMax: 10_000_000, now }),
    upstream: createUpstream({ resolve, ...(ca !== undefined && { ca }) }),
    gate: createGate({
      callsMax: parts.callsMax ?? 32,
      waitingMax: parts.waitingMax ?? 1_000,
      waitMs: 5_000,
    }),
    pauses: createPauses(now),
    misses: parts.misses ?? NO_QUOTA,
    gateMs: 5_000,
    now,
    log: createLog("info", (line) => lines.push(line)),
  });
}

export const newId = randomUUID;

/** What the service says, in short: how it was cached and the body, or the problem's code. */
export async function saidBy(
  service: LookupService,
  asked: Record<string, string>,
  caller = somebody,
): Promise<string> {
  try {
    const { cache, kept } = await service.look("words", new URLSearchParams(asked), caller);
    return `${cache} ${kept.kind === "found" ? new TextDecoder().decode(kept.body) : kept.kind}`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${"code" in error ? String(error.code) : error.name}: ${error.message}`;
  }
}
