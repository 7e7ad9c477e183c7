import { afterEach, describe, expect, test } from "bun:test";
import type { Answer } from "../../../src/features/assistant/answers.ts";
import {
  Inference,
  type InferenceOptions,
  type InferenceSource,
} from "../../../src/features/assistant/inference.ts";
import { taskMessages } from "../../../src/features/assistant/messages.ts";
import { Problem } from "../../../src/http/problem.ts";
import {
  KEY,
  type ModelService,
  type Reply,
  SERVICE_SECRET,
  USAGE,
  WHOLE,
  babbles,
  chunk,
  fails,
  hangs,
  says,
  startModelService,
  streams,
} from "./model-service.ts";

let service: ModelService;
let stop: () => unknown = () => undefined;
afterEach(() => stop());

function open(replies: Reply[], options: InferenceOptions = {}, source = {}): Inference {
  service = startModelService(...replies);
  stop = service.stop;
  return new Inference(
    {
      baseUrl: service.url.replace("//", "//user:password@"),
      apiKey: KEY,
      model: "small",
      ...source,
    },
    { backoffMs: 1, ...options },
  );
}

const messages = taskMessages({ prompt: "a question" });
const ask = (inference: Inference) => inference.complete({ messages });

async function streamed(inference: Inference, signal?: AbortSignal) {
  const texts: string[] = [];
  const stream = inference.stream({ messages, signal });
  for (;;) {
    const next = await stream.next();
    if (next.done === true) return { texts, answer: next.value };
    texts.push(next.value);
  }
}

/** What it failed with; nothing of the key, the address or the service's words may be in it. */
async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  const problem = error as Problem;
  const told = `${problem.message} ${problem.stack} ${Bun.inspect(problem)}`;
  for (const secret of [KEY, "password", SERVICE_SECRET, "a question"]) {
    expect(told).not.toContain(secret);
  }
  return problem;
}

const usage: Answer["usage"] = { promptTokens: 7, completionTokens: 3, totalTokens: 10 };

describe("a question", () => {
  test("of one text is answered with one", async () => {
    const inference = open([says("an answer")]);
    expect(await inference.inference(null, "a question")).toBe("an answer");
    expect(await inference.inference("big", "a question")).toBe("an answer");
    expect(service.asked.map(({ body }) => body)).toEqual([
      { model: "small", messages: [{ role: "user", content: "a question" }] },
      { model: "big", messages: [{ role: "user", content: "a question" }] },
    ]);
    expect(service.asked[0]).toMatchObject({
      path: "/v1/chat/completions",
      authorization: `Bearer ${KEY}`,
    });
  });

  test("may have rules and examples, which are messages", async () => {
    const inference = open([says("POSITIVE")]);
    const examples = [
      { user: "I like it", assistant: "POSITIVE" },
      { user: "I hate it", assistant: "NEGATIVE" },
    ];
    const asked = taskMessages({ system: "Say how it sounds", examples, prompt: "Great!" });
    expect(await inference.complete({ messages: asked })).toEqual({
      model: "small-2",
      text: "POSITIVE",
      usage,
    });
    expect(service.asked[0]?.body.messages.map(({ role, content }) => [role, content])).toEqual([
      ["system", "Say how it sounds"],
      ["user", "I like it"],
      ["assistant", "POSITIVE"],
      ["user", "I hate it"],
      ["assistant", "NEGATIVE"],
      ["user", "Great!"],
    ]);
  });

  test("is answered piece by piece", async () => {
    const inference = open([streams(["Hel", "lo नमस्ते", "!"])]);
    expect(await streamed(inference)).toEqual({
      texts: ["Hel", "lo नमस्ते", "!"],
      answer: { model: "small-2", text: "Hello नमस्ते!", usage },
    });
    expect(service.asked[0]?.body).toMatchObject({ stream: true });
  });

  test("without a service or a model is told so, and nothing is sent", async () => {
    const without = new Inference(null);
    expect(without.isReady).toBe(false);
    expect((await problemOf(ask(without))).code).toBe("llm_unconfigured");
    expect((await problemOf(streamed(without))).code).toBe("llm_unconfigured");

    const inference = open([says("an answer")], {}, { model: null });
    expect(inference.isReady).toBe(false);
    const problem = await problemOf(ask(inference));
    expect(problem.code).toBe("invalid");
    expect(problem.message).toContain("LLM_MODEL");
    expect(service.asked).toHaveLength(0);
    expect(await inference.inference("big", "a question")).toBe("an answer");
  });

  test("needs no key where none is asked for", async () => {
    const inference = open([says("an answer")], {}, {
      apiKey: null,
    } satisfies Partial<InferenceSource>);
    expect((await ask(inference)).text).toBe("an answer");
  });

  test("that holds half a character is sent with whole ones", async () => {
    const inference = open([says("an answer")]);
    await inference.inference(null, "half \ud83d");
    expect(service.asked[0]?.body.messages[0]?.content).toBe("half \ufffd");
  });
});

