import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Elysia, t } from "elysia";
import { errorAnswers } from "../../src/http/errors.ts";
import { type Attempts, UNCOUNTED } from "../../src/http/attempts.ts";
import { createIdentify, guard } from "../../src/http/guard.ts";
import { createKeyStore } from "../../src/http/keys.store.ts";
import { type Keys, createKeys } from "../../src/http/keys.ts";
import { createTokens } from "../../src/http/tokens.ts";
import { type Database, openDatabase } from "../../src/platform/database.ts";
import { createLog } from "../../src/platform/log.ts";
import { type TestApp, postJson, startTestApp } from "../support/app.ts";
import { runEarshot } from "../support/server.ts";
import { openSocket } from "../support/socket.ts";

const SECRET = "the secret of these tests, long enough";
const CONFIGURED = "a-key-of-the-settings";
const MINUTE_MS = 60_000;

let database: Database;
let keys: Keys;

beforeEach(() => {
  database = openDatabase(":memory:");
  keys = createKeys({ store: createKeyStore(database), configured: [], now: Date.now });
});

afterEach(() => database.close());

/** Credentials that a request may bring, with the headers that carry them. */
async function credentials(): Promise<Record<string, Record<string, string>>> {
  const tokens = createTokens(SECRET, Date.now);
  const tokenOf = async (role: "user" | "admin" | "guest"): Promise<Record<string, string>> => {
    const caller = { userId: 7, role, name: "Seven" };
    const token = await tokens.sign({ caller, expiresAt: Date.now() + MINUTE_MS });
    return { authorization: `Bearer ${token}` };
  };
  const { key } = await keys.create("uploader");
  const { key: posts } = await keys.create("posts only", ["posts"]);
  const { key: audio } = await keys.create("audio only", ["audio"]);
  const { key: revoked } = await keys.create("gone");
  await keys.revoke("gone");
  const [user, admin, guest] = await Promise.all([
    tokenOf("user"),
    tokenOf("admin"),
    tokenOf("guest"),
  ]);
  const wrong = "ek_wrong-wrong-wrong-wrong-wrong-wrong-wrong";
  return {
    nobody: {},
    "x-api-key": { "x-api-key": key },
    access_token: { access_token: key },
    "key as bearer": { authorization: `Bearer ${key}` },
    "key and a proxy's Authorization": { "x-api-key": key, authorization: "Basic cHJveHk6eA==" },
    "key in both headers": { "x-api-key": key, access_token: key },
    "configured key": { "x-api-key": CONFIGURED },
    "configured key as bearer": { authorization: `Bearer ${CONFIGURED}` },
    "key for posts": { "x-api-key": posts },
    "key for posts as bearer": { authorization: `Bearer ${posts}` },
    "key for audio": { "x-api-key": audio },
    "key for audio as bearer": { authorization: `Bearer ${audio}` },
    user,
    admin,
    guest,
    "wrong key": { "x-api-key": wrong },
    "wrong access_token": { access_token: wrong },
    "wrong bearer": { authorization: `Bearer ${wrong}` },
    "revoked key": { "x-api-key": revoked },
    "revoked bearer": { authorization: `Bearer ${revoked}` },
    "empty key": { "x-api-key": "" },
    "two keys, one wrong": { "x-api-key": key, access_token: wrong },
    "admin with a wrong key": { ...admin, "x-api-key": wrong },
    "token as a key": { "x-api-key": admin["authorization"]?.replace("Bearer ", "") ?? "" },
    "basic alone": { authorization: "Basic cHJveHk6eA==" },
  };
}

/** The real guard before one route for each mark, which answer whom they take the caller for. */
function tinyApp(
  auth: "open" | "required",
  configured: readonly string[],
  requests: Attempts = UNCOUNTED,
) {
  const tokens = createTokens(SECRET, Date.now);
  const all = createKeys({ store: createKeyStore(database), configured, now: Date.now });
  const marks = guard(
    createIdentify({ auth, tokens, keys: all, requests, guestId: () => 2 ** 41 }),
  );
  const body = t.Object({ content: t.String() });
  return new Elysia()
    .use(errorAnswers(createLog("silent")))
    .use(marks)
    .post("/keyed", ({ caller }) => caller, { keyed: true, body })
    .post("/signedInOrKey", ({ caller }) => caller, { signedInOrKey: true, body })
    .post("/signedIn", ({ caller }) => caller, { signedIn: true, body });
}

type Outcome = number | string;

