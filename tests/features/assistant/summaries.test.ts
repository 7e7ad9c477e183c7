import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TALK_CHARACTERS_MAX, transcriptionReader } from "../../../src/features/assistant/said.ts";
import { Inference } from "../../../src/features/assistant/inference.ts";
import {
  MODEL_CHARACTERS_MAX,
  createSummaries,
} from "../../../src/features/assistant/summaries.ts";
import { Problem } from "../../../src/http/problem.ts";
import { createLog } from "../../../src/platform/log.ts";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import {
  KEY,
  type ModelService,
  SERVICE_SECRET,
  fails,
  says,
  startModelService,
} from "./model-service.ts";
import { JWT_SECRET, signedIn } from "./people.ts";

const BRIDGE = "The harbour bridge is closed for repairs until the end of the month.";
const LINES = [
  "Good morning.",
  BRIDGE,
  "Is it warm in here?",
  "Buses go the long way round while the bridge is closed for repairs.",
  "The repairs of the bridge cost four million and the city pays half.",
  "Bye.",
];
const SUMMARY = "The bridge is being repaired.";

let service: ModelService;
let plain: TestApp;
let app: TestApp;
beforeAll(async () => {
  service = startModelService(says(SUMMARY));
  plain = await startTestApp({ JWT_SECRET });
  app = await startTestApp({
    JWT_SECRET,
    OPENAI_BASE_URL: service.url,
    OPENAI_API_KEY: KEY,
    LLM_MODEL: "small",
  });
});
afterAll(async () => {
  const log = [...plain.lines, ...app.lines].join("");
  for (const secret of [KEY, "bridge", SERVICE_SECRET]) expect(log).not.toContain(secret);
  await plain.stop();
  await app.stop();
  await service.stop();
});

let used = 0;
const somebody = (): number => ++used;

async function save(at: TestApp, user: number, transcription: string, language = "en") {
  const body = { user_id: user, language, transcription };
  const saved = await postJson(`${at.url}/v1/transcriptions/save`, body, signedIn(user));
  expect(saved.status).toBe(201);
  return ((await saved.json()) as { id: number }).id;
}

async function makeRoom(at: TestApp, user: number, isPrivate: boolean): Promise<string> {
  const room = `room ${somebody()}`;
  const body = { room, private: isPrivate };
  expect((await postJson(`${at.url}/v1/rooms`, body, signedIn(user))).status).toBe(201);
  return room;
}

const roomPath = (room: string): string => `/v1/rooms/${encodeURIComponent(room)}`;

async function say(at: TestApp, room: string, user: number, text: string): Promise<number> {
  const body = { client_id: crypto.randomUUID(), text };
  const url = `${at.url}${roomPath(room)}/messages`;
  const said = await postJson(url, body, signedIn(user));
  expect(said.status).toBe(201);
  return ((await said.json()) as { id: number }).id;
}

function summarise(at: TestApp, path: string, user: number, body?: object): Promise<Response> {
  const headers = signedIn(user);
  if (body !== undefined) return postJson(`${at.url}${path}/summary`, body, headers);
  return fetch(`${at.url}${path}/summary`, { method: "POST", headers });
}

/** What the model was asked last. */
const lastPrompt = (): string => service.asked.at(-1)?.body.messages.at(-1)?.content ?? "";

interface Told {
  summary: string;
  source: string;
  model: string | null;
}
const told = async (response: Response): Promise<Told> => {
  expect(response.status).toBe(200);
  return (await response.json()) as Told;
};
const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

