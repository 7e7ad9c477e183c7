import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { streamAnswer } from "../../../src/features/assistant/answer-stream.ts";
import { createLog } from "../../../src/platform/log.ts";
import { type TestApp, postJson, startTestApp, until } from "../../support/app.ts";
import {
  KEY,
  type ModelService,
  SERVICE_SECRET,
  USAGE,
  chunk,
  fails,
  hangs,
  says,
  startModelService,
  streams,
} from "./model-service.ts";
import { JWT_SECRET, signedIn } from "./people.ts";

const PROMPT = "a question that nobody may read";
const ANSWER = "an answer that nobody may read";

let service: ModelService;
let app: TestApp;
beforeAll(async () => {
  service = startModelService(says(ANSWER));
  app = await startTestApp({
    JWT_SECRET,
    OPENAI_BASE_URL: service.url,
    OPENAI_API_KEY: KEY,
    LLM_MODEL: "small",
    LOG_LEVEL: "trace",
  });
});
afterEach(() => {
  const log = app.lines.join("");
  for (const secret of [KEY, PROMPT, ANSWER, SERVICE_SECRET]) expect(log).not.toContain(secret);
});
afterAll(async () => {
  await app.stop();
  await service.stop();
});

let users = 0;
/** Everybody is somebody else, so that no test uses up another's quota. */
const somebody = () => signedIn(++users);
const ask = (body: unknown, headers: object = somebody()): Promise<Response> =>
  postJson(`${app.url}/v1/inference`, body, headers);

interface Event {
  event: string;
  data: Record<string, unknown>;
}

/** Server-sent events as they come. */
async function* eventsOf(response: Response): AsyncGenerator<Event> {
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1] ?? "";
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? "{}";
      yield { event, data: JSON.parse(data) as Event["data"] };
    }
  }
}

async function problem(response: Response, status: number, code: string): Promise<string> {
  const text = await response.text();
  expect([response.status, (JSON.parse(text) as { code: string }).code]).toEqual([status, code]);
  expect(response.headers.get("content-type")).toStartWith("application/problem+json");
  for (const secret of [KEY, PROMPT, SERVICE_SECRET, service.url]) {
    expect(text).not.toContain(secret);
  }
  return text;
}

describe("a question", () => {
  test("is answered with the model, the text and the usage", async () => {
    service.script(says(ANSWER));
    const response = await ask({ prompt: PROMPT });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ model: "small-2", text: ANSWER, usage: USAGE });
    expect(service.asked.at(-1)).toMatchObject({
      authorization: `Bearer ${KEY}`,
      body: { model: "small", messages: [{ role: "user", content: PROMPT }] },
    });
  });

  test("may be messages with examples, for another model", async () => {
    service.script(says("NEGATIVE"));
    const messages = [
      { role: "system", content: "Say how it sounds" },
      { role: "user", content: "I like it" },
      { role: "assistant", content: "POSITIVE" },
      { role: "user", content: PROMPT },
    ];
    const response = await ask({ model: "big", messages });
    expect(await response.json()).toEqual({ model: "big-2", text: "NEGATIVE", usage: USAGE });
    expect(service.asked.at(-1)?.body.messages).toEqual(messages as never);
  });

  test("that is none is refused, and the service is not asked", async () => {
    const before = service.asked.length;
    const turn = { role: "user", content: PROMPT };
    const wrong: object[] = [
      {},
      { prompt: "" },
      { prompt: PROMPT, messages: [turn] },
      { messages: [] },
      { messages: [{ ...turn, role: "tool" }] },
      { messages: [{ ...turn, name: PROMPT }] },
      { messages: Array.from({ length: 201 }, () => turn) },
      { messages: Array.from({ length: 3 }, () => ({ ...turn, content: "a".repeat(100_000) })) },
      { prompt: "a".repeat(200_001) },
      { prompt: PROMPT, model: "" },
      { prompt: PROMPT, stream: "yes" },
      { prompt: PROMPT, temperature: 1 },
      { prompt: PROMPT, colour: PROMPT },
    ];
    for (const body of wrong) await problem(await ask(body), 422, "invalid");
    expect(service.asked.length).toBe(before);
  });

  test("of a stranger is not even looked at", async () => {
    const before = service.asked.length;
    await problem(await ask({ prompt: PROMPT }, {}), 401, "unauthorized");
    await problem(await ask({ colour: 1 }, {}), 401, "unauthorized");
    expect(service.asked.length).toBe(before);
  });

  test("is described in the documentation", async () => {
    const docs = (await (await fetch(`${app.url}/docs/json`)).json()) as {
      paths: Record<string, object>;
      components: { schemas: Record<string, object> };
    };
    for (const path of [
      "/v1/inference",
      "/v1/transcriptions/{id}/summary",
      "/v1/rooms/{room}/summary",
    ]) {
      expect(docs.paths[path]).toHaveProperty("post.summary");
    }
    expect(docs.components.schemas).toHaveProperty("Answer");
  });
});

