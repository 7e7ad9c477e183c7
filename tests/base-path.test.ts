import { afterAll, beforeAll, expect, test } from "bun:test";
import { connectChat } from "../src/client/chat.ts";
import { type TestApp, postJson, startTestApp, until } from "./support/app.ts";

const BASE = "/house/earshot";
let app: TestApp;
/** The address without the prefix. */
let origin = "";

beforeAll(async () => {
  app = await startTestApp({ BASE_PATH: BASE });
  origin = new URL(app.url).origin;
});
afterAll(() => app.stop());

test("everything is served below the prefix, and nothing beside it", async () => {
  expect(app.url).toBe(`${origin}${BASE}`);
  expect(await (await fetch(app.url)).json()).toEqual({ Hello: "World" });
  expect(await (await fetch(`${app.url}/`)).json()).toEqual({ Hello: "World" });
  expect((await fetch(`${app.url}/v1/languages`)).status).toBe(200);
  for (const path of ["/", "/v1/languages", "/healthz", `${BASE}x/healthz`]) {
    const answer = await fetch(origin + path);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "not_found" });
  }
});

test("the page, what it loads and its views know the prefix", async () => {
  const headers = { accept: "text/html" };
  const html = await (await fetch(`${app.url}/`, { headers })).text();
  expect(html).toContain(`data-base="${BASE}"`);
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  expect(loaded.length).toBeGreaterThan(3);
  for (const path of loaded) {
    expect(path).toStartWith(BASE);
    expect((await fetch(origin + path)).status).toBe(200);
  }
  const manifest = loaded.find((path) => path.endsWith(".webmanifest")) ?? "";
  const { start_url: start } = (await (await fetch(origin + manifest)).json()) as {
    start_url: string;
  };
  expect(new URL(start, origin + manifest).pathname).toBe(`${BASE}/`);
  expect(await (await fetch(`${app.url}/rooms/lobby`, { headers })).text()).toBe(html);
});

test("the explorer asks below the prefix", async () => {
  const page = await (await fetch(`${app.url}/docs`)).text();
  for (const [, path = ""] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect((await fetch(new URL(path, `${app.url}/docs`))).status).toBe(200);
  }
  const described = (await (await fetch(`${app.url}/docs/json`)).json()) as {
    servers: unknown;
    paths: object;
  };
  expect(described.servers).toEqual([{ url: BASE }]);
  expect(Object.keys(described.paths)).toContain("/v1/languages");
});

test("links to the next page lead below the prefix", async () => {
  for (let user = 1; user <= 3; user++) {
    await postJson(`${app.url}/v1/transcriptions/save`, { user_id: 1, language: "en" });
  }
  const page = await fetch(`${app.url}/v1/transcriptions?limit=2&user_id=1`);
  const [, next = ""] = /<([^>]+)>; rel="next"/.exec(page.headers.get("link") ?? "") ?? [];
  expect(next).toStartWith(`${BASE}/v1/`);
  expect(await (await fetch(`${origin}${next}&user_id=1`)).json()).toHaveLength(1);
});

test("what belongs to single routes still does: larger bodies, no cache, other protocols' errors", async () => {
  const headers = { "content-type": "application/x-ndjson" };
  const line = `${JSON.stringify({ content: "a".repeat(90_000), publication: "p" })}\n`;
  const body = line.repeat(Math.ceil((9 * 1024 * 1024) / line.length));
  const bulk = await fetch(`${app.url}/v1/posts/bulk`, { method: "POST", headers, body });
  expect(bulk.status).toBe(201);
  expect((await fetch(`${app.url}/v1/auth/me`)).headers.get("cache-control")).toBe("no-store");
  const refused = await fetch(`${app.url}/v1/audio/transcriptions`, { method: "POST" });
  expect(await refused.json()).toHaveProperty("error");
});

test("sockets of the client open below the prefix", async () => {
  const heard: string[] = [];
  const client = connectChat({ url: app.wsUrl, userId: 7, name: "ada" });
  const room = client.join("lobby", { message: ({ text }) => void heard.push(text) });
  try {
    await room.say("below");
    await until(() => heard.includes("below"));
  } finally {
    client.close();
  }
});