describe("without a language model", () => {
  test("a transcription is told in its own sentences", async () => {
    const user = somebody();
    const id = await save(plain, user, LINES.join("\n"));
    const path = `/v1/transcriptions/${id}`;
    const { summary, source, model } = await told(await summarise(plain, path, user));
    expect({ source, model }).toEqual({ source: "extractive", model: null });
    expect(summary).toContain(BRIDGE);
    for (const sentence of summary.split("\n")) expect(LINES).toContain(sentence);

    const short = await told(await summarise(plain, path, user, { sentences: 1 }));
    expect(short.summary.split("\n")).toHaveLength(1);
    expect(short.summary).toContain("bridge");
  });

  test("a Hindi transcription is told in Hindi", async () => {
    const user = somebody();
    const text = "आज जल आपूर्ति पर बैठक हुई। चाय ठंडी थी। जल आपूर्ति की पाइपलाइन सोमवार से बदली जाएगी।";
    const id = await save(plain, user, text, "hi");
    const path = `/v1/transcriptions/${id}`;
    const { summary } = await told(await summarise(plain, path, user, { sentences: 1 }));
    expect(summary).toContain("जल आपूर्ति");
    expect(summary).toEndWith("।");
  });

  test("a room is told as it was edited, and without what was removed", async () => {
    const user = somebody();
    const room = await makeRoom(plain, user, false);
    const first = await say(plain, room, user, "The old library opens on Monday.");
    const second = await say(plain, room, user, "The password of the library is hunter2.");
    const url = `${plain.url}${roomPath(room)}/messages`;
    await fetch(`${url}/${first}`, {
      method: "PATCH",
      headers: { "content-type": "application/json", ...signedIn(user) },
      body: JSON.stringify({ text: "The new library opens on Tuesday." }),
    });
    await fetch(`${url}/${second}`, { method: "DELETE", headers: signedIn(user) });
    const { summary } = await told(await summarise(plain, roomPath(room), user));
    expect(summary).toBe("The new library opens on Tuesday.");
  });

  test("where nothing was said there is no summary", async () => {
    const user = somebody();
    const id = await save(plain, user, "");
    const room = await makeRoom(plain, user, false);
    const empty = await summarise(plain, `/v1/transcriptions/${id}`, user);
    expect(await codeOf(empty)).toEqual([422, "invalid"]);
    expect(await codeOf(await summarise(plain, roomPath(room), user))).toEqual([422, "invalid"]);
    const nowhere = await summarise(plain, "/v1/rooms/nowhere", user);
    expect(await codeOf(nowhere)).toEqual([404, "not_found"]);
  });

  test("a user has so many summaries at once, and whoever has had them is told to wait", async () => {
    const user = somebody();
    const id = await save(plain, user, LINES.join("\n"));
    const path = `/v1/transcriptions/${id}`;
    let refused: Response | null = null;
    for (let times = 0; times < 200 && refused === null; times++) {
      const response = await summarise(plain, path, user);
      if (response.status === 200) await response.text();
      else refused = response;
    }
    if (refused === null) throw new Error("nothing was refused");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await codeOf(refused)).toEqual([429, "rate_limited"]);
    const other = somebody();
    const fine = await summarise(
      plain,
      `/v1/transcriptions/${await save(plain, other, BRIDGE)}`,
      other,
    );
    expect(fine.status).toBe(200);
  });

  test("what is asked must fit", async () => {
    const user = somebody();
    const path = `/v1/transcriptions/${await save(plain, user, BRIDGE)}`;
    for (const body of [{ sentences: 0 }, { sentences: 11 }, { sentences: "3" }, { words: 3 }]) {
      expect(await codeOf(await summarise(plain, path, user, body))).toEqual([422, "invalid"]);
    }
  });
});

describe("with a language model", () => {
  test("it is asked, and named", async () => {
    service.script(says(`<think>a bridge</think>\n${SUMMARY}\n`));
    const user = somebody();
    const id = await save(app, user, LINES.join("\n"));
    const answer = await summarise(app, `/v1/transcriptions/${id}`, user, { sentences: 2 });
    expect(await told(answer)).toEqual({ summary: SUMMARY, source: "model", model: "small-2" });
    expect(lastPrompt()).toBe(LINES.join("\n"));
    expect(service.asked.at(-1)?.body.messages[0]?.content).toContain("at most 2 sentences");
  });

  test("it is told who said what in a room", async () => {
    service.script(says(SUMMARY));
    const [one, other] = [somebody(), somebody()];
    const room = await makeRoom(app, one, false);
    await say(app, room, one, BRIDGE);
    await say(app, room, other, "Since when? Nobody told me.");
    expect((await told(await summarise(app, roomPath(room), other))).source).toBe("model");
    expect(lastPrompt()).toBe(`User ${one}: ${BRIDGE}\nUser ${other}: Since when? Nobody told me.`);
  });

  test("of a long text it is given the sentences that say most", async () => {
    service.script(says(SUMMARY));
    const user = somebody();
    const chatter = Array.from({ length: 2_000 }, (_, at) => `Well then, number${at} it is.`);
    chatter.splice(1_000, 0, ...LINES);
    const id = await save(app, user, chatter.join(" "));
    await told(await summarise(app, `/v1/transcriptions/${id}`, user));
    expect(lastPrompt().length).toBeLessThan(1.2 * MODEL_CHARACTERS_MAX);
    expect(lastPrompt().length).toBeGreaterThan(0.8 * MODEL_CHARACTERS_MAX);
    expect(lastPrompt()).toContain(BRIDGE);
  });

  test("that does not answer, or answers nonsense, nobody is worse off than without", async () => {
    const user = somebody();
    const id = await save(app, user, LINES.join("\n"));
    for (const reply of [
      fails(401),
      fails(429, { "retry-after": "1000" }),
      fails(404),
      fails(503, { "retry-after": "0" }),
      says("   "),
      says("a".repeat(8_001)),
      () => new Response("garbage"),
    ]) {
      service.script(reply);
      const answer = await told(await summarise(app, `/v1/transcriptions/${id}`, user));
      expect(answer).toMatchObject({ source: "extractive", model: null });
      expect(answer.summary).toContain("bridge");
    }
  });

  test("a used up quota leaves the summary that needs none", async () => {
    service.script(says(SUMMARY));
    const user = somebody();
    const id = await save(app, user, LINES.join("\n"));
    const sources = new Set<string>();
    for (let times = 0; times < 100 && sources.size < 2; times++) {
      sources.add((await told(await summarise(app, `/v1/transcriptions/${id}`, user))).source);
    }
    expect([...sources]).toEqual(["model", "extractive"]);
  });
});

