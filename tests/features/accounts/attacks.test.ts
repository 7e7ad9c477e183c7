import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PASSWORD, addAccount, login } from "../../support/accounts.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { isBuilt } from "../../support/server.ts";
import { openSocket } from "../../support/socket.ts";

// Attacks on tokens that are made by hand, without any session, are in tests/http/auth.test.ts.

const SECRET = "the secret of these tests, long enough";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ JWT_SECRET: SECRET, LOG_LEVEL: "trace" });
});
afterAll(() => app.stop());

type Claims = Record<string, unknown>;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token's claims and the same ones with others in their place. */
function claimsOf(token: string, other: Claims = {}): Claims {
  const [, payload = ""] = token.split(".");
  return { ...(JSON.parse(Buffer.from(payload, "base64url").toString()) as Claims), ...other };
}

/** A token that is signed by the right secret. */
function signed(claims: Claims, head: object = { alg: "HS256", typ: "JWT" }): string {
  const text = `${encode(head)}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

async function whoIs(token: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${app.url}/v1/auth/me`, { headers });
  return answer.status === 200 ? answer.json() : answer.status;
}

const refresh = (token: string): Promise<Response> =>
  postJson(`${app.url}/v1/auth/refresh`, { refresh_token: token });

describe("the access token of a session", () => {
  test("with a changed number, role or session, keeping its signature, opens nothing", async () => {
    const victim = await addAccount(app, "victim 1");
    await addAccount(app, "attacker 1");
    const { access_token: token } = await login(app, "attacker 1");
    const { access_token: theirs } = await login(app, "victim 1");
    const [header = "", , signature = ""] = token.split(".");
    const others: Claims[] = [
      { sub: String(victim) },
      { role: "admin" },
      { sid: claimsOf(theirs)["sid"] },
      { sid: undefined },
      { exp: 4_000_000_000 },
    ];
    for (const other of others) {
      const forged = `${header}.${encode(claimsOf(token, other))}.${signature}`;
      expect([other, await whoIs(forged)]).toEqual([other, 401]);
    }
    const [theirHeader, theirPayload] = theirs.split(".");
    expect(await whoIs(`${theirHeader}.${theirPayload}.${signature}`)).toBe(401);
  });

  test("is not taken for one of another algorithm: RS256, ES256, or none in any case", async () => {
    await addAccount(app, "attacker 2");
    const { access_token: token } = await login(app, "attacker 2");
    const claims = claimsOf(token, { role: "admin" });
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
    const jwk = rsa.publicKey.export({ format: "jwk" });
    const withKey = (head: object, key: typeof rsa.privateKey): string => {
      const text = `${encode(head)}.${encode(claims)}`;
      return `${text}.${signWith("sha256", Buffer.from(text), key).toString("base64url")}`;
    };
    const asSecret = (head: object, secret: string): string => {
      const text = `${encode(head)}.${encode(claims)}`;
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const forged = [
      withKey({ alg: "RS256" }, rsa.privateKey),
      withKey({ alg: "RS256", jwk }, rsa.privateKey),
      withKey({ alg: "RS256", jku: `${app.url}/keys`, kid: "../../dev/null" }, rsa.privateKey),
      withKey({ alg: "HS256", jwk }, rsa.privateKey),
      withKey({ alg: "ES256" }, ec.privateKey),
      asSecret({ alg: "HS256" }, pem),
      asSecret({ alg: "HS256", kid: "/dev/null" }, ""),
      signed(claims, { alg: "RS256", typ: "JWT" }),
      signed(claims, { alg: "hs256", typ: "JWT" }),
      signed(claims, { alg: "none", typ: "JWT" }),
      signed(claims, { alg: "HS256", crit: ["exp2"], exp2: 1 }),
      ...["none", "None", "NONE", "nOnE", ""].map((alg) => `${encode({ alg })}.${encode(claims)}.`),
    ];
    for (const one of forged) expect([one, await whoIs(one)]).toEqual([one, 401]);
  });

  test("cannot raise a role: who its holder is, the database says", async () => {
    const id = await addAccount(app, "attacker 3");
    const { access_token: token } = await login(app, "attacker 3");
    const raised = signed(claimsOf(token, { role: "admin", name: "Somebody Else" }));
    expect(await whoIs(raised)).toEqual({ id, name: "attacker 3", role: "user" });
    const headers = { authorization: `Bearer ${raised}` };
    expect((await fetch(`${app.url}/v1/keys`, { headers })).status).toBe(403);
  });

  test("of no session, of another's, or of none that could be, opens nothing", async () => {
    await addAccount(app, "attacker 4");
    const { access_token: token } = await login(app, "attacker 4");
    for (const sid of [0, -1, 1.5, 999_999_999, 2 ** 60, "1", null, true, [1], { id: 1 }]) {
      expect([sid, await whoIs(signed(claimsOf(token, { sid })))]).toEqual([sid, 401]);
    }
    expect(await whoIs(signed(claimsOf(token, { sub: "1" })))).toBe(401);
    expect(await whoIs(signed(claimsOf(token)))).toMatchObject({ name: "attacker 4" });
  });

  test("is short-lived, and the refresh token is none", async () => {
    await addAccount(app, "attacker 5");
    const { access_token: token, refresh_token: other } = await login(app, "attacker 5");
    const { exp, iat } = claimsOf(token) as { exp: number; iat: number };
    expect(exp - iat).toBeLessThanOrEqual(900);
    expect(await whoIs(other)).toBe(401);
    expect((await refresh(token)).ok).toBe(false);
    const past = { exp: Math.floor(Date.now() / 1000) - 1 };
    expect(await whoIs(signed(claimsOf(token, past)))).toBe(401);
    expect(await whoIs(signed(claimsOf(token, { exp: undefined })))).toBe(401);
  });
});

describe("a refresh token", () => {
  test("that is stolen ends its session when it comes a second time, whoever was first", async () => {
    for (const isThiefFirst of [true, false]) {
      const name = `victim ${isThiefFirst}`;
      await addAccount(app, name);
      const stolen = await login(app, name);
      const other = await login(app, name);
      const socket = await openSocket(`${app.wsUrl}/v1/ws/chat`, { headers: stolen.headers });
      const first = (await (await refresh(stolen.refresh_token)).json()) as typeof stolen;
      expect(await whoIs(first.access_token)).toMatchObject({ name });
      const second = await refresh(stolen.refresh_token);
      expect(second.status).toBe(401);
      expect(await second.json()).toMatchObject({ code: "unauthorized" });
      // Nothing of the session is worth anything any more; the account's others are not touched.
      for (const token of [stolen.access_token, first.access_token]) {
        expect(await whoIs(token)).toBe(401);
      }
      expect((await refresh(first.refresh_token)).status).toBe(401);
      expect((await socket.closed).code).toBe(4401);
      expect(await whoIs(other.access_token)).toMatchObject({ name });
    }
    const told = () => app.lines.filter((line) => line.includes("came twice"));
    await until(() => told().length >= 2);
    expect(told()).toHaveLength(2);
  });

  test("that comes from many at once is taken from one at most", async () => {
    await addAccount(app, "victim 2");
    const { refresh_token: token } = await login(app, "victim 2");
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(token)));
    const statuses = answers.map(({ status }) => status).sort((one, other) => one - other);
    expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 401)]);
  });

  test("cannot be guessed from another, and no guess ends a session", async () => {
    await addAccount(app, "victim 3");
    const { refresh_token: token, access_token: access } = await login(app, "victim 3");
    const { refresh_token: another } = await login(app, "victim 3");
    const [family = "", own = ""] = token.slice(3).split(".");
    const [otherFamily = "", otherOwn = ""] = another.slice(3).split(".");
    const zeros = "A".repeat(43);
    const guesses = [
      "",
      "er_",
      `er_${zeros}.${zeros}`,
      `er_${zeros}.${own}`,
      `er_${own}.${family}`,
      `er_${family}`,
      `er_${family}.`,
      `er_${family}.${own}.`,
      `${family}.${own}`,
      token.toUpperCase(),
      `${token}\n`,
      ` ${token}`,
      `er_${"x".repeat(150)}`,
    ];
    for (const guess of guesses) {
      const answer = await refresh(guess);
      expect([guess, answer.status]).toEqual([guess, 401]);
    }
    expect(await whoIs(access)).toMatchObject({ name: "victim 3" });
    // Half of a token is known to those only who have had one of that session.
    expect((await refresh(`er_${otherFamily}.${own}`)).status).toBe(401);
    expect((await refresh(`er_${otherFamily}.${otherOwn}`)).status).toBe(401);
    expect((await refresh(token)).status).toBe(200);
  });
});

