import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, postJson, startTestApp, until } from "../support/app.ts";
import { openSocket } from "../support/socket.ts";

const FRIEND = "https://friend.example";
const SAVE = "/v1/transcriptions/save";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ CORS_ORIGINS: FRIEND });
});
afterAll(() => app.stop());

/** Checks that an answer is problem details with a code, and returns its text. */
async function problem(response: Response, status: number, code: string): Promise<string> {
  const text = await response.text();
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toStartWith("application/problem+json");
  expect(JSON.parse(text)).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    detail: expect.any(String),
    status,
    code,
  });
  return text;
}

function isRefused(url: string, headers: Record<string, string>): Promise<boolean> {
  return openSocket(url, { headers }).then(
    () => false,
    () => true,
  );
}

describe("the front door", () => {
  test("greets programs and shows people a page, and says that it depends", async () => {
    for (const headers of [{}, { accept: "*/*" }, { accept: "application/json" }]) {
      const greeting = await fetch(`${app.url}/`, { headers });
      expect(await greeting.json()).toEqual({ Hello: "World" });
      expect(greeting.headers.get("content-type")).toStartWith("application/json");
      expect(greeting.headers.get("vary")?.toLowerCase()).toContain("accept");
    }
    const page = await fetch(`${app.url}/`, {
      headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
    });
    expect(page.headers.get("content-type")).toStartWith("text/html");
    expect(page.headers.get("vary")?.toLowerCase()).toContain("accept");
    expect(await page.text()).toContain("<!doctype html>");
  });

  test("tells the languages that people are served in", async () => {
    const response = await fetch(`${app.url}/v1/languages`);
    expect(await response.json()).toEqual({ languages: ["en", "hi"] });
  });

  test("says that it is alive, and which parts are ready", async () => {
    const alive = await fetch(`${app.url}/healthz`);
    expect(alive.status).toBe(200);
    expect(await alive.json()).toEqual({ status: "alive" });

    const ready = async (): Promise<Response> => fetch(`${app.url}/readyz`);
    await until(async () => (await ready()).status === 200);
    expect(await (await ready()).json()).toEqual({
      status: "ready",
      parts: { database: "up", redis: "off", speech: "off", text: "up" },
    });
  });
});

describe("a mistake", () => {
  test("in the address is answered with not_found", async () => {
    await problem(await fetch(`${app.url}/nothing/here`), 404, "not_found");
    await problem(await fetch(`${app.url}/v1/languages`, { method: "DELETE" }), 404, "not_found");
    await problem(await fetch(`${app.url}/v1/transcriptions/999999`), 404, "not_found");
  });

  test("in a field is answered with its name and never with its value", async () => {
    const wrong = [
      { user_id: "QUITESECRET", language: "en" },
      { user_id: 1, language: "QUITESECRET" },
      { user_id: 1, language: ["QUITESECRET"] },
      { user_id: 1, language: "en", transcription: { text: "QUITESECRET" } },
      { user_id: 1, language: "en", transcription: 4_711_471 },
      { user_id: -4_711_471, language: "en" },
      { user_id: 4_711_471.5, language: "en" },
      { user_id: 1 },
      { user_id: 1, language: "en", colour: "QUITESECRET" },
      ["QUITESECRET"],
      "QUITESECRET",
    ];
    for (const body of wrong) {
      const text = await problem(await postJson(app.url + SAVE, body), 422, "invalid");
      expect(text).not.toMatch(/QUITESECRET|4711471/);
    }
    const named = await postJson(app.url + SAVE, { user_id: "x", language: "en" });
    expect(await named.json()).toMatchObject({ errors: [{ path: "/user_id" }] });
  });

  test("in the query or the path is answered in the same way", async () => {
    const wrong = ["?limit=QUITESECRET", "?limit=0", "?limit=1001", "?after=-1", "?order=up"];
    for (const query of wrong) {
      const response = await fetch(`${app.url}/v1/transcriptions${query}`);
      expect(await problem(response, 422, "invalid")).not.toContain("QUITESECRET");
    }
    const response = await fetch(`${app.url}/v1/transcriptions/QUITESECRET`);
    expect(await problem(response, 422, "invalid")).not.toContain("QUITESECRET");
  });

  test("in the body's grammar is answered with 400", async () => {
    for (const body of ["{QUITESECRET", '{"user_id":1,', "\u0000QUITESECRET"]) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(app.url + SAVE, { method: "POST", headers, body });
      expect(await problem(response, 400, "invalid")).not.toContain("QUITESECRET");
    }
  });

  test("in the kind of body is refused", async () => {
    const send = (init: RequestInit): Promise<Response> =>
      fetch(app.url + SAVE, { method: "POST", ...init });
    await problem(await send({}), 422, "invalid");
    await problem(await send({ body: '{"user_id":1,"language":"en"}' }), 422, "invalid");
  });

  test("in the characters of a text is refused, not mended", async () => {
    const half = { user_id: 1, language: "en", transcription: "half a \ud800" };
    await problem(await postJson(app.url + SAVE, half), 422, "invalid");
  });

  test("in size is refused with 413, whether its length is told or not", async () => {
    const bytes = new Uint8Array(9 * 1024 * 1024).fill(0x20);
    const headers = { "content-type": "application/json" };
    for (const body of [bytes, new Blob([bytes]).stream()]) {
      const response = await fetch(app.url + SAVE, { method: "POST", headers, body });
      expect(response.status).toBe(413);
    }
    expect((await fetch(`${app.url}/healthz`)).status).toBe(200);
  });

  test("of opening a socket's address as a page is told to upgrade", async () => {
    for (const path of ["/v1/ws/chat", "/v1/ws/transcription"]) {
      await problem(await fetch(app.url + path), 426, "invalid");
    }
  });
});