/** Each credential's outcome: whom it is taken for, or the status of the refusal. */
async function outcomes(
  app: ReturnType<typeof tinyApp>,
  mark: string,
  headers: Record<string, Record<string, string>>,
): Promise<Record<string, Outcome>> {
  const found = Object.entries(headers).map(async ([name, sent]): Promise<[string, Outcome]> => {
    const request = (body: string): Promise<Response> =>
      app.handle(
        new Request(`http://localhost/${mark}`, {
          method: "POST",
          headers: { "content-type": "application/json", ...sent },
          body,
        }),
      );
    const response = await request('{"content":"x"}');
    const answer = (await response.json()) as { role?: string };
    const withWrongBody = (await request('{"wrong":1}')).status;
    // Whoever may not come in learns nothing of the fields.
    expect([name, withWrongBody]).toEqual([name, response.ok ? 422 : response.status]);
    return [name, response.ok ? (answer.role ?? "") : response.status];
  });
  return Object.fromEntries(await Promise.all(found));
}

describe("a route for keys", () => {
  const KEYS = {
    "x-api-key": "key",
    access_token: "key",
    "key as bearer": "key",
    "key and a proxy's Authorization": "key",
    "key in both headers": "key",
    "configured key": "key",
    "configured key as bearer": "key",
    "key for posts": "key",
    "key for posts as bearer": "key",
    admin: "admin",
  };
  const SCOPED = { "key for audio": 403, "key for audio as bearer": 403 };
  const WRONG = {
    "wrong key": 401,
    "wrong access_token": 401,
    "wrong bearer": 401,
    "revoked key": 401,
    "revoked bearer": 401,
    "empty key": 401,
    "two keys, one wrong": 401,
    "admin with a wrong key": 401,
    "token as a key": 401,
    "basic alone": 401,
  };

  for (const auth of ["open", "required"] as const) {
    test(`takes a key or an admin with AUTH=${auth}, once there is a key`, async () => {
      const found = await outcomes(tinyApp(auth, [CONFIGURED]), "keyed", await credentials());
      expect(found).toEqual({ ...KEYS, ...SCOPED, ...WRONG, nobody: 401, user: 403, guest: 401 });
    });
  }

  test("is open to everyone with AUTH=open until there is a key, but not to a wrong one", async () => {
    const headers = await credentials();
    for (const name of ["uploader", "posts only", "audio only"]) await keys.revoke(name);
    const found = await outcomes(tinyApp("open", []), "keyed", headers);
    const former = Object.fromEntries(
      Object.entries({ ...KEYS, "key for audio": "key", "key for audio as bearer": "key" }).map(
        ([name, role]) => [name, role === "key" ? 401 : role],
      ),
    );
    const people = { nobody: "guest", user: "user", guest: "guest" };
    expect(found).toEqual({ ...former, ...WRONG, ...people });
    await keys.create("another");
    expect(await outcomes(tinyApp("open", []), "keyed", { nobody: {} })).toEqual({ nobody: 401 });
  });

  test("is closed with AUTH=required even while there is no key", async () => {
    const headers = await credentials();
    await keys.revoke("uploader");
    const found = await outcomes(tinyApp("required", []), "keyed", headers);
    expect(found).toMatchObject({ nobody: 401, user: 403, guest: 401, admin: "admin" });
  });

  test("says the same of every key that is not valid", async () => {
    const app = tinyApp("required", [CONFIGURED]);
    const headers = await credentials();
    const told = await Promise.all(
      Object.keys(WRONG)
        .filter((name) => name !== "basic alone")
        .map(async (name) => {
          const request = new Request("http://localhost/keyed", {
            method: "POST",
            headers: { ...headers[name] },
          });
          const response = await app.handle(request);
          expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
          return response.text();
        }),
    );
    expect(new Set(told).size).toBe(1);
    expect(told[0]).not.toContain("ek_");
  });
});

describe("a route for clients of other services", () => {
  test("takes a key in the place of a token", async () => {
    const headers = await credentials();
    expect(
      await outcomes(tinyApp("required", [CONFIGURED]), "signedInOrKey", headers),
    ).toMatchObject({
      "key as bearer": "key",
      "configured key as bearer": "key",
      user: "user",
      admin: "admin",
      guest: 401,
      nobody: 401,
      "wrong bearer": 401,
      "revoked bearer": 401,
      "basic alone": 401,
      "key for audio as bearer": "key",
      "key for posts as bearer": 403,
    });
    expect(await outcomes(tinyApp("open", [CONFIGURED]), "signedInOrKey", headers)).toMatchObject({
      "key as bearer": "key",
      "configured key as bearer": "key",
      user: "user",
      guest: "guest",
      nobody: "guest",
      "wrong bearer": "guest",
      "revoked bearer": "guest",
      "key for audio as bearer": "key",
      "key for posts as bearer": 403,
    });
  });

  test("leaves the others to people: a key opens none of them", async () => {
    const headers = await credentials();
    const required = await outcomes(tinyApp("required", [CONFIGURED]), "signedIn", headers);
    const { user, admin, "admin with a wrong key": same, ...others } = required;
    expect([user, admin, same]).toEqual(["user", "admin", "admin"]);
    expect(new Set(Object.values(others))).toEqual(new Set([401]));
    expect(await outcomes(tinyApp("open", [CONFIGURED]), "signedIn", headers)).toMatchObject({
      "key as bearer": 401,
      "configured key as bearer": 401,
      // It was sent for nothing.
      "x-api-key": "guest",
    });
  });
});

