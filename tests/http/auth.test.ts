import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type TestApp, postJson, startTestApp } from "../support/app.ts";
import { type Frame, type TestSocket, openSocket } from "../support/socket.ts";

const SECRET = "the secret of these tests, long enough";
const CHAT = "/v1/ws/chat";
const SPEECH = "/v1/ws/transcription";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ JWT_SECRET: SECRET });
});
afterAll(() => app.stop());

const seconds = (): number => Math.floor(Date.now() / 1000);

type Claims = Record<string, unknown>;

/** The claims of a good token for user 7, with others in their place or, if undefined, without. */
function claims(other: Claims = {}): Claims {
  const good = { iss: "earshot", aud: "earshot", sub: "7", role: "user", name: "Seven" };
  return { ...good, exp: seconds() + 60, ...other };
}

/** A token made by hand, so that nothing of the project is on both sides. */
function sign(payload: Claims, secret = SECRET, alg = "HS256"): string {
  const hashes: Record<string, string> = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };
  const hash = hashes[alg];
  const signed = `${encode({ alg, typ: "JWT" })}.${encode(payload)}`;
  const signature =
    hash === undefined ? "" : createHmac(hash, secret).update(signed).digest("base64url");
  return `${signed}.${signature}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function user(id: number, other: Claims = {}): { authorization: string } {
  return bearer(sign(claims({ sub: String(id), name: `User ${id}`, ...other })));
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

function list(headers: Record<string, string>): Promise<Response> {
  return fetch(`${app.url}/v1/transcriptions`, { headers });
}

function save(userId: number, headers: Record<string, string>): Promise<Response> {
  const body = { user_id: userId, language: "en", transcription: "my own words" };
  return postJson(`${app.url}/v1/transcriptions/save`, body, headers);
}

describe("with AUTH=required, a stranger", () => {
  const OPEN = ["/", "/healthz", "/readyz", "/v1/languages"];
  const COMING_IN = ["register", "login", "refresh", "logout"].map((name) => `/v1/auth/${name}`);

  test("gets the greeting, the languages, the health and the documentation", async () => {
    for (const path of [...OPEN, "/docs", "/docs/json"]) {
      const response = await fetch(app.url + path);
      expect([path, response.status === 401]).toEqual([path, false]);
    }
    const html = { headers: { accept: "text/html" } };
    expect((await fetch(`${app.url}/`, html)).status).toBe(200);
    const page = await (await fetch(`${app.url}/docs`)).text();
    for (const [, address = ""] of page.matchAll(/\b(?:src|href)="([^"]+)"/g)) {
      expect((await fetch(new URL(address, `${app.url}/docs`))).status).toBe(200);
    }
  });

  test("gets 401 everywhere else, whatever it sends, and learns nothing of the fields", async () => {
    const { paths } = (await (await fetch(`${app.url}/docs/json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    let closed = 0;
    for (const [path, operations] of Object.entries(paths)) {
      if ([...OPEN, ...COMING_IN].includes(path)) continue;
      for (const method of Object.keys(operations)) {
        for (const id of ["1", "wrong"]) {
          const address = `${app.url}${path.replace("{id}", id)}?limit=wrong&user_id=wrong`;
          const response = await fetch(address, {
            method: method.toUpperCase(),
            ...(method === "get" ? {} : { body: '{"wrong":1}' }),
            headers: { "content-type": "application/json" },
          });
          expect([method, path, response.status]).toEqual([method, path, 401]);
          expect(response.headers.get("content-type")).toStartWith("application/problem+json");
          expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
          expect(await response.json()).toMatchObject({ code: "unauthorized", status: 401 });
          closed++;
        }
      }
    }
    expect(closed).toBeGreaterThanOrEqual(12);
  });

  test("may not say who it is", async () => {
    const stated = await fetch(`${app.url}/v1/transcriptions?user_id=7&name=Seven`);
    expect(stated.status).toBe(401);
    expect(await refused(`${CHAT}?user_id=7&name=Seven`)).toBe(true);
    expect(await refused(SPEECH)).toBe(true);
  });
});