describe("summaries at once", () => {
  test("are few, and fewer of one user, since the threads have other texts to work", async () => {
    const held = Promise.withResolvers<{ text: string; line: number }[]>();
    const summarise = createSummaries({
      inference: new Inference(null),
      admission: { enter: async () => () => undefined },
      quota: { take: async () => 0 },
      choose: () => held.promise,
      log: createLog("silent"),
    });
    const one = (userId: number) =>
      summarise({
        caller: { userId, role: "user", name: "One" },
        readTalk: async () => ({ said: [{ speaker: null, text: BRIDGE }], language: null }),
        sentences: 1,
        signal: new AbortController().signal,
      }).then(
        ({ summary }) => summary,
        (error: unknown) => (error instanceof Problem ? error.code : error),
      );
    const asked = [1, 1, 1, 2, 2, 3, 4, 5, 6, 7].map(one);
    expect(await asked[2]).toBe("rate_limited");
    expect(await asked[9]).toBe("queue_full");
    held.resolve([{ text: BRIDGE, line: 0 }]);
    expect(await Promise.all(asked)).toEqual([
      ...Array<string>(2).fill(BRIDGE),
      "rate_limited",
      ...Array<string>(6).fill(BRIDGE),
      "queue_full",
    ]);
    expect(await one(1)).toBe(BRIDGE);
  });
});

describe("nobody", () => {
  test("reads another's transcription by its summary", async () => {
    const [owner, other, admin] = [somebody(), somebody(), somebody()];
    for (const at of [plain, app]) {
      const before = service.asked.length;
      const path = `/v1/transcriptions/${await save(at, owner, LINES.join("\n"))}`;
      expect(await codeOf(await summarise(at, path, other))).toEqual([404, "not_found"]);
      const stranger = await fetch(`${at.url}${path}/summary`, { method: "POST" });
      expect(await codeOf(stranger)).toEqual([401, "unauthorized"]);
      expect(service.asked.length).toBe(before);
      const asAdmin = { method: "POST", headers: signedIn(admin, "admin") };
      expect((await fetch(`${at.url}${path}/summary`, asAdmin)).status).toBe(200);
    }
  });

  test("reads a private room, or one that sent them out, by its summary", async () => {
    const [owner, other] = [somebody(), somebody()];
    for (const at of [plain, app]) {
      const before = service.asked.length;
      const room = await makeRoom(at, owner, true);
      await say(at, room, owner, BRIDGE);
      expect(await codeOf(await summarise(at, roomPath(room), other))).toEqual([403, "forbidden"]);
      const member = `${at.url}${roomPath(room)}/members/${other}`;
      await fetch(member, { method: "POST", headers: signedIn(owner) });
      service.script(fails(401));
      expect((await told(await summarise(at, roomPath(room), other))).summary).toBe(BRIDGE);
      const asked = service.asked.length;
      await fetch(member, { method: "DELETE", headers: signedIn(owner) });
      expect(await codeOf(await summarise(at, roomPath(room), other))).toEqual([403, "forbidden"]);
      expect(service.asked.length).toBe(asked);
      expect(asked - before).toBe(at === app ? 1 : 0);
    }
  });
});

describe("a talk", () => {
  const read = async (texts: string[]) => {
    const page = texts.map((text, at) => ({ id: at + 1, text, processed_text: null }));
    const read = transcriptionReader({
      get: async () => ({ language: "en" }),
      segmentsAfter: async (_, after) => page.slice(after, after + 100),
    });
    const { said } = await read({ userId: 1, role: "user", name: "One" }, 1);
    return said.map(({ text }) => text);
  };

  test("is read whole, cut at sentences and never within words", async () => {
    const text = `${BRIDGE} `.repeat(200).trim();
    const pieces = await read([text, "one\ntwo"]);
    expect(pieces.join("")).toBe(`${text}onetwo`);
    for (const piece of pieces.slice(0, -2)) expect(piece.trimEnd()).toEndWith(".");
    expect((await read(["x".repeat(5_000)])).join("")).toBe("x".repeat(5_000));
  });

  test("that is too long is read as evenly spread parts of it", async () => {
    const lines = Array.from({ length: 30_000 }, (_, at) => `This is line number ${at} of it.`);
    const kept = await read(lines);
    const characters = kept.join("").length;
    expect(characters).toBeLessThanOrEqual(TALK_CHARACTERS_MAX);
    expect(characters).toBeGreaterThan(TALK_CHARACTERS_MAX / 4);
    const places = kept.map((line) => lines.indexOf(line));
    const gaps = new Set(places.slice(1).map((place, at) => place - (places[at] ?? 0)));
    expect(gaps.size).toBe(1);
    expect(places.at(-1)).toBeGreaterThan(29_980);
  });

  test("of very many very short lines is read in parts, too", async () => {
    const kept = await read([Array.from({ length: 100_000 }, () => "a").join("\n")]);
    expect(kept.length).toBeLessThanOrEqual(TALK_CHARACTERS_MAX / 10);
    expect(kept.length).toBeGreaterThan(TALK_CHARACTERS_MAX / 40);
  });
});