describe("services that differ", () => {
  test("are streamed from without their usage when they refuse to tell it", async () => {
    const picky: Reply = (asked) =>
      "stream_options" in asked.body ? fails(400)(asked) : streams(["Hi"])(asked);
    const inference = open([picky]);
    expect((await streamed(inference)).answer.text).toBe("Hi");
    expect((await streamed(inference)).answer.text).toBe("Hi");
    const tried = service.asked.map(({ body }) => "stream_options" in body);
    expect(tried).toEqual([true, false, false]);
  });

  test("may tell usage in a field of their own, or not at all", async () => {
    const end = (more: object) =>
      `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }], ...more })}\n\n`;
    const inference = open([
      streams(["Hi"], end({ x_groq: { usage: USAGE } })),
      streams(["Hi"], end({})),
      streams(["Hi"], end({ usage: { prompt_tokens: -1, completion_tokens: "many" } })),
    ]);
    expect((await streamed(inference)).answer.usage).toEqual(usage);
    expect((await streamed(inference)).answer.usage).toBeNull();
    expect((await streamed(inference)).answer.usage).toBeNull();
  });

  test("may think aloud, which is no part of the answer", async () => {
    const thinking = () =>
      new Response(chunk({ reasoning_content: "hm" }) + chunk({ content: "Hi" }) + WHOLE);
    expect((await streamed(open([thinking]))).texts).toEqual(["Hi"]);
  });
});