describe("a token", () => {
  test("opens the door", async () => {
    expect((await list(bearer(sign(claims())))).status).toBe(200);
    expect((await list({ authorization: `bearer ${sign(claims())}` })).status).toBe(200);
  });

  const [header = "", payload = "", signature = ""] = sign(claims()).split(".");
  const bad: [string, () => string][] = [
    ["without an algorithm", () => sign(claims(), SECRET, "none")],
    ["with another algorithm, HS512", () => sign(claims(), SECRET, "HS512")],
    ["with another algorithm, HS384", () => sign(claims(), SECRET, "HS384")],
    ["signed with another secret", () => sign(claims(), `${SECRET}!`)],
    ["that has expired", () => sign(claims({ exp: seconds() - 5 }))],
    ["that does not say when it expires", () => sign(claims({ exp: undefined }))],
    ["that expires at no time", () => sign(claims({ exp: "tomorrow" }))],
    ["that is not valid yet", () => sign(claims({ nbf: seconds() + 60 }))],
    ["of another issuer", () => sign(claims({ iss: "elsewhere" }))],
    ["without an issuer", () => sign(claims({ iss: undefined }))],
    ["for another audience", () => sign(claims({ aud: "elsewhere" }))],
    ["without an audience", () => sign(claims({ aud: undefined }))],
    ["for nobody", () => sign(claims({ sub: undefined }))],
    ["for somebody without a number", () => sign(claims({ sub: "root" }))],
    ["for a negative number", () => sign(claims({ sub: "-1" }))],
    ["for an empty name of a number", () => sign(claims({ sub: "" }))],
    ["for a number beyond the exact ones", () => sign(claims({ sub: "9007199254740993" }))],
    ["with an unknown role", () => sign(claims({ role: "root" }))],
    ["without a role", () => sign(claims({ role: undefined }))],
    ["of a guest", () => sign(claims({ role: "guest" }))],
    ["whose claims were changed", () => `${header}.${encode(claims({ sub: "8" }))}.${signature}`],
    ["whose head was changed", () => `${encode({ alg: "none" })}.${payload}.${signature}`],
    ["without its signature", () => `${header}.${payload}.`],
    ["with two parts", () => `${header}.${payload}`],
    ["that is garbage", () => "garbage"],
    ["that is no text of the alphabet", () => "a.b.c%00"],
    ["that is far too long", () => sign(claims({ name: "x".repeat(5_000) }))],
  ];
  for (const [name, make] of bad) {
    test(`${name} opens nothing`, async () => {
      const token = make();
      const response = await list(bearer(token));
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: "unauthorized" });
      expect(await refused(CHAT, { headers: bearer(token) })).toBe(true);
      expect(await refused(SPEECH, { protocols: ["earshot.v1", `bearer.${token}`] })).toBe(true);
    });
  }

  test("in another scheme, or with something behind it, opens nothing", async () => {
    const token = sign(claims());
    for (const authorization of [`Basic ${token}`, token, "Bearer", `Bearer ${token} ${token}`]) {
      expect((await list({ authorization })).status).toBe(401);
    }
  });

  test("that a guest got while the door was open opens nothing once accounts are required", async () => {
    const open = await startTestApp({ AUTH: "open", JWT_SECRET: SECRET });
    const socket = await openSocket(open.wsUrl + CHAT);
    const welcome = await socket.next("welcome");
    const guest = welcome["guest_token"];
    socket.close();
    await socket.closed;
    const again = await openSocket(open.wsUrl + CHAT, { headers: bearer(String(guest)) });
    const restored = await again.next("welcome");
    expect(restored["user"]).toEqual(welcome["user"]);
    expect(restored["guest_token"]).toBeUndefined();
    again.close();
    await open.stop();

    expect((await list(bearer(String(guest)))).status).toBe(401);
    expect(await refused(CHAT, { headers: bearer(String(guest)) })).toBe(true);
  });
});

describe("a signed-in user", () => {
  test("sees its own rows, and an admin sees all", async () => {
    const mine = (await (await save(21, user(21))).json()) as { id: number };
    const theirs = (await (await save(22, user(22))).json()) as { id: number };
    const ids = async (headers: Record<string, string>): Promise<number[]> =>
      ((await (await list(headers)).json()) as { id: number }[]).map(({ id }) => id);
    expect(await ids(user(21))).toEqual([mine.id]);
    expect(await ids(user(22))).toEqual([theirs.id]);
    expect(await ids(user(99))).toEqual([]);
    expect(await ids(user(1, { role: "admin" }))).toEqual(
      expect.arrayContaining([mine.id, theirs.id]),
    );

    const one = (id: number, headers: Record<string, string>): Promise<Response> =>
      fetch(`${app.url}/v1/transcriptions/${id}`, { headers });
    expect((await one(mine.id, user(21))).status).toBe(200);
    // Not even that it exists.
    expect((await one(mine.id, user(22))).status).toBe(404);
    expect((await one(mine.id, user(1, { role: "admin" }))).status).toBe(200);
  });

  test("may not act in another's name, but an admin may", async () => {
    expect((await save(32, user(31))).status).toBe(403);
    expect((await save(32, user(1, { role: "admin" }))).status).toBe(201);
    const saveKept = (headers: Record<string, string>): Promise<Response> =>
      postJson(`${app.url}/v1/transcription/save`, { user_id: 32 }, headers);
    const refusal = await saveKept(user(31));
    expect(refusal.status).toBe(403);
    expect(await refusal.json()).toMatchObject({ code: "forbidden" });

    const socket = await openSocket(app.wsUrl + SPEECH, { headers: user(31) });
    socket.send({ user_id: 32, language: "en", audio: "not mine" });
    expect(await socket.next("error")).toMatchObject({ code: "forbidden" });
    socket.send({ user_id: 31, language: "en", audio: "mine" });
    expect((await socket.next())["text"]).toBe("mine");
    socket.close();
    expect((await saveKept(user(32))).status).toBe(404);

    const stream = await openSocket(app.wsUrl + SPEECH, { headers: user(31) });
    stream.send({ type: "start", user_id: 32, ref: "s" });
    expect(await stream.next("error")).toMatchObject({ code: "forbidden", ref: "s" });
    stream.close();
  });

  test("keeps its name whatever the address says, and may not state another's number", async () => {
    const another = openSocket(`${app.wsUrl}${CHAT}?user_id=1`, { headers: user(41) });
    expect(await another.then(() => "open", String)).toContain("refused");
    const url = `${app.wsUrl}${CHAT}?user_id=41&name=Somebody`;
    const socket = await openSocket(url, { headers: user(41) });
    const welcome = await socket.next("welcome");
    expect(welcome["user"]).toEqual({ id: 41, name: "User 41" });
    expect(welcome["guest_token"]).toBeUndefined();
    expect(welcome["expires_at"]).toBeGreaterThan(Date.now());
    socket.close();
  });
});