describe("requests are counted", () => {
  /** Whom a request was counted for, by credential. */
  const counted = async (
    mark: string,
    sent: Record<string, Record<string, string>>,
  ): Promise<Record<string, string[]>> => {
    const taken: string[] = [];
    const take = (key: string): Promise<number> => {
      taken.push(key);
      return Promise.resolve(0);
    };
    const app = tinyApp("required", [CONFIGURED], { ...UNCOUNTED, take });
    const found: Record<string, string[]> = {};
    for (const [name, headers] of Object.entries(sent)) {
      const init = { method: "POST", headers: { "content-type": "application/json", ...headers } };
      await app.handle(new Request(`http://localhost/${mark}`, { ...init, body: "{}" }));
      const keysTaken = taken.splice(0);
      if (keysTaken.length > 0) found[name] = keysTaken;
    }
    return found;
  };

  test("for users, admins, and each key where people come as well", async () => {
    const people = { user: ["7"], admin: ["7"] };
    const sent = await credentials();
    expect(await counted("signedIn", sent)).toEqual({ ...people, "admin with a wrong key": ["7"] });
    const withKeys = await counted("signedInOrKey", sent);
    expect(withKeys).toMatchObject({ ...people, "configured key as bearer": ["-1"] });
    const [one, other] = ["key as bearer", "key for audio as bearer"].map((name) => withKeys[name]);
    expect([one?.length, other?.length, one?.[0] === other?.[0]]).toEqual([1, 1, false]);
    expect(Object.keys(withKeys)).not.toContain("key for posts as bearer");
  });

  test("for admins who post, and not for keys, which are counted as they come in", async () => {
    expect(await counted("keyed", await credentials())).toEqual({ admin: ["7"] });
  });

  test("and refused when there are too many", async () => {
    const app = tinyApp("required", [CONFIGURED], {
      ...UNCOUNTED,
      take: () => Promise.resolve(1_500),
    });
    const all = await credentials();
    for (const [mark, name] of [
      ["keyed", "admin"],
      ["signedInOrKey", "configured key as bearer"],
      ["signedIn", "user"],
    ] as const) {
      const headers = { ...all[name] };
      const request = new Request(`http://localhost/${mark}`, { method: "POST", headers });
      const response = await app.handle(request);
      expect([mark, response.status]).toEqual([mark, 429]);
      expect(response.headers.get("retry-after")).toBe("2");
    }
  });
});

