import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import { type LiveRow, type Speech, speakInto } from "../../support/spoken.ts";

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

interface Cue {
  startMs: number;
  endMs: number;
  lines: string[];
}

function get(id: number, query: string): Promise<Response> {
  return fetch(`${app.url}/v1/transcriptions/${id}/export?${query}`);
}

async function exported(id: number, query: string): Promise<string> {
  const response = await get(id, query);
  expect([query, response.status]).toEqual([query, 200]);
  return response.text();
}

async function save(transcription: string, language = "en"): Promise<number> {
  const body = { user_id: 7, language, transcription };
  const response = await postJson(`${app.url}/v1/transcriptions/save`, body);
  return ((await response.json()) as { id: number }).id;
}

async function retitle(id: number, title: string): Promise<void> {
  const response = await fetch(`${app.url}/v1/transcriptions/${id}`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ title }),
  });
  expect(response.status).toBe(200);
}

/** Reads subtitles as a player does, and fails at anything that a player might not take. */
function parse(text: string, format: "srt" | "vtt"): Cue[] {
  let rest = text;
  if (format === "vtt") {
    expect(rest).toStartWith("WEBVTT\n\n");
    rest = rest.slice("WEBVTT\n\n".length);
  }
  expect(rest === "" || rest.endsWith("\n\n")).toBe(true);
  const blocks = rest.split("\n\n").slice(0, -1);
  const time =
    format === "srt" ? /^(\d{2}):(\d\d):(\d\d),(\d{3})$/ : /^(\d{2}):(\d\d):(\d\d)\.(\d{3})$/;
  const toMs = (written: string): number => {
    const [, hours, minutes, seconds, ms] = time.exec(written) ?? expect.unreachable(written);
    return (
      Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000 + Number(ms)
    );
  };
  return blocks.map((block, at) => {
    const lines = block.split("\n");
    if (format === "srt") expect(lines.shift()).toBe(String(at + 1));
    const [start = "", end = "", ...more] = (lines.shift() ?? "").split(" --> ");
    expect(more).toEqual([]);
    for (const line of lines) expect(line).not.toContain("-->");
    return { startMs: toMs(start), endMs: toMs(end), lines: lines.map(shown) };
  });
}

