import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../../src/platform/database.ts";
import { createSearchIndex } from "../../../src/features/transcription/search.store.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import { type Speech, speakInto } from "../../support/spoken.ts";

interface Found {
  id: number;
  segment: { segment_id: string; start_ms: number; end_ms: number };
  snippet: string;
  language: string;
  title: string | null;
  user_id: number;
  created_at: number;
}

interface Page {
  results: Found[];
  next: number | null;
}

let app: TestApp;
let speech: Speech;
beforeAll(async () => {
  app = await startTestApp();
  speech = speakInto(app);
});
afterAll(async () => {
  await speech.close();
  await app.stop();
});

async function save(transcription: string, language = "en", userId = 7): Promise<number> {
  const body = { user_id: userId, language, transcription };
  const response = await postJson(`${app.url}/v1/transcriptions/save`, body);
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: number }).id;
}

function ask(query: Record<string, string>, headers = {}, base = app): Promise<Response> {
  const parameters = new URLSearchParams(query).toString();
  return fetch(`${base.url}/v1/transcriptions/search?${parameters}`, { headers });
}

async function search(q: string, others: Record<string, string> = {}): Promise<Page> {
  const response = await ask({ q, ...others });
  expect([q, response.status]).toEqual([q, 200]);
  return (await response.json()) as Page;
}

async function found(q: string, others: Record<string, string> = {}): Promise<number[]> {
  return (await search(q, others)).results.map(({ id }) => id);
}

describe("a search", () => {
  test("finds words wherever they stand, whole or from their beginning", async () => {
    const id = await save("The quarterly budget was Zürich's idea, and it's well-known");
    for (const q of [
      "budget",
      "BUDG",
      "quarterly idea",
      "idea quarterly",
      "zurich",
      "ZÜRICH",
      "its",
      "it's",
      "well-known",
      "known",
    ]) {
      expect([q, await found(q)]).toEqual([q, [id]]);
    }
    for (const q of ["udget", "budget missing", "budgets"]) {
      expect([q, await found(q)]).toEqual([q, []]);
    }
  });

  test("finds phrases exactly, in this order", async () => {
    const id = await save("red green blue, red blue");
    expect(await found('"green blue"')).toEqual([id]);
    expect(await found('"red blue" green')).toEqual([id]);
    expect(await found("“red green”")).toEqual([id]);
    for (const q of ['"blue green"', '"green blu"', '"red green" yellow']) {
      expect([q, await found(q)]).toEqual([q, []]);
    }
  });

  test("finds Hindi words and their beginnings, however they are spelt", async () => {
    const letter = await save("मुझे हिन्दी में बात करनी है", "hi");
    const dot = await save("हिंदी अच्छी है, नमस्ते", "hi");
    for (const q of ["हिन्दी", "हिंदी", "हिन्दी ", "हिन्द", "हिंद", "हिन्", "हिन"]) {
      expect([q, await found(q)]).toEqual([q, [dot, letter]]);
    }
    for (const q of ["नमस्ते", "नमस्", "नम", "अच्छी नमस्ते"]) {
      expect([q, await found(q)]).toEqual([q, [dot]]);
    }
    expect(await found("न्दी")).toEqual([]);
    const nukta = await save("उसका फ़ोन ज़रूर आएगा, क्‍या हँसी", "hi");
    for (const q of ["फोन", "फ़ोन", "जरूर", "हंसी", "क्या"]) {
      expect([q, await found(q)]).toEqual([q, [nukta]]);
    }
  });

  test("finds what was said while it is still live, and what was cleaned", async () => {
    const live = await speech.begin(7, "en", "Standup");
    await live.say(
      { text: "so um the the walrus arrived", startMs: 500, endMs: 2_500 },
      "so the walrus arrived",
    );
    const { results } = await search("walrus");
    expect(results).toEqual([
      {
        id: live.id,
        segment: { segment_id: `${live.sessionId}-1`, start_ms: 500, end_ms: 2_500 },
        snippet: "so um the the <mark>walrus</mark> arrived",
        user_id: 7,
        language: "en",
        title: "Standup",
        created_at: expect.any(Number),
      },
    ]);
    expect((await search('"so the walrus"')).results[0]?.snippet).toBe(
      "<mark>so the walrus</mark> arrived",
    );
    expect(await found('"um the the"')).toEqual([live.id]);
  });

  test("takes nothing in a query as anything but words", async () => {
    const id = await save("either AND or NOT near words processed facets");
    expect(await found("AND NOT")).toEqual([id]);
    const same = [
      'either "',
      "(either",
      "either*",
      "^either",
      "either -near",
      "§ either",
      "NOT either",
    ];
    for (const q of [...same, "either\0", "words: either", '{"words"} : either']) {
      expect([q, await found(q)]).toEqual([q, [id]]);
    }
    // What stands without a space between is looked for as it stands.
    for (const q of [
      "words:either",
      "NEAR(either near)",
      "either' OR 1=1 --",
      'ei"the',
      "facets:7",
    ]) {
      expect([q, await found(q)]).toEqual([q, []]);
    }
    expect(await found("either* -near")).toEqual([id]);
    expect(await found("e\ud83d")).toEqual([]);
  });

  test("without a word, or too long, is refused", async () => {
    for (const q of [
      "",
      " ",
      "!?",
      '""',
      "👍",
      "x".repeat(501),
      "word ".repeat(17),
      `"${"a ".repeat(33)}"`,
    ]) {
      const response = await ask({ q });
      expect([q, response.status]).toEqual([q, 422]);
      expect(await response.json()).toMatchObject({ code: "invalid" });
    }
    expect((await fetch(`${app.url}/v1/transcriptions/search`)).status).toBe(422);
    expect((await ask({ q: "a", limit: "0" })).status).toBe(422);
    expect((await ask({ q: "a", language: "fr" })).status).toBe(422);
  });

  test("is asked for one language", async () => {
    const english = await save("bilingual saffron", "en");
    const hindi = await save("saffron केसर", "hi");
    expect(await found("saffron")).toEqual([hindi, english]);
    expect(await found("saffron", { language: "hi" })).toEqual([hindi]);
    expect(await found("saffron", { language: "en" })).toEqual([english]);
  });

  test("is told in pages without holes or doubles, also while more is said", async () => {
    const ids: number[] = [];
    for (let at = 0; at < 25; at++) ids.push(await save(`pagination number ${at}`));
    const seen: number[] = [];
    let after: number | null = null;
    do {
      const others: Record<string, string> = after === null ? {} : { after: String(after) };
      const page: Page = await search("pagination", { limit: "5", ...others });
      expect(page.results).toHaveLength(5);
      seen.push(...page.results.map(({ id }) => id));
      after = page.next;
      await save("pagination again");
    } while (after !== null);
    expect(seen).toEqual(ids.reverse());
  });
});