describe("a streamed answer", () => {
  test("comes piece by piece and ends with the whole", async () => {
    service.script(streams(["Hel", "lo\n\n", "नमस्ते"]));
    const events = await Array.fromAsync(eventsOf(await ask({ prompt: PROMPT, stream: true })));
    expect(events).toEqual([
      { event: "delta", data: { text: "Hel" } },
      { event: "delta", data: { text: "lo\n\n" } },
      { event: "delta", data: { text: "नमस्ते" } },
      { event: "done", data: { model: "small-2", text: "Hello\n\nनमस्ते", usage: USAGE } },
    ]);
  });

  test("that fails before it begins has a status", async () => {
    service.script(fails(401));
    await problem(await ask({ prompt: PROMPT, stream: true }), 503, "llm_unavailable");
    await problem(await ask({ stream: true }), 422, "invalid");
  });

  for (const [name, rest] of [
    ["is cut", "cut"],
    ["becomes garbage", "data: {oops\n\n"],
    ["turns into an error", `data: {"error":{"message":"${SERVICE_SECRET} ${KEY}"}}\n\n`],
    ["is a piece without text", chunk({ content: 7 })],
  ] as const) {
    test(`that ${name} in the middle ends with an error that says nothing of the service`, async () => {
      service.script(streams(["half an "], rest));
      const events = await Array.fromAsync(eventsOf(await ask({ prompt: PROMPT, stream: true })));
      expect(events).toEqual([
        { event: "delta", data: { text: "half an " } },
        { event: "error", data: expect.objectContaining({ code: "llm_unavailable", status: 503 }) },
      ]);
      const told = JSON.stringify(events);
      for (const secret of [KEY, SERVICE_SECRET]) expect(told).not.toContain(secret);
    });
  }

  test("says now and then that it still comes", async () => {
    const waiting = Promise.withResolvers<void>();
    const response = await streamAnswer({
      open: async function* () {
        await waiting.promise;
        yield "Hi";
        return { model: "small", text: "Hi", usage: null };
      },
      request: new Request("http://earshot.example/"),
      log: createLog("silent"),
      silentMs: 10,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toStartWith(": ");
    waiting.resolve();
    let text = "";
    while (!text.includes("event: done")) text += (await reader?.read())?.value ?? "";
    expect(text).toContain('data: {"text":"Hi"}');
  });
});

describe("a service that fails", () => {
  test("in passing is asked again, and nobody notices", async () => {
    service.script(fails(500, { "retry-after": "0" }), says(ANSWER));
    expect((await ask({ prompt: PROMPT })).status).toBe(200);
    service.script(fails(500, { "retry-after": "0" }), streams(["Hi"]));
    expect((await ask({ prompt: PROMPT, stream: true })).status).toBe(200);
  });

  test("again and again is told as llm_unavailable", async () => {
    service.script(fails(500, { "retry-after": "0" }));
    await problem(await ask({ prompt: PROMPT }), 503, "llm_unavailable");
    service.script(fails(401));
    await problem(await ask({ prompt: PROMPT }), 503, "llm_unavailable");
    service.script(() => new Response("garbage"));
    await problem(await ask({ prompt: PROMPT }), 503, "llm_unavailable");
  });

  test("by its own limit is told as llm_rate_limited, and for how long", async () => {
    service.script(fails(429, { "retry-after": "1800" }));
    for (const stream of [false, true]) {
      const response = await ask({ prompt: PROMPT, stream });
      await problem(response, 429, "llm_rate_limited");
      expect(response.headers.get("retry-after")).toBe("1800");
    }
  });

  test("to know the model is told as a mistake in the request", async () => {
    service.script(fails(404));
    expect(await problem(await ask({ prompt: PROMPT, model: "huge" }), 422, "invalid")).toContain(
      "model",
    );
  });
});

describe("whoever leaves", () => {
  for (const [name, stream, reply] of [
    ["while waiting for the whole answer", false, hangs],
    ["while waiting for the first piece", true, hangs],
    ["in the middle of the answer", true, streams(["so far"], "open")],
  ] as const) {
    test(`${name} cancels it at the service, and frees the place`, async () => {
      service.script(reply);
      const headers = somebody();
      for (let times = 0; times < 6; times++) {
        const asked = service.asked.length;
        const left = new AbortController();
        const answer = fetch(`${app.url}/v1/inference`, {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify({ prompt: PROMPT, stream }),
          signal: left.signal,
        });
        await until(() => service.asked.length > asked);
        if (stream && reply !== hangs) for await (const _ of eventsOf(await answer)) break;
        left.abort();
        await answer.then(
          () => undefined,
          () => undefined,
        );
        await service.asked.at(-1)?.gone;
      }
    });
  }
});

describe("a user", () => {
  test("has four answers under way at most, and may ask again when one is there", async () => {
    const finish: (() => void)[] = [];
    service.script(async (asked) => {
      await new Promise<void>((resolve) => finish.push(resolve));
      return says(ANSWER)(asked);
    });
    const headers = somebody();
    const answers = Array.from({ length: 4 }, () => ask({ prompt: PROMPT }, headers));
    await until(() => finish.length === 4);
    const fifth = await ask({ prompt: PROMPT }, headers);
    await problem(fifth, 429, "llm_rate_limited");
    expect(Number(fifth.headers.get("retry-after"))).toBeGreaterThan(0);

    const other = ask({ prompt: PROMPT });
    await until(() => finish.length === 5);
    finish.shift()?.();
    await Promise.any(answers);
    const sixth = ask({ prompt: PROMPT }, headers);
    await until(() => finish.length === 5);
    for (const one of finish) one();
    for (const answer of [...answers, other, sixth]) expect((await answer).status).toBe(200);
  });

  test("has a quota of its own", async () => {
    service.script(says(ANSWER));
    const headers = somebody();
    let refused: Response | null = null;
    for (let times = 0; times < 100 && refused === null; times++) {
      const response = await ask({ prompt: PROMPT }, headers);
      if (response.status !== 200) refused = response;
    }
    if (refused === null) throw new Error("nothing was refused");
    await problem(refused, 429, "llm_rate_limited");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await ask({ prompt: PROMPT })).status).toBe(200);
  });
});

