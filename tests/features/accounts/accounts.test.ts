import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { join } from "node:path";
import { PASSWORD, addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { openSocket } from "../../support/socket.ts";

const SECRET = "the secret of these tests, long enough";
const CHAT = "/v1/ws/chat";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ JWT_SECRET: SECRET });
});
afterAll(() => app.stop());

type Headers = Record<string, string>;

const auth = (path: string, body: unknown, headers: Headers = {}): Promise<Response> =>
  postJson(`${app.url}/v1/auth/${path}`, body, headers);

const get = (path: string, headers: Headers): Promise<Response> =>
  fetch(`${app.url}/v1/auth/${path}`, { headers });

const change = (headers: Headers, body: unknown, method = "PATCH"): Promise<Response> =>
  fetch(`${app.url}/v1/auth/me`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const end = (headers: Headers, id = ""): Promise<Response> =>
  fetch(`${app.url}/v1/auth/sessions${id}`, { method: "DELETE", headers });

const codeOf = async (response: Response): Promise<[number, unknown]> => [
  response.status,
  ((await response.json()) as { code?: unknown }).code,
];

interface Session {
  id: number;
  current: boolean;
}

test("whoever registers can log in, is known, and gets tokens that nobody may store", async () => {
  const made = await auth("register", { name: "  Ada   Lovelace ", password: PASSWORD });
  expect(made.status).toBe(201);
  const { id, name, ...rest } = (await made.json()) as { id: number; name: string };
  expect([name, rest]).toEqual(["Ada Lovelace", {}]);
  // Above what people state for themselves, below what guests get.
  expect(id).toBeWithin(1_000_001, 2 ** 40);

  const answer = await auth("login", { name: "ADA LOVELACE", password: PASSWORD });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const tokens = (await answer.json()) as Record<string, unknown>;
  expect(tokens).toEqual({
    access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    token_type: "bearer",
    expires_in: 900,
    refresh_token: expect.stringMatching(/^er_/),
  });
  const headers = { authorization: `Bearer ${String(tokens["access_token"])}` };
  const me = await get("me", headers);
  expect(await me.json()).toEqual({ id, name: "Ada Lovelace", role: "user" });

  const saved = { user_id: id, language: "en", transcription: "my own words" };
  expect((await postJson(`${app.url}/v1/transcriptions/save`, saved, headers)).status).toBe(201);
  const another = { ...saved, user_id: id + 1 };
  expect((await postJson(`${app.url}/v1/transcriptions/save`, another, headers)).status).toBe(403);
});

describe("registering", () => {
  test("takes no name twice, however it is written", async () => {
    await addAccount(app, "Straße");
    for (const name of ["straße", "STRASSE", " ｓｔｒａｓｓｅ "]) {
      expect(await codeOf(await auth("register", { name, password: PASSWORD }))).toEqual([
        409,
        "conflict",
      ]);
    }
  });

  test("takes no name and no password that accounts cannot have, and no other field", async () => {
    const wrong = [
      { name: "", password: PASSWORD },
      { name: "x".repeat(51), password: PASSWORD },
      { name: "right\u202eleft", password: PASSWORD },
      { name: "somebody", password: "short" },
      { name: "somebody", password: "x".repeat(201) },
      { name: "somebody", password: 12_345_678 },
      { name: "somebody" },
      { name: "somebody", password: PASSWORD, role: "admin" },
      { name: "somebody", password: PASSWORD, id: 1 },
    ];
    for (const body of wrong) {
      const answer = await auth("register", body);
      expect([body, answer.status]).toEqual([body, 422]);
      const text = await answer.text();
      expect(text).toContain('"invalid"');
      for (const value of ["short", PASSWORD]) expect(text).not.toContain(value);
    }
  });

  test("is the operator's alone with REGISTRATION=closed", async () => {
    const closed = await startTestApp({ JWT_SECRET: SECRET, REGISTRATION: "closed" });
    const asked = { name: "somebody", password: PASSWORD };
    const answer = await postJson(`${closed.url}/v1/auth/register`, asked);
    expect(await codeOf(answer)).toEqual([403, "forbidden"]);
    await addAccount(closed, "somebody");
    expect((await login(closed, "somebody")).expires_in).toBe(900);
    await closed.stop();
  });
});

describe("a session", () => {
  test("goes on with the next refresh token each time", async () => {
    await addAccount(app, "refresher");
    const first = await login(app, "refresher");
    const answer = await auth("refresh", { refresh_token: first.refresh_token });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const second = (await answer.json()) as typeof first;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(second).toMatchObject({ token_type: "bearer", expires_in: 900 });
    const third = await auth("refresh", { refresh_token: second.refresh_token });
    expect(third.status).toBe(200);
    const { access_token: token } = (await third.json()) as typeof first;
    // It is one session all the time.
    const headers = { authorization: `Bearer ${token}` };
    expect(await (await get("sessions", headers)).json()).toHaveLength(1);
    expect((await get("me", first.headers)).status).toBe(200);
  });

  test("ends with its logout, for its access tokens too; another one stays", async () => {
    await addAccount(app, "leaver");
    const [gone, there] = [await login(app, "leaver"), await login(app, "leaver")];
    const logout = (token: string): Promise<Response> => auth("logout", { refresh_token: token });
    expect((await logout(gone.refresh_token)).status).toBe(204);
    expect(await codeOf(await get("me", gone.headers))).toEqual([401, "unauthorized"]);
    const again = await auth("refresh", { refresh_token: gone.refresh_token });
    expect(await codeOf(again)).toEqual([401, "unauthorized"]);
    expect((await get("me", there.headers)).status).toBe(200);
    // Whoever is out already may say so again.
    for (const token of [gone.refresh_token, "er_nothing", ""]) {
      expect((await logout(token)).status).toBe(204);
    }
  });

  test("is listed to its account with what its client calls itself, and ended there", async () => {
    await addAccount(app, "lister");
    await addAccount(app, "stranger");
    const agent = `Client/1 \u00ad${"x".repeat(500)}`;
    const answer = await auth(
      "login",
      { name: "lister", password: PASSWORD },
      { "user-agent": agent },
    );
    const phone = (await answer.json()) as { access_token: string };
    const [here, stranger] = [await login(app, "lister"), await login(app, "stranger")];
    const sessions = (await (await get("sessions", here.headers)).json()) as Session[];
    const own = { current: true, user_agent: expect.stringContaining("Bun/") };
    const other = { current: false, user_agent: `Client/1 ${"x".repeat(111)}` };
    expect(sessions).toMatchObject([own, other]);
    expect(Object.keys(sessions[0] ?? {}).sort()).toEqual([
      "created_at",
      "current",
      "expires_at",
      "id",
      "used_at",
      "user_agent",
    ]);

    const [{ id: hereId } = { id: 0 }, { id: phoneId } = { id: 0 }] = sessions;
    expect(await codeOf(await end(stranger.headers, `/${phoneId}`))).toEqual([404, "not_found"]);
    const phoneHeaders = { authorization: `Bearer ${phone.access_token}` };
    expect((await get("me", phoneHeaders)).status).toBe(200);
    expect((await end(here.headers, `/${phoneId}`)).status).toBe(204);
    expect((await get("me", phoneHeaders)).status).toBe(401);
    expect((await end(here.headers, `/${phoneId}`)).status).toBe(404);
    expect(await (await get("sessions", here.headers)).json()).toMatchObject([{ id: hereId }]);
  });

  test("is ended with all others of its account, and of nobody else", async () => {
    await addAccount(app, "everywhere");
    await addAccount(app, "neighbour");
    const [one, two] = [await login(app, "everywhere"), await login(app, "everywhere")];
    const neighbour = await login(app, "neighbour");
    expect((await end(one.headers)).status).toBe(204);
    for (const { headers } of [one, two]) expect((await get("me", headers)).status).toBe(401);
    expect((await get("me", neighbour.headers)).status).toBe(200);
  });

  test("closes its sockets with session_expired when it ends, and no other's", async () => {
    await addAccount(app, "talker");
    const [gone, there] = [await login(app, "talker"), await login(app, "talker")];
    const sockets = [];
    for (const path of [CHAT, "/v1/ws/transcription"]) {
      sockets.push(await openSocket(app.wsUrl + path, { headers: gone.headers }));
    }
    const other = await openSocket(app.wsUrl + CHAT, { headers: there.headers });
    // A socket belongs to the session that it was renewed by last.
    const moved = await openSocket(app.wsUrl + CHAT, { headers: gone.headers });
    moved.send({ type: "authenticate", token: there.access_token });
    await moved.next("authenticated");
    await auth("logout", { refresh_token: gone.refresh_token });
    for (const socket of sockets) {
      expect(await socket.next("error")).toMatchObject({ code: "session_expired" });
      expect((await socket.closed).code).toBe(4401);
    }
    for (const socket of [other, moved]) {
      socket.send({ type: "authenticate", token: gone.access_token });
      expect(await socket.next("error")).toMatchObject({ code: "unauthorized" });
      socket.send({ type: "ping" });
      await socket.next("pong");
      socket.close();
    }
  });

  test("that another process ends is over here at once, and its sockets soon", async () => {
    await addAccount(app, "elsewhere");
    const { headers } = await login(app, "elsewhere");
    const socket = await openSocket(app.wsUrl + CHAT, { headers });
    const sqlite = new Sqlite(join(app.folder, "earshot.db"));
    sqlite.run("DELETE FROM auth_sessions WHERE user_id = (SELECT id FROM users WHERE name = ?)", [
      "elsewhere",
    ]);
    sqlite.close();
    expect((await get("me", headers)).status).toBe(401);
    expect((await socket.closed).code).toBe(4401);
  });

  test("makes room for the next when its account has very many", async () => {
    await addAccount(app, "collector");
    const first = await login(app, "collector");
    const second = await login(app, "collector");
    for (let i = 0; i < 49; i++) await login(app, "collector");
    expect((await get("me", first.headers)).status).toBe(401);
    expect(await (await get("sessions", second.headers)).json()).toHaveLength(50);
  });
});

describe("an account", () => {
  test("is not renamed without end, which would tell which names are taken", async () => {
    await addAccount(app, "restless");
    await addAccount(app, "taken by another");
    const { headers } = await login(app, "restless");
    const statuses: number[] = [];
    for (let at = 0; at < 12; at++) {
      const name = at % 2 === 0 ? "taken by another" : `restless ${at}`;
      statuses.push((await change(headers, { name })).status);
    }
    expect(statuses.slice(0, 10)).toEqual([409, 200, 409, 200, 409, 200, 409, 200, 409, 200]);
    expect(statuses.slice(10)).toEqual([429, 429]);
    expect((await change(headers, { name: "" })).status).toBe(422);
  });

  test("is renamed, which its tokens and sessions survive", async () => {
    const id = await addAccount(app, "Old Name");
    await addAccount(app, "taken");
    const { headers } = await login(app, "old name");
    const renamed = await change(headers, { name: " New  Name " });
    expect(await renamed.json()).toEqual({ id, name: "New Name", role: "user" });
    expect(await (await get("me", headers)).json()).toMatchObject({ name: "New Name" });
    expect(await codeOf(await change(headers, { name: "TAKEN" }))).toEqual([409, "conflict"]);
    expect((await change(headers, { name: "NEW NAME" })).status).toBe(200);
    expect((await auth("login", { name: "old name", password: PASSWORD })).status).toBe(401);
    await addAccount(app, "old name");
  });

  test("gets a new password for the old one, which ends all its other sessions", async () => {
    await addAccount(app, "changer");
    const [here, there] = [await login(app, "changer"), await login(app, "changer")];
    const fresh = "another horse";
    const wrong = await change(here.headers, { password: "wrong horse", new_password: fresh });
    expect(await codeOf(wrong)).toEqual([403, "forbidden"]);
    const short = await change(here.headers, { password: PASSWORD, new_password: "short" });
    expect(await codeOf(short)).toEqual([422, "invalid"]);
    expect((await get("me", there.headers)).status).toBe(200);

    const done = await change(here.headers, { password: PASSWORD, new_password: fresh });
    expect(done.status).toBe(200);
    expect((await get("me", here.headers)).status).toBe(200);
    expect((await get("me", there.headers)).status).toBe(401);
    expect((await auth("refresh", { refresh_token: there.refresh_token })).status).toBe(401);
    expect((await auth("refresh", { refresh_token: here.refresh_token })).status).toBe(200);
    expect((await auth("login", { name: "changer", password: PASSWORD })).status).toBe(401);
    expect((await login(app, "changer", fresh)).expires_in).toBe(900);
  });

  test("changes nothing that was not asked for properly", async () => {
    await addAccount(app, "asker");
    const { headers } = await login(app, "asker");
    const wrong = [
      {},
      { password: PASSWORD },
      { new_password: "another horse" },
      { name: "x", password: PASSWORD, new_password: "another horse" },
      { name: "x", role: "admin" },
      { role: "admin" },
    ];
    for (const body of wrong) {
      const answer = await change(headers, body);
      expect([body, answer.status]).toEqual([body, 422]);
    }
    expect(await (await get("me", headers)).json()).toMatchObject({ name: "asker", role: "user" });
  });

  test("is its own: a token without a session stands for nobody's", async () => {
    const { createTokens } = await import("../../../src/http/tokens.ts");
    const id = await addAccount(app, "owner");
    const caller = { userId: id, role: "user" as const, name: "Owner" };
    const token = await createTokens(SECRET, Date.now).sign({ caller, expiresAt: null });
    const headers = { authorization: `Bearer ${token}` };
    expect(await (await get("me", headers)).json()).toEqual({ id, name: "Owner", role: "user" });
    const asked = [
      change(headers, { name: "x" }),
      change(headers, { password: PASSWORD }, "DELETE"),
      get("me/export", headers),
      get("sessions", headers),
      end(headers),
    ];
    for (const answer of await Promise.all(asked)) {
      expect(await codeOf(answer)).toEqual([403, "forbidden"]);
    }
  });
});

describe("with AUTH=open", () => {
  test("accounts work, guests keep their numbers, and each is what it says", async () => {
    const open = await startTestApp({ AUTH: "open" });
    const id = await addAccount(open, "resident");
    const { headers } = await login(open, "resident");
    const me = async (query = "", sent: Headers = {}): Promise<Record<string, unknown>> =>
      (await (await fetch(`${open.url}/v1/auth/me${query}`, { headers: sent })).json()) as never;
    expect(await me("", headers)).toEqual({ id, name: "resident", role: "user" });
    expect(await me("?user_id=7&name=Seven")).toEqual({ id: 7, name: "Seven", role: "guest" });
    const guest = await me();
    expect(guest["role"]).toBe("guest");
    expect(guest["id"]).toBeGreaterThanOrEqual(2 ** 40);

    const socket = await openSocket(open.wsUrl + CHAT, { headers });
    const welcome = await socket.next("welcome");
    expect(welcome["user"]).toEqual({ id, name: "resident" });
    expect(welcome["guest_token"]).toBeUndefined();
    socket.close();
    for (const path of ["sessions", "me/export"]) {
      expect((await fetch(`${open.url}/v1/auth/${path}`)).status).toBe(403);
    }
    expect((await fetch(`${open.url}/v1/keys`)).status).toBe(403);
    await open.stop();
  });
});

test("every route says what it needs", async () => {
  const { paths } = (await (await fetch(`${app.url}/docs/json`)).json()) as {
    paths: Record<string, Record<string, { security?: object[]; description?: string }>>;
  };
  const mine = Object.entries(paths).filter(([path]) => /^\/v1\/(auth|keys)/.test(path));
  const token = "Needs a token";
  const bearer = '[{"bearer":[]}]';
  const own = "For an account that has logged in";
  const admin = "Needs the token of an admin";
  const said = mine.flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { security, description }]) => [
      `${method} ${path}`,
      security === undefined ? "" : JSON.stringify(security),
      description
        ?.split(/, also|[.;] ?/)
        .find((part) => !part.includes("AUTH=open") && part !== token) ?? "",
    ]),
  );
  expect(said.sort(([one = ""], [other = ""]) => (one < other ? -1 : 1))).toEqual([
    ["delete /v1/auth/me", bearer, own],
    ["delete /v1/auth/sessions", bearer, own],
    ["delete /v1/auth/sessions/{id}", bearer, own],
    ["delete /v1/keys/{id}", bearer, admin],
    ["get /v1/auth/me", bearer, ""],
    ["get /v1/auth/me/export", bearer, own],
    ["get /v1/auth/sessions", bearer, own],
    ["get /v1/keys", bearer, admin],
    ["patch /v1/auth/me", bearer, own],
    ["post /v1/auth/login", "", "For everyone"],
    ["post /v1/auth/logout", "", "For whoever has a refresh token of it"],
    [
      "post /v1/auth/refresh",
      "",
      "For whoever has the session's latest refresh token, which is worth nothing afterwards",
    ],
    ["post /v1/auth/register", "", "For everyone"],
    ["post /v1/keys", bearer, admin],
  ]);
});

test("a session that expires is over, and is cleared away when another is opened", async () => {
  await addAccount(app, "sleeper");
  const { headers, refresh_token: token } = await login(app, "sleeper");
  const sqlite = new Sqlite(join(app.folder, "earshot.db"));
  const mine = "user_id = (SELECT id FROM users WHERE name = 'sleeper')";
  sqlite.run(`UPDATE auth_sessions SET expires_at = ? WHERE ${mine}`, [Date.now() - 1]);
  expect((await get("me", headers)).status).toBe(401);
  expect((await auth("refresh", { refresh_token: token })).status).toBe(401);
  await login(app, "sleeper");
  await until(() => sqlite.query(`SELECT id FROM auth_sessions WHERE ${mine}`).all().length === 1);
  sqlite.close();
});
