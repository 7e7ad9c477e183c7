import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rmSync } from "node:fs";
import { type TestApp, startTestApp, until } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { JWT_SECRET, signedIn } from "../assistant/people.ts";
import { type Scripted, startScripted, wordsEntry, writeSources } from "./scripted.ts";

setDefaultTimeout(30_000);

let api: Scripted;
let files: { folder: string; path: string };

beforeAll(() => {
  api = startScripted();
  files = writeSources(
    wordsEntry(api.url),
    // Never fresh, so that every question is asked.
    wordsEntry(api.url, { name: "changing", ttl_s: 0 }),
    wordsEntry(api.url, { name: "failing", failed_ttl_s: 60 }),
    wordsEntry(api.url, { name: "texts", content_types: ["text/plain"] }),
    wordsEntry(api.url, { name: "slow", timeout_ms: 100 }),
    wordsEntry(`http://localhost:${api.port}`, { name: "inward", private: false }),
  );
});
afterEach(() => api.reset());
afterAll(async () => {
  await api.stop();
  rmSync(files.folder, { recursive: true, force: true });
});

let words = 0;
/** A word that nobody has asked for yet. */
const newWord = (): string => `word-${++words}`;

const look = (app: TestApp, source: string, word: string): Promise<Response> =>
  fetch(`${app.url}/v1/public/${source}?word=${word}`);

/** How it was cached, the status, and the body or the problem's code. */
async function said(asked: Promise<Response>): Promise<[string | null, number, unknown]> {
  const response = await asked;
  const body: unknown = await response.json();
  const isProblem = typeof body === "object" && body !== null && "code" in body;
  return [response.headers.get("x-cache"), response.status, isProblem ? body.code : body];
}