describe("pages of other sites", () => {
  const body = { user_id: 1, language: "en" };
  const own = (): string => new URL(app.url).host;

  test("may not change anything", async () => {
    for (const origin of ["https://evil.example", "null", `https://${own()}.evil.example`]) {
      await problem(await postJson(app.url + SAVE, body, { origin }), 403, "forbidden");
    }
    const rows = await (await fetch(`${app.url}/v1/transcriptions`)).json();
    expect(rows).toEqual([]);
  });

  test("may not open a socket", async () => {
    for (const path of ["/v1/ws/chat", "/v1/ws/transcription"]) {
      const headers = { origin: "https://evil.example" };
      expect(await isRefused(app.wsUrl + path, headers)).toBe(true);
      const upgrade = { ...headers, upgrade: "websocket", connection: "upgrade" };
      await problem(await fetch(app.url + path, { headers: upgrade }), 403, "forbidden");
    }
  });

  test("may not come in under a name that was made to point here", async () => {
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"]) {
      await problem(await fetch(`${app.url}/`, { headers: { host } }), 403, "forbidden");
      const headers = { host, origin: `http://${host}` };
      await problem(await postJson(app.url + SAVE, body, headers), 403, "forbidden");
      expect(await isRefused(`${app.wsUrl}/v1/ws/chat`, headers)).toBe(true);
    }
  });

  test("of this server itself may, and so may programs, which have no origin", async () => {
    const headers = { origin: `http://${own()}` };
    const saved = await postJson(app.url + SAVE, body, headers);
    expect(saved.status).toBe(201);
    expect(saved.headers.get("access-control-allow-origin")).toBeNull();
    expect((await postJson(app.url + SAVE, body)).status).toBe(201);
    const socket = await openSocket(`${app.wsUrl}/v1/ws/chat`, { headers });
    await socket.next("welcome");
    socket.close();
  });

  test("get no permission to read what they ask for", async () => {
    const headers = { origin: "https://evil.example" };
    const response = await fetch(`${app.url}/v1/transcriptions`, { headers });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("that are allowed may ask, read, see errors and open sockets", async () => {
    const asking = await fetch(app.url + SAVE, {
      method: "OPTIONS",
      headers: {
        origin: FRIEND,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
      },
    });
    expect(asking.status).toBe(204);
    expect(asking.headers.get("access-control-allow-origin")).toBe(FRIEND);
    expect(asking.headers.get("access-control-allow-methods")).toContain("POST");
    const allowed = asking.headers.get("access-control-allow-headers")?.toLowerCase();
    expect(allowed).toContain("authorization");
    expect(allowed).toContain("content-type");
    expect(allowed).toContain("if-match");

    const saved = await postJson(app.url + SAVE, body, { origin: FRIEND });
    expect(saved.status).toBe(201);
    expect(saved.headers.get("access-control-expose-headers")).toContain("etag");
    const read = await fetch(`${app.url}/v1/transcriptions`, { headers: { origin: FRIEND } });
    const missed = await fetch(`${app.url}/v1/transcriptions/0`, { headers: { origin: FRIEND } });
    expect(missed.status).toBe(422);
    for (const response of [saved, read, missed]) {
      expect(response.headers.get("access-control-allow-origin")).toBe(FRIEND);
      expect(response.headers.get("vary")?.toLowerCase()).toContain("origin");
    }

    const headers = { origin: FRIEND };
    const socket = await openSocket(`${app.wsUrl}/v1/ws/chat`, { headers });
    await socket.next("welcome");
    socket.close();
  });

  test("that are not allowed are told so when they ask first", async () => {
    const asking = await fetch(app.url + SAVE, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    expect(asking.headers.get("access-control-allow-origin")).toBeNull();
  });
});

interface Described {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: { type?: { const?: string } } }> };
}

interface Operation {
  description?: string;
  security?: Record<string, unknown>[];
  requestBody?: object;
  parameters?: { name: string }[];
  responses: Record<string, { content?: Record<string, { schema: { $ref?: string } }> }>;
  "x-frames"?: { client: { $ref: string }[]; server: { $ref: string }[] };
}

