import { Database as Sqlite } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { NETWORK_REQUESTS } from "../../src/http/request-rate.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { type TestApp, postJson, startTestApp, temporaryFolder, until } from "../support/app.ts";
import { startListeningApp } from "../support/listening.ts";
import { openSocket } from "../support/socket.ts";
import { cut, speak, speech, written } from "../support/speaker.ts";

const WATCHING = join(import.meta.dir, "../../docs/watching");
const SECRET = "the secret of these tests, long enough";
const KEY = "a-key-of-the-settings";
const METRIC = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const SAMPLE = new RegExp(
  String.raw`^(${METRIC})(?:\{(${LABEL}(?:,${LABEL})*)\})? ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$`,
);

/** Every sample by its name and labels as they are written; throws where the text breaks the grammar. */
function parse(text: string): Map<string, number> {
  expect(text).toEndWith("\n");
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = new RegExp(`^# HELP (${METRIC}) \\S.*$`).exec(line);
    const type = new RegExp(`^# TYPE (${METRIC}) (counter|gauge|histogram)$`).exec(line);
    if (help !== null) {
      family = help[1] ?? "";
      if (types.has(family)) throw new Error(`${family} is told twice`);
    } else if (type !== null) {
      if (type[1] !== family) throw new Error(`the type of ${family} is missing`);
      types.set(family, type[2] ?? "");
    } else {
      const [, name = "", labels = "", value] = SAMPLE.exec(line) ?? [];
      const isHistogram = types.get(family) === "histogram";
      const stem = isHistogram ? name.replace(/_(?:bucket|sum|count)$/, "") : name;
      if (stem !== family || !types.has(family)) throw new Error(`not a sample: ${line}`);
      const key = labels === "" ? name : `${name}{${labels}}`;
      if (samples.has(key)) throw new Error(`${key} is told twice`);
      samples.set(key, Number(value));
    }
  }
  for (const [name, type] of types) {
    expect(name).toStartWith("earshot_");
    expect(name.endsWith("_total")).toBe(type === "counter");
  }
  return samples;
}