describe("failures", () => {
  const told: [number, string, string][] = [
    [401, "llm_unavailable", "refused the key (401)"],
    [403, "llm_unavailable", "does not allow this (403)"],
    [404, "llm_unavailable", "has no such model or address (404)"],
    [413, "invalid", "refused the request (413)"],
    [307, "llm_unavailable", "is not at this address (307)"],
  ];
  for (const [status, code, message] of told) {
    test(`${status} is told and not tried again`, async () => {
      for (const send of [ask, streamed]) {
        const inference = open([fails(status, { location: "/elsewhere" })]);
        const problem = await problemOf(send(inference));
        expect(problem.code).toBe(code as Problem["code"]);
        expect(problem.message).toBe(`The language model's service ${message}`);
        expect(service.asked).toHaveLength(1);
        await service.stop();
      }
    });
  }

  test("a model that is not there is the mistake of whoever named it", async () => {
    const inference = open([fails(404)]);
    const problem = await problemOf(inference.complete({ model: "huge", messages }));
    expect(problem.code).toBe("invalid");
  });

  for (const status of [408, 500, 503]) {
    test(`${status} is tried again, three times in all`, async () => {
      const inference = open([fails(status), says("an answer")]);
      expect((await ask(inference)).text).toBe("an answer");
      service.script(fails(status), streams(["an", " answer"]));
      expect((await streamed(inference)).answer.text).toBe("an answer");
      service.script(fails(status, { "retry-after": "0" }));
      const before = service.asked.length;
      expect(await problemOf(ask(inference))).toMatchObject({
        code: "llm_unavailable",
        message: `The language model's service failed (${status})`,
      });
      expect(service.asked.length - before).toBe(3);
    });
  }

  test("a full service is asked again after as long as it says", async () => {
    const full = [
      fails(429, { "retry-after": "0" }),
      fails(429, { "retry-after": "9999", "retry-after-ms": "1" }),
      says("an answer"),
    ];
    expect((await ask(open(full, { backoffMs: 1e9 }))).text).toBe("an answer");
    expect(service.asked).toHaveLength(3);
  });

  test("a service that stays full is told with its own time", async () => {
    for (const [said, expected] of [
      ["7200", 7_200_000],
      ["9".repeat(40), 86_400_000],
      ["soon", 10_000],
    ] as const) {
      const options = said === "soon" ? { retriesMax: 0 } : {};
      const inference = open([fails(429, { "retry-after": said })], options);
      const problem = await problemOf(ask(inference));
      expect(problem.code).toBe("llm_rate_limited");
      expect(problem.extras.retryAfterMs).toBe(expected);
      expect(service.asked).toHaveLength(1);
      await service.stop();
    }
  });

  test("a service that never answers is left in time, and told", async () => {
    for (const send of [ask, streamed]) {
      const inference = open([hangs], { deadlineMs: 100 });
      const problem = await problemOf(send(inference));
      expect(problem.code).toBe("llm_unavailable");
      expect(problem.message).toBe("The language model's service did not answer in 0.1 s");
      expect(service.asked).toHaveLength(1);
      await service.asked[0]?.gone;
      await service.stop();
    }
  });

  test("a service that begins and never ends is left in time, and told", async () => {
    const inference = open([streams(["so far"], "open")], { deadlineMs: 200 });
    const stream = inference.stream({ messages });
    expect(await stream.next()).toEqual({ done: false, value: "so far" });
    expect((await problemOf(stream.next())).message).toContain("did not answer in 0.2 s");
    await service.asked[0]?.gone;
  });

  test("an answer that breaks off is never taken for a whole one", async () => {
    const inference = open([streams(["half an"], "cut")]);
    const stream = inference.stream({ messages });
    expect((await stream.next()).value).toBe("half an");
    const problem = await problemOf(stream.next());
    expect(problem).toMatchObject({
      code: "llm_unavailable",
      message: "The language model's service broke off in the middle of its answer",
    });
  });

  test("a connection that breaks is tried again until the answer has begun", async () => {
    let connections = 0;
    const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const piece = chunk({ content: "half an" });
    const raw = Bun.listen({
      port: 0,
      hostname: "127.0.0.1",
      socket: {
        data: (socket) => {
          if (connections++ === 2)
            socket.write(`${head}${piece.length.toString(16)}\r\n${piece}\r\n`);
          socket.end();
        },
      },
    });
    stop = () => raw.stop(true);
    const baseUrl = `http://127.0.0.1:${raw.port}/v1`;
    const inference = new Inference({ baseUrl, apiKey: null, model: "small" }, { backoffMs: 1 });
    const problem = await problemOf(streamed(inference));
    expect(problem.message).toBe(
      "The language model's service broke off in the middle of its answer",
    );
    expect(connections).toBe(3);

    const unanswered = await problemOf(ask(inference));
    expect(unanswered.message).toBe("The language model's service cannot be reached");
  });

  test("a service that says in mid-stream that it failed is believed", async () => {
    const failed = `event: error\ndata: {"error":{"message":"${SERVICE_SECRET}"}}\n\n`;
    const problem = await problemOf(streamed(open([streams(["half an"], failed)])));
    expect(problem.code).toBe("llm_unavailable");
  });

  const useless: [string, () => Response][] = [
    ["no JSON", () => new Response("<html>")],
    ["nothing", () => new Response("")],
    ["null", () => Response.json(null)],
    ["no choices", () => Response.json({ choices: [] })],
    ["no text", () => Response.json({ choices: [{ message: { content: null } }] })],
    ["text that is none", () => Response.json({ choices: [{ message: { content: 7 } }] })],
    [
      "text without end",
      () => Response.json({ choices: [{ message: { content: "a".repeat(200_001) } }] }),
    ],
    ["a line without end", () => new Response("a".repeat(3 * 1024 * 1024))],
    ["more bytes than are read", () => new Response("a\n".repeat(9 * 1024 * 1024))],
  ];
  for (const [name, reply] of useless) {
    test(`${name} is no answer`, async () => {
      const inference = open([reply]);
      const problem = await problemOf(ask(inference));
      expect(problem.message).toBe("The language model's service gave no usable answer");
      expect(service.asked).toHaveLength(1);
      expect((await problemOf(streamed(inference))).code).toBe("llm_unavailable");
    });
  }

  for (const [name, garbage] of [
    ["garbage", "data: {oops\n\n"],
    ["a piece that is none", "data: 7\n\n"],
    ["a piece whose text is none", chunk({ content: {} })],
  ] as const) {
    test(`${name} in mid-stream ends it`, async () => {
      const inference = open([streams(["half an"], garbage + WHOLE)]);
      expect((await problemOf(streamed(inference))).code).toBe("llm_unavailable");
    });
  }

  test("an answer without end is cut, and the service is told", async () => {
    const problem = await problemOf(streamed(open([babbles])));
    expect(problem.message).toBe("The language model's service gave no usable answer");
    await service.asked[0]?.gone;
  });
});