describe("a snippet", () => {
  const snippetOf = async (q: string): Promise<string> =>
    (await search(q)).results[0]?.snippet ?? "";

  test("is safe as HTML whatever was said", async () => {
    await save(`<script>alert("x")</script> & <mark>aardvark</mark> isn't <img src=x>`);
    expect(await snippetOf("aardvark script")).toBe(
      "&lt;<mark>script</mark>&gt;alert(&quot;x&quot;)&lt;/<mark>script</mark>&gt; &amp; " +
        "&lt;mark&gt;<mark>aardvark</mark>&lt;/mark&gt; isn&#39;t &lt;img src=x&gt;",
    );
  });

  test("shows about thirty words around what was found, and says where it cut", async () => {
    const many = (word: string): string => `${word} `.repeat(200);
    await save(`${many("before")}the capybara, swims ${many("after")}`);
    const snippet = await snippetOf("capybara swim");
    expect(snippet).toContain("the <mark>capybara</mark>, <mark>swims</mark> after");
    expect(snippet).toStartWith("…before");
    expect(snippet).toEndWith("after…");
    expect(snippet.split(" ").length).toBeWithin(28, 33);
  });

  test("shows the place where the words stand together", async () => {
    await save(`okapi ${"filler ".repeat(100)} ocelot ${"filler ".repeat(100)} okapi ocelot here`);
    expect(await snippetOf("okapi ocelot")).toContain(
      "<mark>okapi</mark> <mark>ocelot</mark> here",
    );
  });

  test("cuts neither Devanagari nor emoji in half", async () => {
    const family = "👨‍👩‍👧‍👦";
    await save(`${family.repeat(100)} क्षत्रिय ${"स्त्री".repeat(200)} ${family.repeat(100)}`, "hi");
    const snippet = await snippetOf("क्षत्रिय");
    expect(snippet).toContain("<mark>क्षत्रिय</mark>");
    expect(snippet).not.toContain("\ufffd");
    expect(snippet.isWellFormed()).toBe(true);
    const whole = new Set(["…", " ", family, "स्त्री"].flatMap((text) => graphemes(text)));
    const bare = snippet.replace(/<mark>.*<\/mark>/u, "");
    expect(graphemes(bare).filter((one) => !whole.has(one))).toEqual([]);
    expect(snippet.length).toBeLessThan(1_000);
  });
});

function graphemes(text: string): string[] {
  return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}

