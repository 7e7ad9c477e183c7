import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Environment } from "../../src/environment.ts";
import { type TestApp, postJson, startTestApp } from "./app.ts";
import { isBuilt } from "./server.ts";
import { type WorkerWishes, endBuiltWorker, watchWorkers, watchedBuilt } from "./workers.ts";

/** Anything that serves: this process's app, or the program in one of its own. */
export interface Served {
  url: string;
}

export interface SentPost {
  content: string;
  publication: string;
  external_id?: string | null;
  published_at?: number | string | null;
}

export interface Queue {
  queued: number;
  leased: number;
  done: number;
  dead: number;
  oldest_age_ms: number | null;
  rate_per_s: number;
}

export interface ListedTopic {
  topic: string;
  label: string;
  count: number;
  lift?: number;
  publications?: number;
}

export interface Answer {
  status: number;
  retryAfter: string | null;
  /** What the body says, whatever it is. */
  json: Record<string, unknown>;
}

const DRAINED_MS_MAX = 60_000;
const LOOK_EVERY_MS_MAX = 128;

const Plain = globalThis.Worker;
const TOLD: WorkerWishes = {
  name: "text",
  replacement: new URL("./topics-worker.ts", import.meta.url),
};
let toldApps = 0;

export interface ToldApp extends TestApp {
  /** Ends the text worker that was started last. */
  endTextWorker(): Promise<void>;
}

/**
 * Starts the app with text workers that find what a text tells them to (topics-worker.ts), also
 * when they are started again.
 */
export async function startToldApp(settings: Environment = {}): Promise<ToldApp> {
  if (isBuilt) {
    const app = await startTestApp({ ...settings, ...watchedBuilt(TOLD) });
    return { ...app, endTextWorker: () => endBuiltWorker(app.folder) };
  }
  const started: Worker[] = [];
  toldApps++;
  watchWorkers(TOLD, started);
  const app = await startTestApp(settings);
  return {
    ...app,
    endTextWorker: async () => started.at(-1)?.terminate(),
    stop: async () => {
      await app.stop();
      if (--toldApps === 0) globalThis.Worker = Plain;
    },
  };
}

export async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await response.text();
  const json = (text.startsWith("{") ? JSON.parse(text) : {}) as Record<string, unknown>;
  return { status, retryAfter: headers.get("retry-after"), json };
}

export async function send(server: Served, post: unknown, path = "/v1/posts"): Promise<Answer> {
  return answerOf(await postJson(server.url + path, post));
}

/** Sends a body to the bulk route as it is. */
export async function sendBulk(
  server: Served,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = { "content-type": "application/x-ndjson" };
  const init = { method: "POST", body, headers: { ...type, ...headers } };
  return answerOf(await fetch(`${server.url}/v1/posts/bulk`, init));
}

/** Takes posts in as NDJSON; throws unless all of them are. */
export async function sendAll(server: Served, posts: readonly SentPost[]): Promise<Answer> {
  const answer = await sendBulk(server, ndjson(posts));
  if (answer.status !== 201 || answer.json["rejected_count"] !== 0) {
    throw new Error(`not all were taken in: ${JSON.stringify(answer)}`);
  }
  return answer;
}

export function ndjson(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

export async function get<Json>(server: Served, path: string): Promise<Json> {
  const response = await fetch(server.url + path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Json;
}

export function queueOf(server: Served): Promise<Queue> {
  return get<Queue>(server, "/v1/queue");
}

/** Waits until nothing is queued any more; asks less and less often. */
export async function drained(server: Served, withinMs = DRAINED_MS_MAX): Promise<Queue> {
  const end = performance.now() + withinMs;
  for (let pauseMs = 4; ; pauseMs = Math.min(2 * pauseMs, LOOK_EVERY_MS_MAX)) {
    const queue = await queueOf(server);
    if (queue.queued + queue.leased === 0) return queue;
    if (performance.now() > end) throw new Error(`it was not drained: ${JSON.stringify(queue)}`);
    await Bun.sleep(pauseMs);
  }
}

interface TopicsPage {
  topics: ListedTopic[];
  next: string | null;
}

/** Every page of a list of topics. */
export async function allTopics(server: Served, path: string): Promise<ListedTopic[]> {
  const all: ListedTopic[] = [];
  const start = `${path}${path.includes("?") ? "&" : "?"}`;
  let after: string | null = null;
  do {
    const from: string = after === null ? "" : `after=${encodeURIComponent(after)}`;
    const page: TopicsPage = await get(server, start + from);
    all.push(...page.topics);
    after = page.next;
  } while (after !== null);
  return all;
}

/** What a publication talks about, as `label topic: count`. */
export async function talkOf(server: Served, publication: string, query = ""): Promise<string[]> {
  const path = `/v1/publications/${encodeURIComponent(publication)}/topics?${query}`;
  const found = await allTopics(server, path);
  return found.map(({ label, topic, count }) => `${label} ${topic}: ${count}`);
}

/** Reads the database file beside whoever else uses it. */
export function rowsIn<Row>(folder: string, query: string): Row[] {
  const database = new Database(join(folder, "earshot.db"), { readonly: true });
  try {
    database.run("PRAGMA busy_timeout=5000");
    return database.query<Row, []>(query).all();
  } finally {
    database.close();
  }
}

/** Lets the leases end of a process that is gone, as time would. */
export function endLeases(folder: string): void {
  const database = new Database(join(folder, "earshot.db"));
  database.run("PRAGMA busy_timeout=5000");
  database.run("UPDATE post_queue SET ready_at = 0 WHERE holder IS NOT NULL");
  database.close();
}
