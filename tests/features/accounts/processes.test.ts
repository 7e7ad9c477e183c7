import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { openSocket } from "../../support/socket.ts";

describe.skipIf(!hasRedis)("of two processes that Redis joins (needs redis-server)", () => {
  let redis: TestRedis;
  let one: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    redis = await startRedis();
    const settings = {
      JWT_SECRET: "the secret of these tests, long enough",
      REDIS_URL: redis.url,
    };
    one = await startTestApp(settings);
    const DATABASE_URL = `sqlite:${join(one.folder, "earshot.db")}`;
    other = await startTestApp({ ...settings, DATABASE_URL });
  });
  afterAll(async () => {
    await other.stop();
    await one.stop();
    await redis.dispose();
  });

  test("a session that one ends is over in the other, with its sockets", async () => {
    await addAccount(one, "ada");
    const { headers, refresh_token: token } = await login(one, "ada");
    const socket = await openSocket(`${other.wsUrl}/v1/ws/chat`, { headers });
    await postJson(`${one.url}/v1/auth/logout`, { refresh_token: token });
    expect((await fetch(`${other.url}/v1/auth/me`, { headers })).status).toBe(401);
    expect(await socket.next("error")).toMatchObject({ code: "session_expired" });
    expect((await socket.closed).code).toBe(4401);
  });

  test("wrong passwords count together", async () => {
    await addAccount(one, "bob");
    const guess = async (app: TestApp): Promise<number> => {
      const body = { name: "bob", password: "wrong horse" };
      return (await postJson(`${app.url}/v1/auth/login`, body)).status;
    };
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push(await guess(one), await guess(other));
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  });

  test("sockets count together", async () => {
    await addAccount(one, "cara");
    const { headers } = await login(one, "cara");
    const open = (app: TestApp, count: number) =>
      Promise.all(
        Array.from({ length: count }, () => openSocket(`${app.wsUrl}/v1/ws/chat`, { headers })),
      );
    const sockets = [...(await open(one, 60)), ...(await open(other, 40))];
    const upgrade = {
      ...headers,
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    };
    for (const app of [one, other]) {
      const answer = await fetch(`${app.url}/v1/ws/chat`, { headers: upgrade });
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    sockets.shift()?.close();
    const opened = (): Promise<boolean> =>
      open(other, 1).then(
        ([socket]) => sockets.push(...(socket === undefined ? [] : [socket])) > 0,
        () => false,
      );
    await until(opened);
    for (const socket of sockets) socket.close();
  });

  test("a key that one revokes opens nothing in the other", async () => {
    await addAccount(one, "the admin", "admin");
    const { headers } = await login(one, "the admin");
    const made = await postJson(`${one.url}/v1/keys`, { name: "uploader" }, headers);
    const { id, key } = (await made.json()) as { id: number; key: string };
    const post = (): Promise<Response> =>
      postJson(
        `${other.url}/v1/posts`,
        { content: "some words", publication: "tests" },
        { "x-api-key": key },
      );
    expect((await post()).status).toBe(201);
    await fetch(`${one.url}/v1/keys/${id}`, { method: "DELETE", headers });
    expect((await post()).status).toBe(401);
  });
});