describe("whoever leaves", () => {
  const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : error),
    );

  test("before asking asks nothing", async () => {
    const inference = open([says("an answer")]);
    const signal = AbortSignal.abort(new Error("left"));
    expect(await reasonOf(inference.complete({ messages, signal }))).toBe("left");
    expect(await reasonOf(streamed(inference, signal))).toBe("left");
    expect(service.asked).toHaveLength(0);
  });

  test("while waiting for the answer, or for another attempt, cancels it", async () => {
    for (const reply of [hangs, fails(503, { "retry-after": "60" })]) {
      const left = new AbortController();
      const inference = open([
        (asked) => {
          setTimeout(() => left.abort(new Error("left")), 20);
          return reply(asked);
        },
      ]);
      expect(await reasonOf(inference.complete({ messages, signal: left.signal }))).toBe("left");
      if (reply === hangs) await service.asked[0]?.gone;
      expect(service.asked).toHaveLength(1);
      await service.stop();
    }
  });

  test("in the middle of the answer cancels it", async () => {
    const left = new AbortController();
    const inference = open([streams(["so far"], "open")]);
    const stream = inference.stream({ messages, signal: left.signal });
    await stream.next();
    const next = stream.next();
    left.abort(new Error("left"));
    expect(await reasonOf(next)).toBe("left");
    await service.asked[0]?.gone;
  });

  test("by reading no further cancels it", async () => {
    const inference = open([streams(["so far"], "open")]);
    for await (const text of inference.stream({ messages })) {
      expect(text).toBe("so far");
      break;
    }
    await service.asked[0]?.gone;
  });
});

describe("a closed model", () => {
  test("ends what is under way and answers nothing more", async () => {
    const inference = open([streams(["so far"], "open"), hangs]);
    const stream = inference.stream({ messages });
    await stream.next();
    const [next, answer] = [problemOf(stream.next()), problemOf(ask(inference))];
    while (service.asked.length < 2) await Bun.sleep(1);
    inference.close();
    expect((await next).code).toBe("draining");
    expect((await answer).code).toBe("draining");
    for (const { gone } of service.asked) await gone;
    expect((await problemOf(ask(inference))).code).toBe("draining");
    expect(service.asked).toHaveLength(2);
  });
});
