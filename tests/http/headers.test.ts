import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { errorAnswers } from "../../src/http/errors.ts";
import { bodyLimit, limitedBody } from "../../src/http/limits.ts";
import { createLog } from "../../src/platform/log.ts";
import { type TestApp, startTestApp } from "../support/app.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

describe("every answer", () => {
  test.each(["/", "/docs", "/docs/json", "/docs/assets/1/ui.js", "/healthz", "/v1/nothing"])(
    "tells browsers what a page may not do: %s",
    async (path) => {
      for (const accept of ["text/html", "application/json"]) {
        const { headers } = await fetch(`${app.url}${path}`, { headers: { accept } });
        expect(headers.get("content-security-policy")).toContain("default-src 'self'");
        expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
        expect(headers.get("content-security-policy")).not.toContain("script-src");
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("x-frame-options")).toBe("DENY");
        expect(headers.get("referrer-policy")).toBe("no-referrer");
      }
    },
  );

  test("to another site's page that may not use the server has them too", async () => {
    const response = await fetch(`${app.url}/v1/transcriptions/save`, {
      method: "POST",
      headers: { origin: "https://elsewhere.example" },
    });
    expect(response.status).toBe(403);
    expect(response.headers.get("x-frame-options")).toBe("DENY");
  });

  test("with a page has no inline script", async () => {
    for (const path of ["/", "/docs"]) {
      const page = await (await fetch(app.url + path, { headers: { accept: "text/html" } })).text();
      expect(page).toContain("<!doctype html>");
      expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=|javascript:/i);
    }
  });
});

test("what accounts and keys are answered is kept by no cache, refusals neither", async () => {
  const asked: [string, string, object | null][] = [
    ["GET", "/v1/auth/me", null],
    ["GET", "/v1/auth/me?user_id=x", null],
    ["PATCH", "/v1/auth/me", { name: "Ann" }],
    ["GET", "/v1/auth/me/export", null],
    ["GET", "/v1/auth/sessions", null],
    ["GET", "/v1/auth/nothing", null],
    ["POST", "/v1/auth/register", { name: "Ann", password: "short" }],
    ["POST", "/v1/auth/login", { name: "nobody", password: "wrong" }],
    ["POST", "/v1/auth/refresh", { refresh_token: "x" }],
    ["POST", "/v1/auth/logout", { wrong: 1 }],
    ["POST", "/v1/auth/logout", { refresh_token: "x" }],
    ["GET", "/v1/keys", null],
    ["POST", "/v1/keys", { name: "x" }],
    ["DELETE", "/v1/keys/1", null],
  ];
  for (const [method, path, body] of asked) {
    const { headers } = await fetch(app.url + path, {
      method,
      ...(body !== null && { body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
    expect([method, path, headers.get("cache-control")]).toEqual([method, path, "no-store"]);
  }
  expect((await fetch(`${app.url}/v1/languages`)).headers.get("cache-control")).toBeNull();
});

describe("a request", () => {
  test("whose address or headers are too long is refused, and the server goes on", async () => {
    const long = "x".repeat(64 * 1024);
    expect((await fetch(`${app.url}/healthz?${long}`)).status).toBe(431);
    expect((await fetch(`${app.url}/healthz`, { headers: { "x-long": long } })).status).toBe(431);
    expect((await fetch(`${app.url}/healthz`)).status).toBe(200);
  });

  test("whose body drips is given up, however often a byte comes", async () => {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await Bun.sleep(5);
        controller.enqueue(new Uint8Array(1));
      },
      cancel: () => void (isCancelled = true),
    });
    const request = new Request(app.url, { method: "POST", body });
    const read = async (): Promise<number> => {
      let bytes = 0;
      for await (const piece of limitedBody(request, 1_000_000, 50)) bytes += piece.length;
      return bytes;
    };
    const failure: unknown = await read().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "invalid", extras: { status: 408 } });
    expect(isCancelled).toBe(true);
  });

  test("whose JSON does not come, though its length was told, is answered 408", async () => {
    const waiting = new Elysia()
      .use(errorAnswers(createLog("silent")))
      .use(bodyLimit({}, 50))
      .post("/", ({ body }) => ({ body }));
    waiting.listen({ port: 0, hostname: "127.0.0.1" });
    const { server } = waiting;
    if (server === null) throw new Error("it did not start");
    try {
      const answer = Promise.withResolvers<string>();
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port: Number(server.port),
        socket: {
          data: (_, bytes) => answer.resolve(bytes.toString()),
          close: () => answer.reject(new Error("the server closed the connection")),
        },
      });
      const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
      socket.write(`${head}Content-Length: 20\r\n\r\n{"begun":`);
      const text = await answer.promise;
      socket.terminate();
      expect(text).toStartWith("HTTP/1.1 408 ");
      expect(text).toContain('"code":"invalid"');
      const whole = { method: "POST", headers: { "content-type": "application/json" } };
      const url = `http://127.0.0.1:${server.port}/`;
      expect(await (await fetch(url, { ...whole, body: "[1]" })).json()).toEqual({ body: [1] });
      expect((await fetch(url, { ...whole, body: "[1" })).status).toBe(400);
    } finally {
      await server.stop(true);
    }
  });
});
