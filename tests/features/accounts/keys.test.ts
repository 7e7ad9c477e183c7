import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type LoggedIn, addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";

let app: TestApp;
let admin: LoggedIn;
let user: LoggedIn;
beforeAll(async () => {
  app = await startTestApp({ JWT_SECRET: "the secret of these tests, long enough" });
  await addAccount(app, "the admin", "admin");
  await addAccount(app, "the user");
  admin = await login(app, "the admin");
  user = await login(app, "the user");
});
afterAll(() => app.stop());

type Headers = Record<string, string>;

const create = (body: unknown, headers: Headers = admin.headers): Promise<Response> =>
  postJson(`${app.url}/v1/keys`, body, headers);
const list = (headers: Headers = admin.headers): Promise<Response> =>
  fetch(`${app.url}/v1/keys`, { headers });
const revoke = (id: unknown, headers: Headers = admin.headers): Promise<Response> =>
  fetch(`${app.url}/v1/keys/${String(id)}`, { method: "DELETE", headers });

const post = (key: string): Promise<Response> =>
  postJson(
    `${app.url}/v1/posts`,
    { content: "some words", publication: "tests" },
    { "x-api-key": key },
  );
const models = (key: string): Promise<Response> =>
  fetch(`${app.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });

interface Made {
  id: number;
  key: string;
}

const make = async (body: object): Promise<Made> => (await (await create(body)).json()) as Made;

describe("keys, for an admin", () => {
  test("are told when they are made and never again", async () => {
    const answer = await create({ name: "uploader" });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { key, ...told } = (await answer.json()) as Made;
    expect(key).toMatch(/^ek_[\w-]{43}$/);
    expect(told).toEqual({
      id: expect.any(Number),
      name: "uploader",
      hint: key.slice(0, 8),
      scopes: ["posts", "audio"],
      created_at: expect.any(Number),
      used_at: null,
      revoked_at: null,
    } as never);
    expect((await post(key)).status).toBe(201);
    const text = await (await list()).text();
    expect(text).toContain('"uploader"');
    expect(text).not.toContain(key.slice(8));
  });

  test("open what they are made for, and nothing else", async () => {
    const opened = async (body: object): Promise<number[]> => {
      const { key } = await make(body);
      return [(await post(key)).status, (await models(key)).status];
    };
    expect(await opened({ name: "all of it" })).toEqual([201, 200]);
    expect(await opened({ name: "both", scopes: ["audio", "posts"] })).toEqual([201, 200]);
    expect(await opened({ name: "posts only", scopes: ["posts"] })).toEqual([201, 403]);
    expect(await opened({ name: "audio only", scopes: ["audio"] })).toEqual([403, 200]);
  });

  test("are refused from the next request on when they are revoked", async () => {
    const { id, key } = await make({ name: "short-lived" });
    expect((await post(key)).status).toBe(201);
    expect((await revoke(id)).status).toBe(204);
    expect([(await post(key)).status, (await models(key)).status]).toEqual([401, 401]);
    expect((await revoke(id)).status).toBe(204);
    expect((await revoke(999_999)).status).toBe(404);
    const rows = (await (await list()).json()) as { id: number; revoked_at: number | null }[];
    expect(rows.find((row) => row.id === id)?.revoked_at).toBeGreaterThan(0);
  });

  test("have names and scopes that are checked", async () => {
    await make({ name: "only one" });
    expect((await create({ name: "only one" })).status).toBe(409);
    const wrong = [
      {},
      { name: "" },
      { name: "12" },
      { name: "x", scopes: [] },
      { name: "x", scopes: ["everything"] },
      { name: "x", scopes: ["posts", "posts"] },
      { name: "x", key: "ek_of-my-own" },
    ];
    for (const body of wrong) expect([body, (await create(body)).status]).toEqual([body, 422]);
    expect((await revoke("uploader")).status).toBe(422);
  });
});

test("nobody else learns anything of keys, nor what their routes take", async () => {
  const { id, key } = await make({ name: "a program" });
  const others: [Headers, number][] = [
    [{}, 401],
    [user.headers, 403],
    [{ authorization: `Bearer ${key}` }, 401],
    [{ "x-api-key": key }, 401],
  ];
  for (const [headers, status] of others) {
    const answers = [list(headers), create({ wrong: 1 }, headers), revoke(id, headers)];
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(status);
  }
  expect((await post(key)).status).toBe(201);
});