describe("a socket", () => {
  test("takes the token from the header or from the subprotocols, and echoes no token", async () => {
    const token = sign(claims());
    const offers: [string, string | null][] = [
      [`earshot.v1, bearer.${token}`, "earshot.v1"],
      [`bearer.${token},earshot.v1`, "earshot.v1"],
      [`bearer.${token}`, null],
      [`other, bearer.${token}`, null],
    ];
    for (const path of [CHAT, SPEECH]) {
      const byHeader = await openSocket(app.wsUrl + path, { headers: bearer(token) });
      expect(byHeader.raw.protocol).toBe("");
      byHeader.close();
      const protocols = ["earshot.v1", `bearer.${token}`];
      const byProtocol = await openSocket(app.wsUrl + path, { protocols });
      expect(byProtocol.raw.protocol).toBe("earshot.v1");
      byProtocol.close();
      for (const [offered, echoed] of offers) {
        const answer = await handshake(path, offered);
        expect(answer).toStartWith("HTTP/1.1 101 ");
        expect(answer).not.toContain("bearer.");
        expect(/^sec-websocket-protocol: *(\S+)/im.exec(answer)?.[1] ?? null).toBe(echoed);
      }
    }
  });

  /** Opens a socket whose token lasts `forS` seconds. */
  const openFor = (path: string, id: number, forS: number): Promise<TestSocket> =>
    openSocket(app.wsUrl + path, { headers: user(id, { exp: seconds() + forS }) });

  test("is renewed by a new token of the same user, and by no other", async () => {
    for (const path of [CHAT, SPEECH]) {
      const socket = await openFor(path, 51, 60);
      const exp = seconds() + 600;
      const token = (other: Claims): string => sign(claims({ sub: "51", exp, ...other }));
      const ask = async (frame: object): Promise<Frame> => {
        socket.send({ type: "authenticate", ref: 1, ...frame });
        for (;;) {
          const answer = await socket.next();
          if (answer.type !== "welcome") return answer;
        }
      };
      expect(await ask({ token: token({}) })).toEqual({
        type: "authenticated",
        expires_at: exp * 1000,
        ref: 1,
      });
      const other = await ask({ token: token({ sub: "52" }) });
      expect(other).toMatchObject({ type: "error", code: "forbidden", ref: 1 });
      const expired = await ask({ token: token({ exp: seconds() - 5 }) });
      expect(expired).toMatchObject({ type: "error", code: "unauthorized", ref: 1 });
      expect(await ask({ token: "x" })).toMatchObject({ code: "unauthorized" });
      expect(await ask({})).toMatchObject({ code: "bad_request" });
      expect(await ask({ token: token({}), more: 1 })).toMatchObject({ code: "bad_request" });
      socket.send({ type: "ping" });
      expect(await socket.next("pong")).toEqual({ type: "pong" });
      socket.close();
    }
  });

  test("is closed with 4401 when its token expires, unless it was renewed", async () => {
    const [chat, speech, renewed] = await Promise.all([
      openFor(CHAT, 61, 2),
      openFor(SPEECH, 61, 2),
      openFor(CHAT, 61, 2),
    ]);
    renewed.send({ type: "authenticate", token: sign(claims({ sub: "61" })) });
    await renewed.next("authenticated");
    for (const socket of [chat, speech]) {
      expect(await socket.next("error")).toMatchObject({
        code: "session_expired",
        retryable: false,
      });
      expect((await socket.closed).code).toBe(4401);
    }
    renewed.send({ type: "ping" });
    await renewed.next("pong");
    renewed.close();
  });
});

/** The head of the answer to an upgrade, which a client that was offered no protocol would hide. */
async function handshake(path: string, offered: string): Promise<string> {
  const head = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: app.port,
    socket: {
      data: (_, bytes) => head.resolve(bytes.toString("latin1").split("\r\n\r\n")[0] ?? ""),
      close: () => head.reject(new Error("the server closed the connection")),
    },
  });
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${app.port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Sec-WebSocket-Protocol: ${offered}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const answer = await head.promise;
  socket.terminate();
  return answer;
}

function refused(path: string, options = {}): Promise<boolean> {
  return openSocket(app.wsUrl + path, options).then(
    (socket) => {
      socket.close();
      return false;
    },
    () => true,
  );
}