describe("whoever guesses at the login", () => {
  const names = ["victim 4", "nobody", "", "x".repeat(200), "right\u202e"];
  const guess = (name: string): Promise<Response> =>
    postJson(`${app.url}/v1/auth/login`, { name, password: "wrong horse" });
  beforeAll(() => addAccount(app, "victim 4"));

  test("is told the same of names that are there and that are not", async () => {
    const told = new Set<string>();
    for (const name of names) {
      const answer = await guess(name);
      const headers = [...answer.headers].filter(
        ([header]) => !["date", "x-request-id"].includes(header),
      );
      told.add(`${answer.status} ${await answer.text()} ${JSON.stringify(headers)}`);
    }
    expect(told.size).toBe(1);
    expect([...told][0]).toStartWith("401 ");
  });

  test.skipIf(isBuilt)("costs as much work with each of them (source only)", async () => {
    const verify = spyOn(Bun.password, "verify");
    const compared: number[] = [];
    try {
      for (const name of names) {
        const before = verify.mock.calls.length;
        await (await guess(name)).body?.cancel();
        compared.push(verify.mock.calls.length - before);
      }
    } finally {
      verify.mockRestore();
    }
    expect(compared).toEqual(names.map(() => 1));
  });

  test("is made to wait, name by name, even for the right password; others are not", async () => {
    const guarded = await startTestApp({ JWT_SECRET: SECRET });
    await addAccount(guarded, "victim");
    await addAccount(guarded, "neighbour");
    const tell = async (name: string, password: string): Promise<[number, string | null]> => {
      const answer = await postJson(`${guarded.url}/v1/auth/login`, { name, password });
      await answer.body?.cancel();
      return [answer.status, answer.headers.get("retry-after")];
    };
    for (let i = 0; i < 20; i++) expect((await tell("victim", PASSWORD))[0]).toBe(200);
    for (let i = 0; i < 10; i++) expect(await tell("VICTIM", `wrong ${i}`)).toEqual([401, null]);
    const [status, retryAfter] = await tell("victim", PASSWORD);
    expect(status).toBe(429);
    expect(Number(retryAfter)).toBeWithin(1, 31);
    expect((await tell("neighbour", PASSWORD))[0]).toBe(200);
    await guarded.stop();
  });

  test("and whoever registers without end, is made to wait, network by network", async () => {
    const guarded = await startTestApp({ JWT_SECRET: SECRET });
    await addAccount(guarded, "taken");
    const statuses = new Map<number, number>();
    for (let i = 0; i < 32; i++) {
      const body = { name: "taken", password: PASSWORD };
      const { status } = await postJson(`${guarded.url}/v1/auth/register`, body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([
      [409, 30],
      [429, 2],
    ]);
    await guarded.stop();
  });

  test("a thousand times at once stops nobody else", async () => {
    const unlimited = await startTestApp({ JWT_SECRET: SECRET, RATE_LIMITS: "off" });
    let isOver = false;
    const logins = Promise.all(
      Array.from({ length: 1_000 }, async (_, i) => {
        const body = { name: `nobody ${i}`, password: PASSWORD };
        const answer = await postJson(`${unlimited.url}/v1/auth/login`, body);
        await answer.body?.cancel();
        return { status: answer.status, retryAfter: answer.headers.get("retry-after") };
      }),
    ).finally(() => (isOver = true));
    let alive = 0;
    while (!isOver) {
      expect((await fetch(`${unlimited.url}/healthz`)).status).toBe(200);
      alive++;
      await Bun.sleep(10);
    }
    const answers = await logins;
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.every(({ retryAfter }) => retryAfter === "2")).toBe(true);
    // As many are looked at as may wait, and somewhat more when they end while others still come.
    expect(refused.length).toBeGreaterThan(800);
    expect(answers.length - refused.length).toBe(
      answers.filter((one) => one.status === 401).length,
    );
    expect(alive).toBeGreaterThan(5);
    await unlimited.stop();
  });
});

test("no log, no answer and no file holds a password or a token; no answer holds a hash", async () => {
  await addAccount(app, "secretive");
  const answers: string[] = [];
  const keep = async (answer: Response): Promise<string> => {
    const text = await answer.text();
    answers.push(text, JSON.stringify([...answer.headers]));
    return text;
  };
  const [fresh, wrong] = ["a fresh secret word", "a wrong secret word"];
  const first = await login(app, "secretive");
  const tokens = JSON.parse(await (await refresh(first.refresh_token)).text()) as typeof first;
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const change = (body: object, method = "PATCH"): Promise<Response> =>
    fetch(`${app.url}/v1/auth/me`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  await keep(await postJson(`${app.url}/v1/auth/login`, { name: "secretive", password: wrong }));
  await keep(await postJson(`${app.url}/v1/auth/register`, { name: wrong, password: [wrong] }));
  await keep(await postJson(`${app.url}/v1/auth/login`, { name: "secretive", [wrong]: PASSWORD }));
  await keep(await change({ password: wrong, new_password: fresh }));
  await keep(await change({ password: PASSWORD, new_password: fresh }));
  for (const path of ["me", "sessions", "me/export"]) {
    await keep(await fetch(`${app.url}/v1/auth/${path}`, { headers }));
  }
  await keep(await refresh(first.refresh_token));
  await keep(await change({ password: fresh }, "DELETE"));
  const files = readdirSync(app.folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? readFileSync(join(app.folder, entry.name), "latin1") : [],
  );
  const parts = [first, tokens].flatMap((one) => [
    one.access_token.split(".")[2] ?? "",
    ...one.refresh_token.slice(3).split("."),
  ]);
  for (const secret of [PASSWORD, fresh, wrong, ...parts]) {
    expect(secret.length).toBeGreaterThan(10);
    expect(app.lines.join("")).not.toContain(secret);
    // A name of a field that was made up is told back, as any.
    expect(answers.filter((text) => text.includes(secret) && !text.includes(`/${wrong}`))).toEqual(
      [],
    );
    expect(files.filter((text) => text.includes(secret))).toEqual([]);
  }
  for (const text of [...answers, ...app.lines]) {
    expect(text).not.toContain("$argon2");
    expect(text).not.toMatch(/\b[0-9a-f]{64}\b/);
  }
  expect(files.join("")).toContain("$argon2id");
});
