import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { KEY_REQUESTS, NETWORK_REQUESTS, USER_REQUESTS } from "../../src/http/request-rate.ts";
import { type TestApp, startTestApp, until } from "../support/app.ts";

const SECRET = "the secret of these tests, long enough";
const KEY = "a-key-of-the-settings";
const DOTTED_KEY = "another.of-the.settings";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    JWT_SECRET: SECRET,
    TRUSTED_PROXIES: "127.0.0.1",
    API_KEYS: `${KEY},${DOTTED_KEY}`,
  });
});
afterAll(() => app.stop());

function tokenOf(id: number): string {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 60;
  const claims = { iss: "earshot", aud: "earshot", sub: String(id), role: "user", name: "N", exp };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** How many of so many requests at once are refused for their rate. */
async function refused(count: number, path: string, headers: Record<string, string>) {
  const answers = await Promise.all(
    Array.from({ length: count }, async () => {
      const response = await fetch(app.url + path, { headers });
      await response.arrayBuffer();
      return response;
    }),
  );
  const limited = answers.filter(({ status }) => status === 429);
  for (const { headers } of limited) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  return limited.length;
}

describe("requests", () => {
  test("of one network are limited, those of others go on", async () => {
    const from = (address: string) => ({ "x-forwarded-for": `6.6.6.6, ${address}` });
    const { burst } = NETWORK_REQUESTS;
    expect(await refused(burst + 500, "/v1/languages", from("203.0.113.1"))).toBeGreaterThan(0);
    expect(await refused(10, "/v1/languages", from("203.0.113.2"))).toBe(0);
    // A proxy that names nobody is counted itself.
    expect(await refused(burst + 500, "/v1/languages", {})).toBeGreaterThan(0);
  });

  test("with a valid API key are counted for the key, whose run goes through", async () => {
    const from = (headers: Record<string, string>) => ({
      "x-forwarded-for": "203.0.113.5",
      ...headers,
    });
    const { burst } = NETWORK_REQUESTS;
    expect(await refused(burst + 200, "/v1/queue", from({ "x-api-key": KEY }))).toBe(0);
    const bearer = { authorization: `Bearer ${KEY}` };
    expect(await refused(300, "/v1/queue", from(bearer))).toBe(0);
    // None of it was taken from the network's; what is no key is counted there.
    expect(await refused(10, "/v1/languages", from({}))).toBe(0);
    const wrong = from({ "x-api-key": `${KEY}-not` });
    expect(await refused(burst + 500, "/v1/queue", wrong)).toBeGreaterThan(0);
    expect(await refused(10, "/v1/queue", from({ access_token: KEY }))).toBe(0);
  });

  test("with a key that has two dots, as tokens have, are counted for the key as well", async () => {
    const { burst } = NETWORK_REQUESTS;
    const from = { "x-forwarded-for": "203.0.113.6" };
    for (const sent of [{ "x-api-key": DOTTED_KEY }, { authorization: `Bearer ${DOTTED_KEY}` }]) {
      expect(await refused(burst / 2 + 100, "/v1/queue", { ...from, ...sent })).toBe(0);
    }
    expect(await refused(10, "/v1/languages", from)).toBe(0);
  });

  test("of a key leave room for 100,000 posts sent one by one, and for 3,000 a second", () => {
    expect(KEY_REQUESTS.burst).toBeGreaterThanOrEqual(100_000);
    expect(1_000 / KEY_REQUESTS.everyMs).toBeGreaterThan(3_000);
  });

  test("of one user are limited wherever they come from", async () => {
    const { burst } = USER_REQUESTS;
    const as = (id: number, address: string) => ({
      authorization: `Bearer ${tokenOf(id)}`,
      "x-forwarded-for": address,
    });
    expect(await refused(burst + 300, "/v1/rooms", as(7, "203.0.113.3"))).toBeGreaterThan(0);
    expect(await refused(5, "/v1/rooms", as(8, "203.0.113.3"))).toBe(0);
  });
});

describe("sockets", () => {
  test("of one user are limited, and closing one makes room", async () => {
    const open = (id: number): WebSocket =>
      new WebSocket(`${app.wsUrl}/v1/ws/chat`, {
        protocols: ["earshot.v1", `bearer.${tokenOf(id)}`],
        headers: { "x-forwarded-for": "203.0.113.4" },
      });
    const sockets = Array.from({ length: 100 }, () => open(9));
    await until(() => sockets.every(({ readyState }) => readyState === WebSocket.OPEN));
    const upgrade = {
      authorization: `Bearer ${tokenOf(9)}`,
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    };
    const headers = { ...upgrade, "x-forwarded-for": "203.0.113.4" };
    const one = await fetch(`${app.url}/v1/ws/chat`, { headers });
    expect(one.status).toBe(429);
    expect(await one.json()).toMatchObject({ code: "rate_limited" });
    sockets.pop()?.close();
    let again = open(9);
    await until(async () => {
      if (again.readyState === WebSocket.OPEN) return true;
      if (again.readyState === WebSocket.CLOSED) again = open(9);
      return false;
    });
    for (const socket of [...sockets, again]) socket.close();
  });
});

test("with the door open, what a proxy passes on is refused", async () => {
  const open = await startTestApp();
  try {
    for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"]) {
      const response = await fetch(`${open.url}/v1/rooms`, { headers: { [name]: "127.0.0.1" } });
      expect([name, response.status]).toEqual([name, 403]);
    }
    expect((await fetch(`${open.url}/v1/rooms`)).status).toBe(200);
    expect((await fetch(`${open.url}/v1/rooms?user_id=`)).status).toBe(422);
  } finally {
    await open.stop();
  }
});
