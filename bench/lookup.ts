// What a cached public API costs when it is in the cache: through memory and through Redis, beside a
// route that does nothing. `bun bench/lookup.ts`; about twenty seconds, ends by itself and leaves
// nothing behind. Without redis-server that part is left out.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasRedis, startRedis } from "../tests/support/redis.ts";
import { end, listeningAt, spawnEarshot, withFolder } from "./servers.ts";

/** What a dictionary answers to a common word, about. */
const BODY_BYTES = 4_000;
const WORDS = 200;
const WARM_UP = 2_000;
const ONE_BY_ONE = 3_000;
const AT_ONCE = 64;
const TOGETHER = 12_000;

interface Measured {
  p50Us: number;
  p99Us: number;
  perSecond: number;
}

const body = JSON.stringify("x".repeat(BODY_BYTES));
let calls = 0;
const upstream = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () => {
    calls++;
    return new Response(body, { headers: { "content-type": "application/json" } });
  },
});

await withFolder(async (folder) => {
  const sources = join(folder, "sources.json");
  const words = {
    name: "words",
    base_url: `http://127.0.0.1:${upstream.port}`,
    private: true,
    allow_http: true,
    ttl_s: 3_600,
    paths: { entry: { template: "/{word}", parameters: { word: { pattern: "w\\d+" } } } },
  };
  writeFileSync(sources, JSON.stringify({ sources: [words] }));
  const lookup = (at: number): string => `/v1/public/words?user_id=1&name=a&word=w${at % WORDS}`;

  await withServer(folder, sources, {}, async (url) => {
    show("bare route (GET /v1/languages)", await measure(url, () => "/v1/languages"));
    show("hit through memory", await measure(url, lookup));
  });
  if (!hasRedis) console.log("redis-server is not installed: no numbers through Redis");
  else {
    const redis = await startRedis();
    try {
      await withServer(folder, sources, { REDIS_URL: redis.url }, async (url) => {
        show("hit through Redis", await measure(url, lookup));
      });
    } finally {
      await redis.dispose();
    }
  }
});
console.log(`the API itself was asked ${calls} times`);
await upstream.stop(true);

async function withServer(
  folder: string,
  sources: string,
  env: Record<string, string>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = spawnEarshot(folder, { PUBLIC_SOURCES: sources, LOG_LEVEL: "info", ...env });
  try {
    await use((await listeningAt(server)).replace("ws:", "http:"));
  } finally {
    await end([server]);
  }
}

/** Latency of one caller who asks one by one, and how many answers a crowd gets. */
async function measure(url: string, path: (at: number) => string): Promise<Measured> {
  for (let at = 0; at < WARM_UP; at++) await ask(url + path(at));
  const times: number[] = [];
  for (let at = 0; at < ONE_BY_ONE; at++) {
    const from = performance.now();
    await ask(url + path(at));
    times.push(performance.now() - from);
  }
  times.sort((one, other) => one - other);
  const beganAt = performance.now();
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < TOGETHER) await ask(url + path(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return {
    p50Us: 1_000 * times[Math.floor(times.length / 2)]!,
    p99Us: 1_000 * times[Math.floor(times.length * 0.99)]!,
    perSecond: TOGETHER / ((performance.now() - beganAt) / 1000),
  };
}

async function ask(address: string): Promise<void> {
  const response = await fetch(address);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
}

function show(what: string, { p50Us, p99Us, perSecond }: Measured): void {
  const us = (value: number): string => `${Math.round(value)} µs`.padStart(9);
  console.log(
    `${what.padEnd(32)} p50 ${us(p50Us)}  p99 ${us(p99Us)}  ${Math.round(perSecond)} answers/s with ${AT_ONCE} callers`,
  );
}