describe("a cached public API", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ PUBLIC_SOURCES: files.path });
  });
  afterAll(() => app.stop());

  test("answers as it came, from the cache the second time", async () => {
    const word = newWord();
    api.answer = () =>
      new Response('{ "a":  "é 🦉" }\n', {
        headers: {
          "content-type": 'Application/JSON; charset=UTF-8; profile="x"',
          "set-cookie": "session=1",
          "x-powered-by": "something",
          "access-control-allow-origin": "*",
          etag: '"1"',
        },
      });
    for (const cache of ["MISS", "HIT"]) {
      const response = await look(app, "words", word);
      expect(response.status).toBe(200);
      expect(response.headers.get("x-cache")).toBe(cache);
      expect(response.headers.get("age")).toMatch(/^\d+$/);
      expect(response.headers.get("content-type")).toBe(
        'Application/JSON; charset=UTF-8; profile="x"',
      );
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("content-security-policy")).toContain("sandbox");
      expect(response.headers.get("cache-control")).toBe("private, max-age=3600");
      for (const name of ["set-cookie", "x-powered-by", "access-control-allow-origin", "etag"]) {
        expect(response.headers.get(name)).toBeNull();
      }
      expect(await response.text()).toBe('{ "a":  "é 🦉" }\n');
    }
    expect(api.calls).toEqual([`/entries/${word}`]);
  });

  test("sends nothing of the caller's", async () => {
    let headers: Record<string, string> = {};
    api.answer = (request) => {
      headers = Object.fromEntries(request.headers);
      return Response.json(1);
    };
    const query = `word=${newWord()}&user_id=7&name=Somebody`;
    await fetch(`${app.url}/v1/public/words?${query}`, {
      headers: { cookie: "a=b", "x-caller": "1.2.3.4", referer: "https://x.example/" },
    });
    expect(Object.keys(headers).sort()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "host",
      "user-agent",
    ]);
    expect(headers["user-agent"]).toStartWith("Earshot/");
    expect(api.calls[0]).not.toContain("Somebody");
  });

  test("is asked once by a thousand callers", async () => {
    const word = newWord();
    const asked = Array.from({ length: 1_000 }, () => said(look(app, "words", word)));
    const answers = await Promise.all(asked);
    expect(api.calls).toEqual([`/entries/${word}`]);
    for (const answer of answers) {
      expect(answer.slice(1)).toEqual([200, { word: `/entries/${word}` }]);
      expect(["MISS", "HIT"]).toContain(answer[0] ?? "");
    }
  });

  test("that has nothing is 404, and asked once", async () => {
    const word = newWord();
    api.answer = () => Response.json({ title: "none" }, { status: 404 });
    expect(await said(look(app, "words", word))).toEqual(["MISS", 404, "not_found"]);
    const again = await look(app, "words", word);
    expect(again.headers.get("content-type")).toBe("application/problem+json");
    expect(again.headers.get("x-cache")).toBe("HIT");
    expect(again.headers.get("age")).toMatch(/^\d+$/);
    expect(api.calls).toHaveLength(1);
  });

  test("that is down gives the older answer, or 502 where there is none", async () => {
    const word = newWord();
    api.answer = () => Response.json("first");
    expect(await said(look(app, "changing", word))).toEqual(["MISS", 200, "first"]);
    api.answer = () => new Response("", { status: 500 });
    const stale = await look(app, "changing", word);
    expect(stale.headers.get("x-cache")).toBe("STALE");
    expect(stale.headers.get("cache-control")).toBe("no-store");
    expect(await stale.json()).toBe("first");
    const failed = await look(app, "changing", newWord());
    expect(failed.status).toBe(502);
    expect(Number(failed.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await failed.json()).toMatchObject({
      code: "upstream_failed",
      detail: "changing answered 500",
    });
    api.answer = () => Response.json("second");
    expect(await said(look(app, "changing", word))).toEqual(["MISS", 200, "second"]);
  });

  test("that failed is not asked the same again at once", async () => {
    const word = newWord();
    api.answer = () => new Response("", { status: 500 });
    for (let at = 0; at < 5; at++) {
      expect(await said(look(app, "failing", word))).toEqual([null, 502, "upstream_failed"]);
    }
    expect(api.calls).toHaveLength(1);
  });

  test("that is slow is given up", async () => {
    api.answer = () => new Promise(() => {});
    const response = await look(app, "slow", newWord());
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ detail: "slow took too long" });
  });

  test("may answer plain text, which no browser takes for a page", async () => {
    api.answer = () =>
      new Response("<script>alert(1)</script>", { headers: { "content-type": "text/plain" } });
    const response = await look(app, "texts", newWord());
    expect(response.headers.get("content-type")).toBe("text/plain");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).toBe("<script>alert(1)</script>");
  });

  test("is refused where its name leads inwards or its redirect elsewhere", async () => {
    expect(await said(look(app, "inward", newWord()))).toEqual([null, 502, "upstream_failed"]);
    expect(api.calls).toEqual([]);
    api.answer = () =>
      new Response(null, { status: 302, headers: { location: `http://localhost:${api.port}/x` } });
    expect(await said(look(app, "words", newWord()))).toEqual([null, 502, "upstream_failed"]);
    expect(api.calls).toHaveLength(1);
  });

  test("that nobody knows is 404, a wrong question 422 that repeats no value", async () => {
    expect(await said(look(app, "nothing", "a"))).toEqual([null, 404, "not_found"]);
    expect(await said(look(app, "__proto__", "a"))).toEqual([null, 404, "not_found"]);
    for (const query of ["", "?word=a&word=b", "?word=a&other=secret", "?word=..%2fsecret"]) {
      const response = await fetch(`${app.url}/v1/public/words${query}`);
      expect(response.status).toBe(422);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: "invalid" });
      expect(text).not.toContain("secret");
    }
    expect(api.calls).toEqual([]);
  });

  test("is described, with what it may be asked", async () => {
    const docs = await (await fetch(`${app.url}/docs/json`)).text();
    expect(docs).toContain("/v1/public/{source}");
    expect(docs).toContain("words (entry: word)");
  });

  test("leaves no word of what was asked in the log", async () => {
    api.answer = () => new Response("", { status: 500 });
    await look(app, "words", "confidential");
    await until(() => app.lines.join("").includes("a public source failed"));
    expect(app.lines.join("")).not.toContain("confidential");
  });
});

