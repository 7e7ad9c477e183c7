import { afterEach, describe, expect, test } from "bun:test";
import type { OneShotEngine } from "../../src/speech/engine.ts";
import { ServiceFailed } from "../../src/speech/engine.ts";
import { type OpenAiOptions, RESPONSE_BYTES_MAX, openOpenAi } from "../../src/speech/openai.ts";
import { createWavParser } from "../../src/speech/wav.ts";

const KEY = "sk-a-very-secret-key";
const BODY_SECRET = "the body of the service";
const SECOND = new Float32Array(16_000).fill(0.25);

interface Asked {
  path: string;
  authorization: string | null;
  fields: Record<string, string>;
  wav: Uint8Array;
}

type Answer = (asked: Asked, signal: AbortSignal) => Response | Promise<Response>;

let stop: () => Promise<void> = async () => {};
afterEach(() => stop());

const ok = (answer: object): Response => Response.json(answer);
const failed =
  (status: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(`{"error":{"message":"${BODY_SECRET} ${KEY}"}}`, { status, headers });

/** A service that answers as scripted, the last answer again and again. */
function serve(...script: Answer[]): { asked: Asked[]; url: string } {
  const asked: Asked[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const form = await request.formData();
      const file = form.get("file");
      const wav = file instanceof Blob ? await file.bytes() : new Uint8Array();
      const fields = [...form].flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value] as const] : [],
      );
      const one = {
        path: new URL(request.url).pathname,
        authorization: request.headers.get("authorization"),
        fields: Object.fromEntries(fields),
        wav,
      };
      const answer = script[Math.min(asked.length, script.length - 1)];
      asked.push(one);
      return answer?.(one, request.signal) ?? new Response(null, { status: 500 });
    },
  });
  stop = () => server.stop(true);
  return { asked, url: `http://user:password@127.0.0.1:${server.port}/v1` };
}

function open(url: string, options: OpenAiOptions = {}): OneShotEngine {
  const source = { engine: "openai", baseUrl: url, apiKey: KEY, model: "whisper-1" } as const;
  return openOpenAi(source, { backoffMs: 1, ...options });
}

function transcribe(engine: OneShotEngine, language: string | null = null, samples = SECOND) {
  return engine.transcribe(samples, language, new AbortController().signal);
}

/** What it failed with; nothing of the key, the address or the service's words may be in it. */
async function failureOf(promise: Promise<unknown>): Promise<ServiceFailed> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ServiceFailed);
  const failure = error as ServiceFailed;
  const told = `${failure.message} ${failure.stack} ${Bun.inspect(failure)}`;
  for (const secret of [KEY, "password", BODY_SECRET]) expect(told).not.toContain(secret);
  return failure;
}

describe("a service that knows word times", () => {
  const verbose = {
    text: " hello there ",
    language: "hindi",
    words: [
      { word: "hello", start: 0.1, end: 0.4 },
      { word: "there", start: 0.4, end: 3 },
    ],
  };

  test("gives words within the sound, and the language as a tag", async () => {
    const { url, asked } = serve(() => ok(verbose));
    const heard = await transcribe(open(url), "hi-IN");
    expect(heard).toEqual({
      text: "hello there",
      language: "hi",
      words: [
        { word: "hello", startMs: 100, endMs: 400, confidence: null },
        { word: "there", startMs: 400, endMs: 1000, confidence: null },
      ],
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      path: "/v1/audio/transcriptions",
      authorization: `Bearer ${KEY}`,
      fields: { model: "whisper-1", language: "hi", response_format: "verbose_json" },
    });
  });

  test("is sent a WAV file of the samples", async () => {
    const { url, asked } = serve(() => ok(verbose));
    await transcribe(open(url));
    const wav = createWavParser().push(asked[0]?.wav ?? new Uint8Array());
    expect(wav?.format).toMatchObject({ encoding: "pcm_s16le", sampleRate: 16_000, channels: 1 });
    expect(wav?.audio.length).toBe(2 * SECOND.length);
    expect(new Int16Array(wav?.audio.slice(0, 4).buffer ?? new ArrayBuffer())).toEqual(
      Int16Array.of(8192, 8192),
    );
    expect(asked[0]?.fields).not.toHaveProperty("language");
  });

  test("is not sent less than a tenth of a second", async () => {
    const { url, asked } = serve(() => ok({ text: "" }));
    await transcribe(open(url), null, new Float32Array(10));
    expect(asked[0]?.wav.length).toBeGreaterThan(44 + 2 * 1600);
  });
});

describe("a service without word times", () => {
  for (const status of [400, 422]) {
    test(`is asked for the text alone after ${status}, and from then on at once`, async () => {
      const { url, asked } = serve((one, signal) =>
        one.fields["response_format"] === "json"
          ? ok({ text: "hello" })
          : failed(status)(one, signal),
      );
      const engine = open(url);
      expect(await transcribe(engine)).toEqual({ text: "hello", words: [] });
      expect(await transcribe(engine)).toEqual({ text: "hello", words: [] });
      const formats = asked.map(({ fields }) => fields["response_format"]);
      expect(formats).toEqual(["verbose_json", "json", "json"]);
    });
  }

  test("is not given up on because of one sound that it refuses altogether", async () => {
    const { url, asked } = serve(failed(400), failed(400), () => ok({ text: "hello" }));
    const engine = open(url);
    const failure = await failureOf(transcribe(engine));
    expect(failure).toMatchObject({ isPassing: false });
    await transcribe(engine);
    expect(asked.at(-1)?.fields["response_format"]).toBe("verbose_json");
  });
});