describe("with AUTH=required, a search", () => {
  const SECRET = "the secret of these tests, long enough";
  const bearer = (id: number, role = "user"): { authorization: string } => {
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 60;
    const claims = { iss: "earshot", aud: "earshot", sub: String(id), role, name: "N", exp };
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    const signature = createHmac("sha256", SECRET).update(signed).digest("base64url");
    return { authorization: `Bearer ${signed}.${signature}` };
  };

  test("shows everybody their own and admins everything", async () => {
    const closed = await startTestApp({ JWT_SECRET: SECRET });
    try {
      const texts: [number, string][] = [
        [7, "a secret garden"],
        [70, "a secret weapon"],
        [8, "no secrets"],
      ];
      for (const [user_id, transcription] of texts) {
        const body = { user_id, language: "en", transcription };
        const url = `${closed.url}/v1/transcriptions/save`;
        expect((await postJson(url, body, bearer(user_id))).status).toBe(201);
      }
      const seen = async (id: number, role = "user"): Promise<number[]> => {
        const response = await ask({ q: "secret" }, bearer(id, role), closed);
        return ((await response.json()) as Page).results.map(({ user_id }) => user_id);
      };
      expect(await seen(7)).toEqual([7]);
      expect(await seen(70)).toEqual([70]);
      expect(await seen(9)).toEqual([]);
      expect(await seen(1, "admin")).toEqual([8, 70, 7]);
      expect((await ask({ q: "secret" }, {}, closed)).status).toBe(401);
      expect((await ask({ q: "secret", user_id: "7" }, bearer(8), closed)).status).toBe(403);
    } finally {
      await closed.stop();
    }
  });
});

describe("the index", () => {
  test("has what was saved before there was one", async () => {
    const path = join(app.folder, "first.db");
    const first = new Sqlite(path, { create: true, strict: true });
    const folder = join(import.meta.dir, "../../../src/platform/migrations");
    first.run(readFileSync(join(folder, "0000_first.sql"), "utf8"));
    first.run("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)");
    first.run("INSERT INTO migrations VALUES ('0000_first', 0)");
    first.run(
      `INSERT INTO transcriptions (id, user_id, transcription, processed_text, word_count, language, created_at, updated_at)
       VALUES (5, 7, 'um हिन्दी words', 'हिन्दी words', 2, 'hi', 0, 0), (6, 8, '', '', 0, 'en', 0, 0)`,
    );
    first.close();
    const older = await startTestApp({ DATABASE_URL: `sqlite:${path}` });
    try {
      const exported = await fetch(`${older.url}/v1/transcriptions/5/export?format=json`);
      expect(await exported.json()).toMatchObject({
        id: 5,
        segments: [{ segment_id: "t5-1", seq: 1, text: "um हिन्दी words", words: [], start_ms: 0 }],
      });
      await until(async () => {
        const answer = await ask({ q: "हिंदी" }, {}, older);
        return ((await answer.json()) as Page).results[0]?.id === 5;
      });
    } finally {
      await older.stop();
    }
  });

  test("is made again from what was kept when words get another form, or there was none", async () => {
    const path = join(app.folder, "older.db");
    const database = openDatabase(path);
    const db = database.db;
    db.run(
      "INSERT INTO transcriptions (id, user_id, language, created_at, updated_at) VALUES (1, 7, 'en', 0, 0)",
    );
    for (let id = 1; id <= 120; id++) {
      db.run(
        `INSERT INTO segments (id, transcription_id, segment_id, seq, text, language, start_ms, end_ms, words)
         VALUES (${id}, 1, 's${id}', ${id}, 'old words ${id}', 'en', 0, 0, '[]')`,
      );
    }
    const count = (): number =>
      db.all(`SELECT rowid FROM segment_search WHERE segment_search MATCH '"old"'`).length;
    expect(count()).toBe(0);
    await createSearchIndex(database).catchUp();
    expect(count()).toBe(120);
    db.run("UPDATE search_progress SET form = 0");
    await createSearchIndex(database).catchUp();
    expect(count()).toBe(120);
    expect(db.all("SELECT form, segment_id FROM search_progress")).toEqual([
      { form: 1, segment_id: null },
    ]);
    await database.close();
  });

  test("catches up with a book at a time, since nobody is served while one is indexed", async () => {
    const { db, commit, close } = openDatabase(join(app.folder, "books.db"));
    db.run(
      "INSERT INTO transcriptions (id, user_id, language, created_at, updated_at) VALUES (1, 7, 'en', 0, 0)",
    );
    const book = "chapter ".repeat(4_000);
    for (let id = 1; id <= 5; id++) {
      db.run(
        `INSERT INTO segments (id, transcription_id, segment_id, seq, text, language, start_ms, end_ms, words)
         VALUES (${id}, 1, 's${id}', ${id}, '${book}', 'en', 0, 0, '[]')`,
      );
    }
    const count = (): number =>
      db.all(`SELECT rowid FROM segment_search WHERE segment_search MATCH '"chapter"'`).length;
    const counts: number[] = [];
    const index = createSearchIndex({
      db,
      commit: async (work) => {
        const result = await commit(work);
        counts.push(count());
        return result;
      },
    });
    await index.catchUp();
    expect(counts).toEqual([1, 2, 3, 4, 5, 5]);
    await close();
  });
});