describe("the server", () => {
  let app: TestApp | null = null;
  afterEach(async () => {
    await app?.stop();
    app = null;
  });

  const start = async (settings = {}): Promise<TestApp> => (app = await startTestApp(settings));

  const post = (on: TestApp, headers: Record<string, string> = {}): Promise<Response> =>
    postJson(`${on.url}/v1/posts`, { content: "some words", publication: "tests" }, headers);

  /** What `earshot keys ARGUMENTS` prints, in a process of its own on the same database. */
  const run = async (on: TestApp, ...args: string[]): Promise<string> => {
    const settings = { DATABASE_URL: `sqlite:${join(on.folder, "earshot.db")}` };
    const child = runEarshot(["keys", ...args], settings, on.folder);
    const [code, out] = await Promise.all([child.exited, child.stdout.text()]);
    expect([args, code]).toEqual([args, 0]);
    return out.trim();
  };

  test("goes by the keys that another process makes and revokes, at the next request", async () => {
    const open = await start();
    expect((await post(open)).status).toBe(201);
    expect((await post(open, { "x-api-key": "ek_none" })).status).toBe(401);
    const key = await run(open, "create", "uploader");
    expect((await post(open)).status).toBe(401);
    expect((await post(open, { "x-api-key": key })).status).toBe(201);
    expect((await post(open, { access_token: key })).status).toBe(201);
    expect((await post(open, { authorization: `Bearer ${key}` })).status).toBe(201);
    expect((await fetch(`${open.url}/v1/queue`, { headers: { "x-api-key": key } })).status).toBe(
      200,
    );
    expect((await fetch(`${open.url}/v1/queue`)).status).toBe(401);

    const other = await run(open, "create", "another");
    await run(open, "revoke", "uploader");
    expect((await post(open, { "x-api-key": key })).status).toBe(401);
    expect((await post(open, { "x-api-key": other })).status).toBe(201);
    await run(open, "revoke", "2");
    expect((await post(open, { "x-api-key": other })).status).toBe(401);
    expect((await post(open)).status).toBe(201);
  });

  test("takes the keys of its settings", async () => {
    const open = await start({ API_KEYS: `${CONFIGURED}, ${CONFIGURED}-2` });
    for (const key of [CONFIGURED, `${CONFIGURED}-2`]) {
      expect((await post(open, { "x-api-key": key })).status).toBe(201);
    }
    expect((await post(open)).status).toBe(401);
    expect((await post(open, { "x-api-key": `${CONFIGURED}-3` })).status).toBe(401);
  });

  test("with AUTH=required lets a key do no more than a program has to", async () => {
    const required = await start({ JWT_SECRET: SECRET, API_KEYS: CONFIGURED });
    const bearer = { authorization: `Bearer ${CONFIGURED}` };
    const headers = { ...bearer, "x-api-key": CONFIGURED, access_token: CONFIGURED };
    expect((await post(required)).status).toBe(401);
    expect((await post(required, headers)).status).toBe(201);
    expect((await fetch(`${required.url}/v1/models`, { headers: bearer })).status).toBe(200);
    // It came in: what is wrong is the form.
    const transcribe = { method: "POST", headers: bearer };
    const answer = await fetch(`${required.url}/v1/audio/transcriptions`, transcribe);
    expect([401, 403]).not.toContain(answer.status);

    const { paths } = (await (await fetch(`${required.url}/docs/json`)).json()) as {
      paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>;
    };
    let closed = 0;
    for (const [path, operations] of Object.entries(paths)) {
      if (path.startsWith("/v1/models") || path === "/v1/audio/transcriptions") continue;
      for (const [method, { security = [] }] of Object.entries(operations)) {
        if (security.length === 0 || security.some((scheme) => "key" in scheme)) continue;
        const response = await fetch(required.url + path.replaceAll(/\{\w+\}/g, "1"), {
          method: method.toUpperCase(),
          headers: { ...headers, "content-type": "application/json" },
          ...(method === "get" ? {} : { body: "{}" }),
        });
        expect([method, path, response.status]).toEqual([method, path, 401]);
        closed++;
      }
    }
    expect(closed).toBeGreaterThanOrEqual(12);
    const protocols = ["earshot.v1", `bearer.${CONFIGURED}`];
    for (const path of ["/v1/ws/chat", "/v1/ws/transcription"]) {
      const opening = openSocket(required.wsUrl + path, { headers, protocols });
      expect(await opening.then(() => "open", String)).toContain("refused");
    }
  });

  test("tells a key to nobody but whoever makes it", async () => {
    const open = await start({ LOG_LEVEL: "trace", API_KEYS: CONFIGURED });
    const key = await run(open, "create", "uploader");
    const hash = new Bun.CryptoHasher("sha256").update(key).digest("hex");
    const told: string[] = [];
    for (const sent of [key, CONFIGURED, `${key}x`, `${CONFIGURED}x`]) {
      for (const name of ["x-api-key", "access_token", "authorization"]) {
        const headers = { [name]: name === "authorization" ? `Bearer ${sent}` : sent };
        const response = await post(open, headers);
        told.push(await response.text(), JSON.stringify([...response.headers]));
      }
    }
    await run(open, "revoke", "uploader");
    told.push(await (await post(open, { "x-api-key": key })).text());
    told.push(await run(open, "list"), await run(open, "list", "--json"));
    await open.stop();
    app = null;
    const all = [...told, ...open.lines].join("\n");
    for (const secret of [key, key.slice(12), hash, CONFIGURED]) expect(all).not.toContain(secret);
  });

  test("answers whoever guesses with one and the same refusal", async () => {
    const open = await start({ API_KEYS: CONFIGURED });
    const key = await run(open, "create", "uploader");
    const guesses = Array.from({ length: 200 }, (_, count) =>
      count < key.length ? key.slice(0, count) : `ek_${count}`.padEnd(46, "x"),
    );
    const answers = await Promise.all(
      guesses.map(async (guess) => {
        const response = await post(open, { "x-api-key": guess });
        return `${response.status} ${await response.text()}`;
      }),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toStartWith("401 ");
  });

  test("documents where a key goes", async () => {
    const open = await start();
    const { paths, components } = (await (await fetch(`${open.url}/docs/json`)).json()) as {
      paths: Record<string, Record<string, { security: object[] }>>;
      components: { securitySchemes: Record<string, object> };
    };
    expect(components.securitySchemes["key"]).toEqual({
      type: "apiKey",
      in: "header",
      name: "X-API-Key",
    });
    expect(paths["/v1/posts"]?.["post"]?.security).toEqual([{ key: [] }, { bearer: [] }]);
  });
});