describe("the documentation", () => {
  const described = async (): Promise<Described> =>
    (await (await fetch(`${app.url}/docs/json`)).json()) as Described;

  test("is a page that loads everything from this server", async () => {
    const page = await fetch(`${app.url}/docs`);
    expect(page.headers.get("content-type")).toStartWith("text/html");
    const html = await page.text();
    const addresses = [...html.matchAll(/\b(?:src|href|action)="([^"]*)"/g)].map(
      ([, address = ""]) => address,
    );
    expect(addresses.length).toBeGreaterThanOrEqual(3);
    for (const address of addresses) {
      expect(address).not.toMatch(/^(?:[a-z]+:)?\/\//i);
      const asset = await fetch(new URL(address, `${app.url}/docs`));
      expect(asset.status).toBe(200);
      expect(asset.headers.get("content-type")).toMatch(/^text\/(?:javascript|css)/);
      expect((await asset.bytes()).length).toBeGreaterThan(10);
    }
    expect(html).not.toMatch(/https?:\/\//);
  });

  test("describes every route, the sockets too", async () => {
    const { openapi, paths } = await described();
    expect(openapi).toStartWith("3.");
    for (const path of [
      "/",
      "/healthz",
      "/readyz",
      "/v1/languages",
      "/v1/transcriptions",
      "/v1/transcriptions/{id}",
      "/v1/transcriptions/save",
      "/v1/transcription/save",
      "/v1/ws/chat",
      "/v1/ws/transcription",
    ]) {
      expect(Object.keys(paths)).toContain(path);
    }
    expect(Object.keys(paths).filter((path) => path.startsWith("/docs"))).toEqual([]);
  });

  test("says of every route that is not for all who gets in, and how others are answered", async () => {
    const forAll = ["/", "/healthz", "/readyz", "/v1/languages"];
    const comingIn = ["register", "login", "refresh", "logout"].map((name) => `/v1/auth/${name}`);
    const { paths } = await described();
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]) => ({ name: `${method} ${path}`, path, ...one })),
    );
    for (const { name, path, description = "", security = [], responses } of operations) {
      const isForAll = [...forAll, ...comingIn].includes(path);
      expect([name, security.length > 0]).toEqual([name, !isForAll]);
      if (isForAll) continue;
      expect([name, description]).toEqual([name, expect.stringMatching(/Needs (?:a|an|the) \w+/)]);
      const isPeoples = "bearer" in (security[0] ?? {}) && !description.includes("API key");
      const statuses = isPeoples && !description.includes("admin") ? [401, 429] : [401, 403, 429];
      for (const status of statuses) {
        const content = responses[String(status)]?.content ?? {};
        expect([name, status, content]).toEqual([
          name,
          status,
          { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        ]);
      }
    }
    const about = (path: string, method: string): string =>
      paths[path]?.[method]?.description ?? "";
    for (const path of ["/v1/posts", "/v1/posts/bulk", "/post/enqueue"]) {
      expect(about(path, "post")).toContain("scope `posts`");
    }
    expect(about("/v1/audio/transcriptions", "post")).toContain("scope `audio`");
    expect(about("/v1/keys", "get")).toContain("admin");
    expect(JSON.stringify(paths)).not.toContain("x-entry");
  });

  test("lists what is answered everywhere, and where a request may be wrong", async () => {
    const { paths } = await described();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { requestBody, parameters = [], responses }] of Object.entries(methods)) {
        const hasBody = requestBody !== undefined;
        const expected = [
          ...(hasBody ? ["400", "408", "413"] : []),
          ...(hasBody || parameters.length > 0 ? ["422"] : []),
          "429",
        ];
        expect([method, path, Object.keys(responses)]).toEqual([
          method,
          path,
          expect.arrayContaining(expected),
        ]);
      }
    }
    const list = paths["/v1/transcriptions"]?.["get"];
    expect(list?.parameters?.map(({ name }) => name)).toContain("user_id");
    const sessions = paths["/v1/auth/sessions"]?.["get"];
    expect(sessions?.parameters?.map(({ name }) => name)).toContain("user_id");
  });

  test("has a frame behind every reference", async () => {
    const document = await described();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, reference = ""] of references) {
      const path = reference.replace("#/components/schemas/", "");
      expect(Object.keys(document.components.schemas)).toContain(path);
    }
  });

  test("describes the frames of both directions", async () => {
    const { paths, components } = await described();
    const types = (path: string, side: "client" | "server"): unknown[] => {
      const references = paths[path]?.["get"]?.["x-frames"]?.[side] ?? [];
      return references.map(({ $ref }) => {
        const name = $ref.replace("#/components/schemas/", "");
        return components.schemas[name]?.properties?.type?.const;
      });
    };
    const chat = ["join", "leave", "say", "typing", "history", "ping", "authenticate"];
    expect(types("/v1/ws/chat", "client")).toEqual(expect.arrayContaining(chat));
    const told = ["welcome", "joined", "left", "sent", "message", "presence", "error", "pong"];
    expect(types("/v1/ws/chat", "server")).toEqual(expect.arrayContaining(told));
    const speech = ["start", "configure", "keepalive", "finalize", "stop", "ping"];
    expect(types("/v1/ws/transcription", "client")).toEqual(expect.arrayContaining(speech));
    const heard = ["ready", "partial", "final", "finalized", "processed", "audio_ack", "done"];
    expect(types("/v1/ws/transcription", "server")).toEqual(expect.arrayContaining(heard));
  });
});
