import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import type { SegmentsPage } from "../../../src/features/transcription/kept-model.ts";
import { segments } from "../../../src/schema.ts";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import { speakInto } from "../../support/spoken.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

interface Row {
  id: number;
  user_id: number;
  transcription: string;
  processed_text: string;
  word_count: number;
  language: string;
  created_at: number;
  updated_at: number;
}

async function save(body: object): Promise<Row> {
  const response = await postJson(`${app.url}/v1/transcriptions/save`, body);
  expect(response.status).toBe(201);
  return (await response.json()) as Row;
}

async function list(query = ""): Promise<Row[]> {
  const response = await fetch(`${app.url}/v1/transcriptions${query}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  return JSON.parse(await response.text()) as Row[];
}

describe("transcriptions", () => {
  // In order: none, one, a few, a thousand.
  test("are an empty list as long as there are none", async () => {
    expect(await list()).toEqual([]);
    expect(await list("?limit=10")).toEqual([]);
  });

  test("have no words unless a text is given", async () => {
    const at = Date.now();
    const row = await save({ user_id: 7, language: "en" });
    expect(row).toMatchObject({
      user_id: 7,
      language: "en",
      transcription: "",
      processed_text: "",
      word_count: 0,
      status: "done",
      session_id: null,
      room: null,
      title: null,
      duration_ms: 0,
    });
    expect(row.created_at).toBeWithin(at, Date.now() + 1);
    expect(row.updated_at).toBe(row.created_at);
    expect(await list()).toEqual([row]);
    expect(await list("?limit=1")).toEqual([row]);
  });

  test("are cleaned and counted, in English and in Hindi", async () => {
    const english = await save({
      user_id: 7,
      language: "en",
      transcription: "um so I I don't know, [laughter] it's well-known",
    });
    expect(english.transcription).toBe("um so I I don't know, [laughter] it's well-known");
    expect(english.processed_text).toBe("so I don't know, it's well-known");
    expect(english.word_count).toBe(7);

    const hindi = await save({
      user_id: 7,
      language: "hi",
      transcription: "मुझे हिन्दी में बात करनी है",
    });
    expect(hindi.processed_text).toBe("मुझे हिन्दी में बात करनी है");
    expect(hindi.word_count).toBe(6);
    expect(hindi.language).toBe("hi");

    const emoji = await save({ user_id: 7, language: "en", transcription: "fine 👍🏽 thanks" });
    expect(emoji).toMatchObject({ transcription: "fine 👍🏽 thanks", word_count: 2 });
  });

  test("are read one by one by their number", async () => {
    const row = await save({ user_id: 8, language: "hi", transcription: 'नमस्ते "दुनिया"\n\u2028' });
    const response = await fetch(`${app.url}/v1/transcriptions/${row.id}`);
    expect(await response.json()).toEqual(row);
    const missing = await fetch(`${app.url}/v1/transcriptions/${row.id + 1}`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ code: "not_found" });
  });

  test("want a language that is served, and a user", async () => {
    const url = `${app.url}/v1/transcriptions/save`;
    for (const body of [{ user_id: 7 }, { user_id: 7, language: "fr" }, { language: "en" }]) {
      expect((await postJson(url, body)).status).toBe(422);
    }
  });

  test("are streamed as one valid list, oldest first, when there are more than a thousand", async () => {
    const before = await list();
    const saved: Row[] = [];
    for (let hundred = 0; hundred < 10; hundred++) {
      const texts = Array.from({ length: 100 }, (_, at) => `text "${hundred * 100 + at}", \\ [ ]`);
      saved.push(
        ...(await Promise.all(
          texts.map((transcription) => save({ user_id: 9, language: "en", transcription })),
        )),
      );
    }
    const all = await list();
    expect(all).toHaveLength(before.length + 1_000);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => a - b));
    expect(all.slice(before.length)).toEqual(saved.sort((a, b) => a.id - b.id));
  });

  test("are told in pages whose links lead through to the end", async () => {
    const all = await list();
    for (const limit of [1_000, 334, 201, 200]) {
      const seen: Row[] = [];
      let path: string | null = `/v1/transcriptions?limit=${limit}`;
      while (path !== null) {
        const response: Response = await fetch(app.url + path);
        const page = (await response.json()) as Row[];
        expect(page.length).toBeLessThanOrEqual(limit);
        seen.push(...page);
        const link = response.headers.get("link");
        const next: string = /^<(\/[^>]+)>; rel="next"$/.exec(link ?? "")?.[1] ?? "no link";
        path = link === null ? null : next;
        if (path !== null) expect(page).toHaveLength(limit);
      }
      expect(seen).toEqual(all);
    }
  });

  test("have no link to a page that would be empty", async () => {
    const count = (await list()).length - 1;
    const first = (await list("?limit=1"))[0]?.id ?? 0;
    const rest = await fetch(`${app.url}/v1/transcriptions?limit=1000&after=${first}`);
    expect(((await rest.json()) as Row[]).length).toBe(Math.min(1_000, count));
    const last = (await list()).at(-6)?.id ?? 0;
    const exact = await fetch(`${app.url}/v1/transcriptions?limit=5&after=${last}`);
    expect((await exact.json()) as Row[]).toHaveLength(5);
    expect(exact.headers.get("link")).toBeNull();
  });

  test("after a number are told with and without a limit", async () => {
    const all = await list();
    const after = all[500]?.id ?? 0;
    expect(await list(`?after=${after}`)).toEqual(all.slice(501));
    expect(await list(`?after=${after}&limit=3`)).toEqual(all.slice(501, 504));
    expect(await list(`?after=${all.at(-1)?.id}`)).toEqual([]);
  });

  test("are told newest first to whoever asks, in pages too", async () => {
    const newest = (await list()).reverse();
    expect(await list("?order=newest")).toEqual(newest);
    expect(await list("?order=newest&limit=3")).toEqual(newest.slice(0, 3));
    const after = newest[2]?.id ?? 0;
    const page = await fetch(`${app.url}/v1/transcriptions?order=newest&limit=3&after=${after}`);
    expect((await page.json()) as Row[]).toEqual(newest.slice(3, 6));
    expect(page.headers.get("link")).toBe(
      `</v1/transcriptions?limit=3&after=${newest[5]?.id}&order=newest>; rel="next"`,
    );
    expect(await list(`?order=newest&after=${newest.at(-1)?.id}`)).toEqual([]);
  });

  test("have segments, page by page, and those name whom the text still names", async () => {
    const speech = speakInto(app);
    try {
      const spoken = await speech.begin(7);
      const names = [{ text: "Ada", label: "PER", start: 0, end: 3 }];
      await spoken.say({ text: "um Ada", startMs: 100, endMs: 900 }, "Ada");
      await speech.database.commit(() => {
        speech.database.db
          .update(segments)
          .set({ entities: names })
          .where(eq(segments.transcription_id, spoken.id))
          .run();
      });
      await spoken.say({ text: "still going", startMs: 1_000, endMs: 1_900 });
      const read = async (query = "", id = spoken.id): Promise<SegmentsPage> => {
        const answer = await fetch(`${app.url}/v1/transcriptions/${id}/segments${query}`);
        return (await answer.json()) as SegmentsPage;
      };
      const { segments: said, next } = await read();
      expect(said).toMatchObject([
        { text: "um Ada", processed_text: "Ada", start_ms: 100, end_ms: 900, entities: names },
        { text: "still going", processed_text: null, entities: [] },
      ]);
      expect(await read(`?after=${next}`)).toEqual({ segments: [], next: null });
      await fetch(`${app.url}/v1/transcriptions/${spoken.id}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ segment_id: said[0]?.segment_id, text: "Eve and Ada" }),
      });
      expect((await read()).segments[0]).toMatchObject({ text: "Eve and Ada", entities: [] });
      expect(await read("", 999_999)).toMatchObject({ code: "not_found" });
    } finally {
      await speech.close();
    }
  });

  test("go on being told to one who reads slowly or leaves in the middle", async () => {
    const leaving = await fetch(`${app.url}/v1/transcriptions`);
    await leaving.body?.cancel();
    const reader = (await fetch(`${app.url}/v1/transcriptions`)).body?.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) break;
      text += decoder.decode(piece.value, { stream: true });
      await Bun.sleep(1);
    }
    expect(JSON.parse(text)).toEqual(await list());
  });
});
