import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import { type LiveRow, type Speech, speakInto } from "../../support/spoken.ts";

interface Row {
  id: number;
  transcription: string;
  processed_text: string;
  word_count: number;
  updated_at: number;
  title: string | null;
}

interface SegmentRow {
  segment_id: string;
  text: string;
  processed_text: string | null;
  start_ms: number;
  end_ms: number;
  words: { word: string; start_ms: number; end_ms: number; confidence: number | null }[];
}

interface Revisions {
  original: string;
  revisions: {
    id: number;
    what: string;
    segment_id: string | null;
    text: string | null;
    user_id: number;
    at: number;
  }[];
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

async function save(transcription: string, language = "en"): Promise<Row> {
  const body = { user_id: 7, language, transcription };
  return (await (await postJson(`${app.url}/v1/transcriptions/save`, body)).json()) as Row;
}

function patch(id: number, body: object, headers = {}, query = ""): Promise<Response> {
  return fetch(`${app.url}/v1/transcriptions/${id}${query}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function edit(id: number, body: object): Promise<Row> {
  const response = await patch(id, body);
  expect([body, response.status]).toEqual([body, 200]);
  return (await response.json()) as Row;
}

async function read(id: number): Promise<Row> {
  return (await (await fetch(`${app.url}/v1/transcriptions/${id}`)).json()) as Row;
}

async function segmentsOf(id: number): Promise<SegmentRow[]> {
  const response = await fetch(`${app.url}/v1/transcriptions/${id}/export?format=json`);
  return ((await response.json()) as { segments: SegmentRow[] }).segments;
}

async function revisionsOf(id: number, query = ""): Promise<Revisions> {
  const response = await fetch(`${app.url}/v1/transcriptions/${id}/revisions${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Revisions;
}

async function found(q: string): Promise<number[]> {
  const response = await fetch(`${app.url}/v1/transcriptions/search?q=${encodeURIComponent(q)}`);
  return ((await response.json()) as { results: { id: number }[] }).results.map(({ id }) => id);
}

function remove(id: number, headers = {}): Promise<Response> {
  return fetch(`${app.url}/v1/transcriptions/${id}`, { method: "DELETE", headers });
}

/** Three segments with word times of half a second each. */
async function talk(userId = 7): Promise<LiveRow> {
  const live = await speech.begin(userId);
  let at = 0;
  for (const text of ["we met on tuesday", "and the budgit grew", "by nine percent"]) {
    const startMs = at;
    const words = text.split(" ").map((word): [string, number, number] => {
      at += 500;
      return [word, at - 500, at];
    });
    await live.say({ text, startMs, endMs: at, words }, text);
    at += 1_000;
  }
  return live;
}

describe("an edit of a saved text", () => {
  test("changes text, processed text, count and search together, and keeps what was there", async () => {
    const row = await save("um the aubergine was was\ngreen");
    const edited = await edit(row.id, { transcription: "the eggplant is green,\nuh really" });
    expect(edited).toMatchObject({
      id: row.id,
      transcription: "the eggplant is green,\nuh really",
      processed_text: "the eggplant is green,\nreally",
      word_count: 5,
    });
    expect(edited.updated_at).toBeGreaterThan(row.updated_at);
    expect(await read(row.id)).toEqual(edited);
    expect(await found("eggplant")).toEqual([row.id]);
    expect(await found("aubergine")).toEqual([]);
    expect((await segmentsOf(row.id)).map(({ text }) => text)).toEqual([edited.transcription]);
    const { original, revisions, next } = await revisionsOf(row.id);
    expect(original).toBe(row.transcription);
    expect(next).toBeNull();
    expect(revisions).toEqual([
      {
        id: expect.any(Number),
        what: "transcription",
        segment_id: null,
        text: row.transcription,
        user_id: expect.any(Number),
        at: expect.any(Number),
      },
    ]);
  });

  test("of its one segment is the same as of the whole", async () => {
    const row = await save("one");
    const [segment] = await segmentsOf(row.id);
    expect(segment?.segment_id).toBe(`t${row.id}-1`);
    const edited = await edit(row.id, { segment_id: `t${row.id}-1`, text: "two\nlines" });
    expect(edited.transcription).toBe("two\nlines");
    expect((await revisionsOf(row.id)).revisions[0]).toMatchObject({
      what: "segment",
      segment_id: `t${row.id}-1`,
      text: "one",
    });
  });

  test("may empty it and fill it again, in Hindi too", async () => {
    const row = await save("", "hi");
    await edit(row.id, { transcription: "नमस्ते ख़रगोश" });
    expect(await found("खरगोश")).toEqual([row.id]);
    expect(await edit(row.id, { transcription: "" })).toMatchObject({
      transcription: "",
      processed_text: "",
      word_count: 0,
    });
    expect(await found("खरगोश")).toEqual([]);
    expect((await revisionsOf(row.id)).original).toBe("");
  });

  test("that changes nothing leaves no revision", async () => {
    const row = await save("as it was");
    expect(await edit(row.id, { transcription: "as it was", title: null })).toEqual(row);
    expect((await revisionsOf(row.id)).revisions).toEqual([]);
  });

  test("gives it a title, which is kept like a text", async () => {
    const row = await save("untitled");
    expect(await edit(row.id, { title: "बैठक" })).toMatchObject({ title: "बैठक" });
    expect(await edit(row.id, { title: null, transcription: "more" })).toMatchObject({
      title: null,
      transcription: "more",
    });
    const { revisions } = await revisionsOf(row.id);
    expect(revisions.map(({ what, text }) => [what, text])).toEqual([
      ["title", "बैठक"],
      ["transcription", "untitled"],
      ["title", null],
    ]);
  });

  test("says what is wrong with it", async () => {
    const { id } = await save("text");
    const wrong: object[] = [
      {},
      { text: "no segment" },
      { segment_id: `t${id}-1` },
      { transcription: "a", segment_id: `t${id}-1`, text: "b" },
      { transcription: 3 },
      { transcription: "x", unknown: 1 },
      { title: "x".repeat(201) },
    ];
    for (const body of wrong) expect([body, (await patch(id, body)).status]).toEqual([body, 422]);
    expect((await patch(id, { segment_id: "nothing", text: "x" })).status).toBe(404);
    expect((await patch(999_999, { transcription: "x" })).status).toBe(404);
    expect((await read(id)).transcription).toBe("text");
  });
});

describe("an edit of what was spoken", () => {
  test("of one segment rebuilds the whole and keeps the times of the words that stayed", async () => {
    const live = await talk();
    await live.end();
    const edited = await edit(live.id, {
      segment_id: `${live.sessionId}-2`,
      text: "And the marketing budget grew",
    });
    expect(edited.transcription).toBe(
      "we met on tuesday And the marketing budget grew by nine percent",
    );
    expect(edited).toMatchObject({ processed_text: edited.transcription, word_count: 12 });
    const [, second] = await segmentsOf(live.id);
    expect(second).toMatchObject({ start_ms: 3_000, end_ms: 5_000 });
    expect(second?.words).toEqual([
      { word: "And", start_ms: 3_000, end_ms: 3_500, confidence: 0.9 },
      { word: "the", start_ms: 3_500, end_ms: 4_000, confidence: 0.9 },
      { word: "marketing", start_ms: 4_000, end_ms: 4_300, confidence: null },
      { word: "budget", start_ms: 4_300, end_ms: 4_500, confidence: null },
      { word: "grew", start_ms: 4_500, end_ms: 5_000, confidence: 0.9 },
    ]);
    expect(await found("marketing")).toEqual([live.id]);
    expect(await found("budgit")).toEqual([]);
    expect((await revisionsOf(live.id)).original).toBe(
      "we met on tuesday and the budgit grew by nine percent",
    );
  });

  test("of the whole text is spread over the segments, so that subtitles stay right", async () => {
    const live = await talk();
    await live.end();
    const whole = "We met on Tuesday,\nand the budget grew a lot, by nineteen percent.";
    const edited = await edit(live.id, { transcription: whole });
    expect(edited.transcription).toBe(whole);
    const segments = await segmentsOf(live.id);
    expect(segments.map(({ text }) => text)).toEqual([
      "We met on Tuesday,",
      "and the budget grew a lot,",
      "by nineteen percent.",
    ]);
    expect(segments.map(({ start_ms }) => start_ms)).toEqual([0, 3_000, 6_000]);
    const times = segments.flatMap(({ words }) =>
      words.flatMap((word) => [word.start_ms, word.end_ms]),
    );
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const vtt = await (
      await fetch(`${app.url}/v1/transcriptions/${live.id}/export?format=vtt`)
    ).text();
    expect(vtt).toContain("00:00:06.000 --> 00:00:07.500\nby nineteen percent.\n");
  });

  test("of the whole text may be quite another text", async () => {
    const live = await talk();
    await live.end();
    const whole = "nothing of all this was said in that meeting, ever, by anybody who was there";
    const edited = await edit(live.id, { transcription: whole });
    expect(edited).toMatchObject({ transcription: whole, word_count: 15 });
    const segments = await segmentsOf(live.id);
    expect(segments.map(({ text }) => text).join(" ")).toBe(whole);
    for (const { text } of segments) expect(text).not.toBe("");
    await edit(live.id, { transcription: "only" });
    expect((await segmentsOf(live.id)).map(({ text }) => text).join("")).toBe("only");
    await edit(live.id, { transcription: "" });
    expect(await read(live.id)).toMatchObject({ transcription: "", word_count: 0 });
    await edit(live.id, { transcription: whole });
    expect((await revisionsOf(live.id)).original).toBe(
      "we met on tuesday and the budgit grew by nine percent",
    );
  });

  test("while it is spoken loses no word that arrives meanwhile", async () => {
    const live = await talk();
    const said: Promise<void>[] = [];
    const edits: Promise<Row>[] = [];
    for (let at = 0; at < 40; at++) {
      const startMs = 10_000 + at * 1_000;
      said.push(live.say({ text: `new${at}`, startMs, endMs: startMs + 900 }, `new${at}`));
      const segment_id = `${live.sessionId}-${(at % 3) + 1}`;
      edits.push(edit(live.id, { segment_id, text: `edited${at}` }));
      await Bun.sleep(1);
    }
    await Promise.all([...said, ...edits]);
    const news = Array.from({ length: 40 }, (_, at) => `new${at}`);
    const segments = await segmentsOf(live.id);
    expect(segments.slice(3).map(({ text }) => text)).toEqual(news);
    const row = await read(live.id);
    expect(row.transcription).toBe(segments.map(({ text }) => text).join(" "));
    expect(row.processed_text.split(" ").sort()).toEqual(row.transcription.split(" ").sort());
    expect(row.word_count).toBe(43);
    // A whole text holds what its editor saw; later words stay behind it.
    const whole = edit(live.id, { transcription: "all new" });
    await live.say({ text: "last words", startMs: 90_000, endMs: 91_000 }, "last words");
    await whole;
    const after = await read(live.id);
    const texts = (await segmentsOf(live.id)).map(({ text }) => text);
    expect(after.transcription).toBe(texts.filter((text) => text !== "").join(" "));
    await live.say({ text: "and more", startMs: 92_000, endMs: 93_000 }, "and more");
    expect((await read(live.id)).transcription).toBe(`${after.transcription} and more`);
    await live.end();
  });

  test("holds against the text that is processed later", async () => {
    const live = await speech.begin(7);
    await live.say({ text: "sea you", startMs: 0, endMs: 900 });
    await edit(live.id, { segment_id: `${live.sessionId}-1`, text: "see you" });
    expect(await read(live.id)).toMatchObject({ processed_text: "see you", word_count: 2 });
    await live.end();
  });

  test("of which nothing was heard gives it a text all the same", async () => {
    const live = await speech.begin(7);
    await live.end();
    expect(await edit(live.id, { transcription: "typed wallaby" })).toMatchObject({
      transcription: "typed wallaby",
      word_count: 2,
    });
    expect(await found("wallaby")).toEqual([live.id]);
    expect((await revisionsOf(live.id)).original).toBe("");
  });
});

describe("edits at the same time", () => {
  test("are all done, one after the other, and all revisions are there", async () => {
    const live = await talk();
    await live.end();
    const texts = Array.from({ length: 12 }, (_, at) => `version ${at} of it all`);
    const rows = await Promise.all(texts.map((transcription) => edit(live.id, { transcription })));
    expect(rows.map(({ transcription }) => transcription)).toEqual(texts);
    expect(new Set(rows.map(({ updated_at }) => updated_at)).size).toBe(texts.length);
    const { revisions, original } = await revisionsOf(live.id);
    const now = (await read(live.id)).transcription;
    const all = [now, ...revisions.map(({ text }) => text)];
    expect(all).toHaveLength(texts.length + 1);
    expect(new Set(all)).toEqual(new Set([original, ...texts]));
  });

  test("are refused when they do not know what they replace", async () => {
    const row = await save("first");
    const one = await patch(row.id, { transcription: "second", updated_at: row.updated_at });
    expect(one.status).toBe(200);
    const two = await patch(row.id, { transcription: "third", updated_at: row.updated_at });
    expect(two.status).toBe(409);
    expect(await two.json()).toMatchObject({ code: "conflict" });
    const etag = one.headers.get("etag") ?? "";
    const head = await fetch(`${app.url}/v1/transcriptions/${row.id}`);
    expect(head.headers.get("etag")).toBe(etag);
    expect((await patch(row.id, { title: "t" }, { "if-match": etag })).status).toBe(200);
    expect((await patch(row.id, { title: "u" }, { "if-match": etag })).status).toBe(409);
    expect((await patch(row.id, { title: "v" }, { "if-match": '"other"' })).status).toBe(409);
    expect((await patch(row.id, { title: "w" }, { "if-match": "*" })).status).toBe(200);
    expect(await read(row.id)).toMatchObject({ transcription: "second", title: "w" });
  });

  test("of whom only one may win leave one winner", async () => {
    const row = await save("start");
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        patch(row.id, { transcription: `winner ${at}`, updated_at: row.updated_at }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
  });
});

describe("revisions", () => {
  test("are told in pages, newest first, and the original outlives the limit", async () => {
    const row = await save("the original words");
    for (let at = 1; at <= 105; at++) await edit(row.id, { transcription: `text ${at}` });
    const seen: (string | null)[] = [];
    let after = "";
    for (;;) {
      const page = await revisionsOf(row.id, `?limit=30${after}`);
      expect(page.original).toBe("the original words");
      seen.push(...page.revisions.map(({ text }) => text));
      if (page.next === null) break;
      after = `&after=${page.next}`;
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, at) => `text ${104 - at}`));
  });

  test("of very long texts are fewer, the newest always there", async () => {
    const big = (at: number): string => `${at} ${"क".repeat(990_000)}`;
    const row = await save(big(0), "hi");
    for (let at = 1; at <= 7; at++) await edit(row.id, { transcription: big(at) });
    const { revisions, original } = await revisionsOf(row.id);
    expect(revisions.length).toBeWithin(1, 7);
    expect(revisions[0]?.text === big(6)).toBe(true);
    expect(original === big(0)).toBe(true);
  });

  test("of nothing are not found", async () => {
    expect((await fetch(`${app.url}/v1/transcriptions/999999/revisions`)).status).toBe(404);
  });
});

describe("a deletion", () => {
  test("takes everything with it", async () => {
    const live = await talk();
    await live.say({ text: "one quokka", startMs: 9_000, endMs: 9_900 });
    await live.end();
    await edit(live.id, { segment_id: `${live.sessionId}-1`, text: "two quokkas" });
    expect(await found("quokka")).toEqual([live.id, live.id]);
    const response = await remove(live.id);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(await found("quokka")).toEqual([]);
    for (const path of ["", "/revisions", "/export?format=txt"]) {
      expect((await fetch(`${app.url}/v1/transcriptions/${live.id}${path}`)).status).toBe(404);
    }
    expect((await remove(live.id)).status).toBe(404);
    const left = ["segments", "revisions", "speech_sessions", "saved_messages"].flatMap((table) =>
      speech.database.db.all(`SELECT * FROM ${table} WHERE transcription_id = ${live.id}`),
    );
    expect(left).toEqual([]);
    const matches =
      "SELECT rowid FROM segment_search WHERE segment_search MATCH 'quokka OR quokkas'";
    expect(speech.database.db.all(matches)).toEqual([]);
  });

  test("of one that is being spoken has to wait", async () => {
    const live = await talk();
    const refused = await remove(live.id);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: "conflict" });
    expect(await segmentsOf(live.id)).toHaveLength(3);
    await live.end();
    expect((await remove(live.id)).status).toBe(204);
  });

  test("of a long one leaves no segment behind", async () => {
    const live = await speech.begin(7);
    const says = Array.from({ length: 401 }, (_, at) =>
      live.say({ text: `numbat ${at}`, startMs: at, endMs: at + 1 }),
    );
    await Promise.all(says);
    await live.end();
    expect((await remove(live.id)).status).toBe(204);
    expect(await found("numbat")).toEqual([]);
  });
});