async function textOf(app: TestApp, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${app.url}/metrics`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  return response.text();
}

/** How much each sample has grown while something was done. */
async function growth(app: TestApp, work: () => Promise<unknown>) {
  const before = parse(await textOf(app));
  await work();
  const after = parse(await textOf(app));
  return (key: string): number => {
    const value = after.get(key);
    if (value === undefined) throw new Error(`there is no ${key}`);
    return value - (before.get(key) ?? 0);
  };
}

function tokenOf(role: "user" | "admin"): Record<string, string> {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 60;
  const claims = { iss: "earshot", aud: "earshot", sub: "7", role, name: "N", exp };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  const signature = createHmac("sha256", SECRET).update(signed).digest("base64url");
  return { authorization: `Bearer ${signed}.${signature}` };
}

describe("with the door open", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  test("the numbers are in the format that Prometheus reads", async () => {
    const samples = parse(await textOf(app));
    expect(samples.get("earshot_process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(samples.get("earshot_process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(samples.get("earshot_metrics_unreadable")).toBe(0);
    for (const [key, value] of samples) {
      const inf = key.replace(/le="[^"]+"/, 'le="+Inf"');
      if (key !== inf) expect(value).toBeLessThanOrEqual(samples.get(inf) ?? 0);
    }
  });

  test("a chat message moves those of sockets, rooms and commits", async () => {
    const grown = await growth(app, async () => {
      const [one, other] = [await enterLobby(app), await enterLobby(app)];
      one.send({ type: "say", room: "lobby", client_id: "1", text: "hello" });
      await other.next("message");
      one.send({ type: "say", room: "nowhere", client_id: "2", text: "hello" });
      await one.next("error");
      other.close();
      await other.closed;
      await until(async () => parse(await textOf(app)).get(closed(1005)) === 1);
    });
    expect(grown('earshot_sockets_opened_total{kind="chat"}')).toBe(2);
    expect(grown('earshot_sockets_open{kind="chat"}')).toBe(1);
    expect(grown(closed(1005))).toBe(1);
    expect(grown('earshot_socket_errors_total{code="not_found"}')).toBe(1);
    expect(grown("earshot_rooms_open")).toBe(1);
    expect(grown('earshot_room_joins_total{outcome="new"}')).toBe(2);
    expect(grown('earshot_messages_kept_total{kind="text"}')).toBe(1);
    expect(grown("earshot_room_deliveries_total")).toBeGreaterThanOrEqual(2);
    expect(grown('earshot_writes_total{outcome="done"}')).toBeGreaterThan(0);
    expect(grown("earshot_commit_seconds_count")).toBeGreaterThan(0);
    expect(grown('earshot_http_requests_total{group="sockets"}')).toBe(2);
    expect(grown("earshot_disk_errors_total")).toBe(0);
  });

  test("posts are counted when they come, and when they are done", async () => {
    const post = { content: "Ada met Grace.", publication: "A Secret Gazette", external_id: "1" };
    const grown = await growth(app, async () => {
      await postJson(`${app.url}/v1/posts`, post);
      await postJson(`${app.url}/v1/posts`, post);
      await postJson(`${app.url}/v1/posts`, { ...post, content: "" });
      await until(async () => parse(await textOf(app)).get("earshot_posts_done_total") === 1);
    });
    expect(grown('earshot_posts_received_total{outcome="accepted"}')).toBe(1);
    expect(grown('earshot_posts_received_total{outcome="duplicate"}')).toBe(1);
    expect(grown("earshot_posts_done_total")).toBe(1);
    expect(grown("earshot_posts_queued")).toBe(0);
    expect(grown("earshot_posts_oldest_age_seconds")).toBe(0);
    expect(grown('earshot_http_requests_total{group="posts"}')).toBe(3);
    expect(grown('earshot_http_errors_total{group="posts",status="4xx"}')).toBe(1);
  });

  test("what is not there, and what nobody answers, is counted by its code", async () => {
    const grown = await growth(app, async () => {
      await fetch(`${app.url}/v1/transcriptions/999?x=1`);
      await fetch(`${app.url}/nothing/here`);
      await postJson(`${app.url}/v1/inference`, { prompt: "Hello?" });
      await fetch(`${app.url}/v1/public/nowhere`);
    });
    expect(grown('earshot_http_problems_total{code="not_found"}')).toBe(3);
    expect(grown('earshot_http_errors_total{group="transcription",status="4xx"}')).toBe(1);
    expect(grown('earshot_http_errors_total{group="other",status="4xx"}')).toBe(1);
    expect(grown('earshot_http_errors_total{group="assistant",status="5xx"}')).toBe(1);
    expect(grown("earshot_llm_questions_total")).toBe(1);
    expect(grown('earshot_llm_errors_total{code="llm_unconfigured"}')).toBe(1);
    expect(grown('earshot_lookups_total{outcome="refused"}')).toBe(1);
  });

  test("no name and nothing that was said is among them", async () => {
    await postJson(`${app.url}/v1/posts`, { content: "Quitesecret.", publication: "Quitesecret" });
    const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?room=quitesecret&name=Quitesecret`);
    await socket.next("joined");
    await fetch(`${app.url}/v1/rooms/quitesecret/messages`);
    expect(await textOf(app)).not.toMatch(/quitesecret|gazette|lobby/i);
    socket.close();
  });

  test("every metric of the dashboard and of the alert rules is there", async () => {
    const text = await textOf(app);
    const known = new Set(text.matchAll(/^# TYPE (\S+)/gm).map(([, name = ""]) => name));
    const names = (expressions: string): string[] => {
      const found = expressions.match(/earshot_[a-z_]+/g) ?? [];
      expect(found.length).toBeGreaterThan(10);
      return found.map((name) =>
        known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, ""),
      );
    };
    const dashboard = JSON.parse(readFileSync(join(WATCHING, "grafana.json"), "utf8")) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const rules = Bun.YAML.parse(readFileSync(join(WATCHING, "alerts.yml"), "utf8")) as {
      groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
    };
    const alerts = rules.groups.flatMap((group) => group.rules);
    for (const { alert, annotations } of alerts) {
      expect([alert, annotations.summary]).toEqual([expect.any(String), expect.any(String)]);
    }
    const used = names([...shown, ...alerts.map(({ expr }) => expr)].join(" "));
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    // And nothing is told that nobody looks at.
    expect([...known].filter((name) => !used.includes(name))).toEqual([]);
  });

  test("anybody may look, whatever is sent along", async () => {
    await textOf(app, { "x-api-key": "no key" });
  });
});