/** A line as WebVTT shows it; SubRip has no escapes. */
function shown(line: string): string {
  return line.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** What broadcasters ask of subtitles. */
function expectReadable(cues: readonly Cue[]): void {
  let lastMs = 0;
  for (const { startMs, endMs, lines } of cues) {
    expect(startMs).toBeGreaterThanOrEqual(lastMs);
    expect(endMs).toBeGreaterThan(startMs);
    expect(endMs - startMs).toBeLessThanOrEqual(7_000);
    expect(lines.length).toBeWithin(1, 3);
    for (const line of lines) {
      expect(line.trim()).toBe(line);
      expect([...new Intl.Segmenter().segment(line)].length).toBeWithin(1, 43);
    }
    lastMs = endMs;
  }
}

const wordsOf = (cues: readonly Cue[]): string[] =>
  cues.flatMap(({ lines }) => lines.flatMap((line) => line.split(" ")));

async function meeting(): Promise<LiveRow> {
  const live = await speech.begin(7, "en", "Meeting");
  await live.say(
    {
      text: "good morning everybody",
      startMs: 320,
      endMs: 1_900,
      words: [
        ["good", 320, 600],
        ["morning", 600, 1_100],
        ["everybody", 1_150, 1_900],
      ],
    },
    "Good morning everybody",
  );
  await live.say(
    { text: "um shall we begin", startMs: 3_725_400, endMs: 3_727_000 },
    "shall we begin",
  );
  return live;
}

describe("an export", () => {
  test("is told while it is still spoken, in every format", async () => {
    const live = await meeting();
    expect(await exported(live.id, "format=txt")).toBe(
      "good morning everybody\num shall we begin\n",
    );
    expect(await exported(live.id, "format=txt&text=processed")).toBe(
      "Good morning everybody\nshall we begin\n",
    );
    expect(await exported(live.id, "format=srt")).toBe(
      "1\n00:00:00,320 --> 00:00:01,900\ngood morning everybody\n\n" +
        "2\n01:02:05,400 --> 01:02:07,000\num shall we begin\n\n",
    );
    expect(await exported(live.id, "format=vtt&text=processed")).toBe(
      "WEBVTT\n\n00:00:00.320 --> 00:00:01.900\nGood morning everybody\n\n" +
        "01:02:05.400 --> 01:02:07.000\nshall we begin\n\n",
    );
    const answer = await fetch(`${app.url}/v1/transcriptions/${live.id}`);
    const row = (await answer.json()) as Record<string, unknown>;
    expect(row).toMatchObject({ status: "live", title: "Meeting" });
    expect(JSON.parse(await exported(live.id, "format=json"))).toEqual({
      ...row,
      segments: [
        {
          segment_id: `${live.sessionId}-1`,
          seq: 1,
          text: "good morning everybody",
          processed_text: "Good morning everybody",
          start_ms: 320,
          end_ms: 1_900,
          language: "en",
          confidence: 0.9,
          words: [
            { word: "good", start_ms: 320, end_ms: 600, confidence: 0.9 },
            { word: "morning", start_ms: 600, end_ms: 1_100, confidence: 0.9 },
            { word: "everybody", start_ms: 1_150, end_ms: 1_900, confidence: 0.9 },
          ],
        },
        expect.objectContaining({ seq: 3, text: "um shall we begin", words: [] }),
      ],
    });
    await live.say({ text: "and more", startMs: 3_728_000, endMs: 3_729_000 });
    expect(await exported(live.id, "format=txt")).toEndWith("um shall we begin\nand more\n");
    await live.end();
  });

  test("of a transcription in which nothing was said is empty but whole", async () => {
    const live = await speech.begin(7);
    expect(await exported(live.id, "format=txt")).toBe("");
    expect(await exported(live.id, "format=srt")).toBe("");
    expect(await exported(live.id, "format=vtt")).toBe("WEBVTT\n\n");
    expect(JSON.parse(await exported(live.id, "format=json"))).toMatchObject({ segments: [] });
    const saved = await save("");
    expect(await exported(saved, "format=srt")).toBe("");
  });

  test("says what it is and what it is called", async () => {
    const id = await save("some text");
    const types = {
      txt: "text/plain; charset=utf-8",
      json: "application/json",
      srt: "application/x-subrip; charset=utf-8",
      vtt: "text/vtt; charset=utf-8",
    };
    for (const [format, type] of Object.entries(types)) {
      const { headers } = await get(id, `format=${format}`);
      expect(headers.get("content-type")).toBe(type);
      expect(headers.get("content-disposition")).toBe(
        `attachment; filename="transcription-${id}.${format}"`,
      );
    }
    const names: [string, string][] = [
      ["Board meeting 3", 'attachment; filename="Board meeting 3.txt"'],
      ['a"b\r\nx: y/../c', 'attachment; filename="a b x y .. c.txt"'],
      ["...", `attachment; filename="transcription-${id}.txt"`],
      [
        "बैठक (1)",
        `attachment; filename="transcription-${id}.txt"; filename*=UTF-8''${encodeURIComponent("बैठक ")}%281%29.txt`,
      ],
    ];
    for (const [title, disposition] of names) {
      await retitle(id, title);
      const { headers } = await get(id, "format=txt");
      expect(headers.get("content-disposition")).toBe(disposition);
    }
  });

  test("wants a format that there is, and a transcription", async () => {
    const id = await save("some text");
    expect((await get(id, "")).status).toBe(422);
    expect((await get(id, "format=pdf")).status).toBe(422);
    expect((await get(999_999, "format=txt")).status).toBe(404);
  });

  test("of thousands of segments holds all of them, once and in order", async () => {
    const live = await speech.begin(7);
    const says: Promise<void>[] = [];
    for (let at = 0; at < 2_345; at++) {
      says.push(live.say({ text: `number ${at}`, startMs: at * 1_000, endMs: at * 1_000 + 900 }));
    }
    await Promise.all(says);
    const lines = (await exported(live.id, "format=txt")).split("\n").slice(0, -1);
    expect(lines).toEqual(Array.from({ length: 2_345 }, (_, at) => `number ${at}`));
    const { segments } = JSON.parse(await exported(live.id, "format=json")) as {
      segments: { text: string }[];
    };
    expect(segments.map(({ text }) => text)).toEqual(lines);
    const cues = parse(await exported(live.id, "format=vtt"), "vtt");
    expect(cues.map(({ lines: [line] }) => line)).toEqual(lines);
    expectReadable(cues);
    const leaving = await get(live.id, "format=json");
    await leaving.body?.cancel();
  });
});

describe("subtitles", () => {
  test("cut long segments into cues whose words keep their own times", async () => {
    const live = await speech.begin(7);
    const text = Array.from({ length: 60 }, (_, at) => `word${at}${at % 9 === 8 ? "." : ""}`);
    await live.say({
      text: text.join(" "),
      startMs: 10_000,
      endMs: 40_000,
      words: text.map((word, at) => [word, 10_000 + at * 500, 10_400 + at * 500]),
    });
    for (const format of ["srt", "vtt"] as const) {
      const cues = parse(await exported(live.id, `format=${format}`), format);
      expectReadable(cues);
      expect(wordsOf(cues)).toEqual(text);
      for (const { startMs, lines } of cues) {
        const first = lines[0]?.split(" ")[0] ?? "";
        expect(startMs).toBe(10_000 + text.indexOf(first) * 500);
      }
    }
  });

  test("never split a Hindi word or a cluster", async () => {
    const live = await speech.begin(7, "hi");
    const sentence = "मुझे हिन्दी में विश्वविद्यालय की परीक्षा के विषय में बात करनी है क्योंकि स्थिति गंभीर है।";
    await live.say({ text: `${sentence} ${sentence} ${sentence}`, startMs: 0, endMs: 21_000 });
    const cues = parse(await exported(live.id, "format=srt"), "srt");
    expectReadable(cues);
    expect(wordsOf(cues)).toEqual(`${sentence} ${sentence} ${sentence}`.split(" "));
    const long = await speech.begin(7, "hi");
    await long.say({ text: "स्त्री".repeat(60), startMs: 0, endMs: 9_000 });
    const pieces = parse(await exported(long.id, "format=vtt"), "vtt");
    expectReadable(pieces);
    const clusters = new Set(
      [...new Intl.Segmenter().segment("स्त्रीस्त्री")].map((one) => one.segment),
    );
    for (const line of pieces.flatMap(({ lines }) => lines)) {
      for (const { segment } of new Intl.Segmenter().segment(line)) {
        expect(clusters.has(segment)).toBe(true);
      }
    }
    expect(pieces.flatMap(({ lines }) => lines).join("")).toBe("स्त्री".repeat(60));
  });

  test("survive text that looks like subtitles", async () => {
    const hostile =
      'a <b>c</b> & d --> e\n\n\n2\n00:00:01,000 --> 00:00:02,000\nfake\r\n\r\nWEBVTT\u0000 "end"';
    const id = await save(hostile);
    const vtt = await exported(id, "format=vtt");
    expectReadable(parse(vtt, "vtt"));
    expect(vtt).toContain("&lt;b&gt;c&lt;/b&gt; &amp; d --&gt; e");
    const cues = parse(await exported(id, "format=srt"), "srt");
    expectReadable(cues);
    expect(wordsOf(cues).join(" ")).toContain(
      "<b>c</b> & d → e 2 00:00:01,000 → 00:00:02,000 fake WEBVTT",
    );
  });

  test("of a saved text last as long as it takes to read, from the start", async () => {
    const text = "A sentence that somebody typed. ".repeat(20).trim();
    const cues = parse(await exported(await save(text), "format=srt"), "srt");
    expectReadable(cues);
    expect(cues[0]?.startMs).toBe(0);
    expect(wordsOf(cues)).toEqual(text.split(" "));
    expect(cues.at(-1)?.endMs).toBeWithin(text.length * 50, text.length * 90);
  });

  test("stay in order where segments overlap or last no time", async () => {
    const live = await speech.begin(7);
    await live.say({ text: "one", startMs: 1_000, endMs: 3_000 });
    await live.say({ text: "two", startMs: 2_000, endMs: 2_000 });
    await live.say({ text: "three", startMs: 2_000, endMs: 2_500 });
    await live.say({ text: "far", startMs: 9_000, endMs: 60_000 });
    const cues = parse(await exported(live.id, "format=srt"), "srt");
    expectReadable(cues);
    expect(wordsOf(cues)).toEqual(["one", "two", "three", "far"]);
    expect(cues[0]).toEqual({ startMs: 1_000, endMs: 3_000, lines: ["one"] });
  });
});
