import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
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