describe("with AUTH=required", () => {
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

  test("only the owner and admins read, change and delete; others learn nothing", async () => {
    const closed = await startTestApp({ JWT_SECRET: SECRET });
    try {
      const saved = await postJson(
        `${closed.url}/v1/transcriptions/save`,
        { user_id: 7, language: "en", transcription: "mine" },
        bearer(7),
      );
      const { id } = (await saved.json()) as Row;
      const address = `${closed.url}/v1/transcriptions/${id}`;
      const json = { "content-type": "application/json" };
      const body = JSON.stringify({ transcription: "theirs" });
      const asks = (headers: Record<string, string>): Promise<Response>[] => [
        fetch(`${address}/export?format=txt`, { headers }),
        fetch(`${address}/revisions`, { headers }),
        fetch(address, { method: "PATCH", headers: { ...json, ...headers }, body }),
        fetch(address, { method: "DELETE", headers }),
      ];
      const statuses = async (headers: Record<string, string>): Promise<number[]> =>
        (await Promise.all(asks(headers))).map(({ status }) => status);
      expect(await statuses(bearer(8))).toEqual([404, 404, 404, 404]);
      expect(await statuses({})).toEqual([401, 401, 401, 401]);
      const still = await fetch(address, { headers: bearer(7) });
      expect(await still.json()).toMatchObject({ transcription: "mine" });
      const admin = await fetch(address, {
        method: "PATCH",
        headers: { ...json, ...bearer(1, "admin") },
        body,
      });
      expect(admin.status).toBe(200);
      const revisions = await fetch(`${address}/revisions`, { headers: bearer(7) });
      expect(((await revisions.json()) as Revisions).revisions[0]).toMatchObject({
        user_id: 1,
        text: "mine",
      });
      const removed = await fetch(address, { method: "DELETE", headers: bearer(7) });
      expect(removed.status).toBe(204);
    } finally {
      await closed.stop();
    }
  });
});