describe("where people sign in", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ JWT_SECRET: SECRET, API_KEYS: KEY, TRUSTED_PROXIES: "127.0.0.1" });
  });
  afterAll(() => app.stop());

  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${app.url}/metrics`, { headers })).status;

  test("an API key or an admin opens the numbers, nobody else", async () => {
    expect(await status({})).toBe(401);
    expect(await status({ "x-api-key": "no key" })).toBe(401);
    expect(await status({ authorization: "Bearer no-token" })).toBe(401);
    expect(await status(tokenOf("user"))).toBe(403);
    expect(await status(tokenOf("admin"))).toBe(200);
    expect(await status({ "x-api-key": KEY })).toBe(200);
    expect(await status({ authorization: `Bearer ${KEY}` })).toBe(200);
  });

  test("a key of any scope does", async () => {
    const body = { name: "recorder", scopes: ["audio"] };
    const made = await postJson(`${app.url}/v1/keys`, body, tokenOf("admin"));
    const { key } = (await made.json()) as { key: string };
    expect(await status({ authorization: `Bearer ${key}` })).toBe(200);
    expect(await textOf(app, { "x-api-key": key })).not.toContain("recorder");
  });

  test("refusals for the rate are counted", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9" };
    const answers = await Promise.all(
      Array.from({ length: NETWORK_REQUESTS.burst + 500 }, async () => {
        const response = await fetch(`${app.url}/v1/languages`, { headers });
        await response.arrayBuffer();
        return response.status;
      }),
    );
    const refused = answers.filter((one) => one === 429).length;
    expect(refused).toBeGreaterThan(0);
    const samples = parse(await textOf(app, { "x-api-key": KEY }));
    expect(samples.get('earshot_http_problems_total{code="rate_limited"}')).toBe(refused);
  });
});

test("captions move the numbers of speech", async () => {
  const { app } = await startListeningApp();
  try {
    const grown = await growth(app, () => speak(app, cut(written(speech(0, 2_000)))));
    expect(grown('earshot_speech_sessions_begun_total{how="new"}')).toBe(1);
    expect(grown("earshot_speech_audio_received_seconds_total")).toBeCloseTo(2, 1);
    expect(grown("earshot_speech_audio_recognised_seconds_total")).toBeGreaterThan(1);
    expect(grown("earshot_speech_words_total")).toBeGreaterThan(0);
    expect(grown('earshot_speech_sessions{state="live"}')).toBe(0);
    expect(grown("earshot_speech_audio_waiting_seconds")).toBe(0);
    expect(grown('earshot_worker_restarts_total{kind="speech"}')).toBe(0);
    const samples = parse(await textOf(app));
    expect(samples.get('earshot_part_up{part="speech"}')).toBe(1);
    expect(samples.get("earshot_ready")).toBe(1);
  } finally {
    await app.stop();
  }
});

describe("a request's id", () => {
  const idOf = async (app: TestApp, headers: Record<string, string> = {}, path = "/healthz") =>
    (await fetch(app.url + path, { headers })).headers.get("x-request-id") ?? "";

  test("is a new one for each, also for what is not there", async () => {
    const app = await startTestApp();
    try {
      const ids = [await idOf(app), await idOf(app), await idOf(app, {}, "/nothing/here")];
      for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
      expect(new Set(ids).size).toBe(3);
      expect(await idOf(app, { "x-request-id": "mine" })).not.toBe("mine");
    } finally {
      await app.stop();
    }
  });

  test("is a trusted proxy's, if it is one, and stands in the log", async () => {
    const app = await startTestApp({ TRUSTED_PROXIES: "127.0.0.1" });
    try {
      expect(await idOf(app, { "x-request-id": "Proxy.1_a-b" })).toBe("Proxy.1_a-b");
      for (const bad of ["a b", "x".repeat(129), "a\u00e9", '"']) {
        expect(await idOf(app, { "x-request-id": bad })).not.toBe(bad);
      }
      const sqlite = new Sqlite(join(app.folder, "earshot.db"));
      sqlite.run("PRAGMA foreign_keys=OFF");
      sqlite.run("DROP TABLE transcriptions");
      sqlite.close();
      const response = await fetch(`${app.url}/v1/transcriptions/1`, {
        headers: { "x-request-id": "the-broken-one" },
      });
      expect(response.status).toBe(500);
      expect(response.headers.get("x-request-id")).toBe("the-broken-one");
      await until(() => app.lines.some((line) => line.includes("a request failed")));
      const lines = app.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const failed = lines.filter(({ msg }) => msg === "a request failed");
      expect(failed.map(({ request }) => request)).toEqual(["the-broken-one"]);
      const elsewhere = lines.filter((line) => line["request"] !== undefined);
      expect(elsewhere).toEqual(failed);
    } finally {
      await app.stop();
    }
  });
});

test("a database that has no room is not writable until a write succeeds", async () => {
  const folder = temporaryFolder();
  const database = openDatabase(join(folder, "full.db"));
  const write = (): Promise<unknown> =>
    database.commit(() => database.db.run("CREATE TABLE big AS SELECT randomblob(1000000)"));
  expect(database.isWritable()).toBe(true);
  database.db.run("PRAGMA max_page_count=1");
  expect(await write().catch(() => "refused")).toBe("refused");
  expect(database.isWritable()).toBe(false);
  database.db.run("PRAGMA max_page_count=1000000");
  await until(() => database.isWritable());
  await write();
  expect(database.isWritable()).toBe(true);
  await database.close();
  rmSync(folder, { recursive: true });
});

function closed(code: number): string {
  return `earshot_sockets_closed_total{code="${code}"}`;
}

async function enterLobby(app: TestApp) {
  const socket = await openSocket(`${app.wsUrl}/v1/ws/chat?room=lobby`);
  await socket.next("joined");
  return socket;
}