describe("failures", () => {
  for (const [status, message] of [
    [401, "the speech service refused the key (401)"],
    [403, "the speech service does not allow this (403)"],
    [404, "the speech service has no such address or model (404)"],
  ] as const) {
    test(`${status} is told and not tried again`, async () => {
      const { url, asked } = serve(failed(status));
      const failure = await failureOf(transcribe(open(url)));
      expect(failure).toMatchObject({ message, isPassing: false });
      expect(asked).toHaveLength(1);
    });
  }

  test("a full service is asked again after as long as it says", async () => {
    const { url, asked } = serve(failed(429, { "retry-after": "0" }), () => ok({ text: "hello" }));
    expect(await transcribe(open(url, { backoffMs: 1e9 }))).toMatchObject({ text: "hello" });
    expect(asked).toHaveLength(2);
  });

  test("a service that stays full is told with its own time", async () => {
    const { url, asked } = serve(failed(429, { "retry-after": "7200" }));
    const failure = await failureOf(transcribe(open(url)));
    expect(failure).toMatchObject({
      message: "the speech service is over its limit (429)",
      isPassing: true,
      retryAfterMs: 7_200_000,
    });
    expect(asked).toHaveLength(1);
  });

  for (const status of [408, 500, 503]) {
    test(`${status} is tried three times`, async () => {
      const { url, asked } = serve(failed(status));
      const failure = await failureOf(transcribe(open(url)));
      const message = `the speech service failed (${status})`;
      expect(failure).toMatchObject({ message, isPassing: true });
      expect(asked).toHaveLength(3);
    });
  }

  test("a redirection is not followed", async () => {
    const { url, asked } = serve(() => Response.redirect("/elsewhere", 307));
    await failureOf(transcribe(open(url)));
    expect(asked).toHaveLength(1);
  });

  test("a service that never answers is left in time", async () => {
    const { url, asked } = serve(() => new Promise<Response>(() => {}));
    const options = { attemptMs: 100, deadlineMs: 10_000, retriesMax: 1 };
    const failure = await failureOf(transcribe(open(url, options)));
    const message = "the speech service did not answer in 0.1 s";
    expect(failure).toMatchObject({ message, isPassing: true });
    expect(asked).toHaveLength(2);
  });

  test("a service that never ends its answer is left in time", async () => {
    const endless = () =>
      new Response(new ReadableStream({ start: (it) => it.enqueue(Buffer.from('{"text":"')) }));
    const { url } = serve(endless);
    const failure = await failureOf(transcribe(open(url, { attemptMs: 100, retriesMax: 0 })));
    expect(failure).toMatchObject({ isPassing: true });
  });

  test("one deadline holds for all attempts", async () => {
    const { url, asked } = serve(() => new Promise<Response>(() => {}));
    const options = { attemptMs: 10_000, deadlineMs: 100, retriesMax: 50 };
    await failureOf(transcribe(open(url, options)));
    expect(asked).toHaveLength(1);
  });

  test("a connection that breaks is tried again", async () => {
    let connections = 0;
    const server = Bun.listen({
      port: 0,
      hostname: "127.0.0.1",
      socket: {
        open: () => void connections++,
        data: (socket) => void socket.end(),
      },
    });
    stop = async () => server.stop(true);
    const failure = await failureOf(transcribe(open(`http://127.0.0.1:${server.port}/v1`)));
    expect(failure).toMatchObject({
      message: "the speech service cannot be reached",
      isPassing: true,
    });
    expect(connections).toBeGreaterThanOrEqual(3);
  });

  test("nobody is asked for words that nobody waits for", async () => {
    const { url, asked } = serve(() => ok({ text: "hello" }));
    await failureOf(open(url).transcribe(SECOND, null, AbortSignal.abort()));
    expect(asked).toHaveLength(0);
  });

  test("a request is dropped when nobody waits any more", async () => {
    const controller = new AbortController();
    const { url, asked } = serve(() => {
      controller.abort();
      return new Promise<Response>(() => {});
    });
    await failureOf(open(url).transcribe(SECOND, null, controller.signal));
    expect(asked).toHaveLength(1);
  });
});

describe("answers that are of no use", () => {
  const word = (start: unknown, end: unknown) => ({
    text: "a",
    words: [{ word: "a", start, end }],
  });
  const answers: [string, () => Response][] = [
    ["no JSON", () => new Response("<html>")],
    ["nothing", () => new Response("")],
    ["a list", () => Response.json([])],
    ["null", () => Response.json(null)],
    ["no text", () => ok({})],
    ["text that is none", () => ok({ text: 7 })],
    ["text without end", () => ok({ text: "a".repeat(2_000) })],
    ["more bytes than are read", () => new Response(new Uint8Array(RESPONSE_BYTES_MAX + 1))],
    ["words that are none", () => ok({ text: "a", words: "a" })],
    ["a word that is none", () => ok({ text: "a", words: [null] })],
    ["a time that is none", () => ok(word("0", 1))],
    ["a time before the sound", () => ok(word(-1, 1))],
    ["a word that ends before it begins", () => ok(word(0.5, 0.1))],
  ];
  for (const [name, answer] of answers) {
    test(name, async () => {
      const { url, asked } = serve(answer);
      const failure = await failureOf(transcribe(open(url)));
      expect(failure.message).toBe("the speech service gave no usable answer");
      expect(asked).toHaveLength(1);
    });
  }
});

test("a service that asks for no key needs none", async () => {
  const { url } = serve(() => ok({ text: "hello" }));
  const source = { engine: "openai", baseUrl: url, apiKey: null, model: "small" } as const;
  expect(await transcribe(openOpenAi(source))).toMatchObject({ text: "hello" });
});