describe("a server", () => {
  test("without a service says so", async () => {
    const alone = await startTestApp();
    for (const stream of [false, true]) {
      const response = await postJson(`${alone.url}/v1/inference`, { prompt: PROMPT, stream });
      await problem(response, 503, "llm_unconfigured");
    }
    await alone.stop();
  });

  test("without a model of its own asks for one, and limits nobody when told so", async () => {
    service.script(says(ANSWER));
    const open = await startTestApp({ OPENAI_BASE_URL: service.url, RATE_LIMITS: "off" });
    const url = `${open.url}/v1/inference?user_id=1`;
    const response = await postJson(url, { prompt: PROMPT });
    expect(await problem(response, 422, "invalid")).toContain("LLM_MODEL");
    for (let times = 0; times < 80; times++) {
      expect((await postJson(url, { prompt: PROMPT, model: "big" })).status).toBe(200);
    }
    await open.stop();
  });

  test("that stops tells those who wait for an answer", async () => {
    service.script(streams(["so far"], "open"));
    const stopping = await startTestApp({ OPENAI_BASE_URL: service.url, LLM_MODEL: "small" });
    const url = `${stopping.url}/v1/inference`;
    const events = eventsOf(await postJson(url, { prompt: PROMPT, stream: true }));
    expect(await events.next()).toMatchObject({ value: { event: "delta" } });
    const stopped = stopping.stop();
    expect(await events.next()).toMatchObject({
      value: { event: "error", data: { code: "draining" } },
    });
    await service.asked.at(-1)?.gone;
    await stopped;
  });
});