describe("where accounts are required", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ PUBLIC_SOURCES: files.path, JWT_SECRET });
  });
  afterAll(() => app.stop());

  test("a stranger gets 401, not even a 404 or 422", async () => {
    for (const rest of ["words?word=a", "words", "nothing"]) {
      const response = await fetch(`${app.url}/v1/public/${rest}`);
      expect(response.status).toBe(401);
    }
    expect(api.calls).toEqual([]);
  });

  test("a user who asks for too much that is not known yet is told to wait, and still gets what is", async () => {
    const ask = (user: number, word: string): Promise<Response> =>
      fetch(`${app.url}/v1/public/words?word=${word}`, { headers: signedIn(user) });
    const known = newWord();
    let refused: Response | null = null;
    for (let times = 0; times < 100 && refused === null; times++) {
      const response = await ask(1, times === 0 ? known : newWord());
      if (response.status === 200) await response.text();
      else refused = response;
    }
    if (refused === null) throw new Error("nothing was refused");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: "rate_limited" });
    expect(await said(ask(1, known))).toEqual(["HIT", 200, { word: `/entries/${known}` }]);
    expect((await said(ask(2, newWord())))[0]).toBe("MISS");
  });
});

describe.skipIf(!hasRedis)("two processes with one Redis (needs redis-server)", () => {
  let redis: TestRedis;
  let apps: TestApp[];
  beforeAll(async () => {
    redis = await startRedis();
    const settings = { PUBLIC_SOURCES: files.path, REDIS_URL: redis.url };
    apps = await Promise.all([startTestApp(settings), startTestApp(settings)]);
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.stop()));
    await redis.dispose();
  });
  const both = (): [TestApp, TestApp] => {
    const [one, other] = apps;
    if (one === undefined || other === undefined) throw new Error("there are not two");
    return [one, other];
  };

  test("ask once for both", async () => {
    const word = newWord();
    api.answer = async () => {
      await Bun.sleep(30);
      return Response.json("shared");
    };
    const asked = both().flatMap((app) =>
      Array.from({ length: 100 }, () => said(look(app, "words", word))),
    );
    const answers = await Promise.all(asked);
    expect(api.calls).toHaveLength(1);
    expect(new Set(answers.map(([, status, body]) => `${String(status)} ${String(body)}`))).toEqual(
      new Set(["200 shared"]),
    );
  });

  test("share answers, what there is not, and failures; keys tell nothing", async () => {
    const [one, other] = both();
    const [found, missing, failed] = [newWord(), newWord(), newWord()];
    expect((await said(look(one, "words", found)))[0]).toBe("MISS");
    expect((await said(look(other, "words", found)))[0]).toBe("HIT");
    api.answer = () => new Response("", { status: 404 });
    expect(await said(look(one, "words", missing))).toEqual(["MISS", 404, "not_found"]);
    expect(await said(look(other, "words", missing))).toEqual(["HIT", 404, "not_found"]);
    api.answer = () => new Response("", { status: 400 });
    expect(await said(look(one, "failing", failed))).toEqual([null, 502, "upstream_failed"]);
    expect(await said(look(other, "failing", failed))).toEqual([null, 502, "upstream_failed"]);
    expect(api.calls).toHaveLength(3);
    const keys = await redis.cli("keys", "*lookup*");
    expect(keys).toContain("earshot:lookup:words:");
    expect(keys).not.toContain(found);
    expect(keys).not.toContain(":claim");
  });

  test("go on for themselves while Redis is away, also in the middle of a call", async () => {
    const [one, other] = both();
    const word = newWord();
    expect((await said(look(one, "words", word)))[0]).toBe("MISS");
    const held = Promise.withResolvers<void>();
    const inMiddle = newWord();
    api.answer = async () => {
      await held.promise;
      return Response.json("through");
    };
    const asked = said(look(one, "words", inMiddle));
    await until(() => api.calls.length === 2);
    await redis.kill();
    held.resolve();
    expect(await asked).toEqual(["MISS", 200, "through"]);
    expect((await said(look(one, "words", inMiddle)))[0]).toBe("HIT");
    expect((await said(look(one, "words", word)))[0]).toBe("HIT");
    expect((await said(look(other, "words", word)))[0]).toBe("MISS");
    api.answer = () => new Response("", { status: 404 });
    expect(await said(look(other, "words", newWord()))).toEqual(["MISS", 404, "not_found"]);
    await redis.start();
  });
});
