import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { limitedBody } from "../../src/http/limits.ts";
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
});
