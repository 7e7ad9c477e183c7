import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { APIError, APIUserAbortError } from "openai";
import { createTokens } from "../../../src/http/tokens.ts";
import { type TestApp, startTestApp, until } from "../../support/app.ts";
import {
  cut,
  speak,
  speech,
  startHearingApp,
  wavFile,
  wordsIn,
  written,
} from "../../support/speaker.ts";
import { startListeningApp } from "../../support/listening.ts";
import { hasVosk, recording } from "../../support/sound.ts";

const FIXTURES = join(import.meta.dir, "../../fixtures");
const PATH = "/v1/audio/transcriptions";
const SECRET = "the secret of these tests, long enough";
const BOUNDARY = "a-boundary";
const FORM_TYPE = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
/** One recogniser, and those that may wait. */
const PLACES = 9;

type Bytes = Uint8Array<ArrayBuffer>;

function clientOf(app: { url: string }, apiKey = "any-key"): OpenAI {
  return new OpenAI({ baseURL: `${app.url}/v1`, apiKey, maxRetries: 0 });
}

/** Two utterances of the recording, and a part of the first. */
const [SAID, SHORT] = hasVosk
  ? [wavFile(written(speech(700, 5_000))), wavFile(written(speech(800, 1_800)))]
  : [wavFile(new Uint8Array()), wavFile(new Uint8Array())];

function fileOf(bytes: Bytes = SHORT, name = "speech.wav"): File {
  return new File([bytes], name);
}

/** The recording again and again. */
function longSpeech(times: number): Bytes {
  const sound = recording().subarray(44);
  const whole = new Uint8Array(sound.length * times);
  for (let at = 0; at < times; at++) whole.set(sound, at * sound.length);
  return wavFile(whole);
}

/** The error that an answer of OpenAI's client holds. */
async function refused(answer: PromiseLike<unknown>): Promise<APIError> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

function part(name: string, value: string, more = ""): string {
  return `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
}

const ENDING = `--${BOUNDARY}--\r\n`;

function formOf(fields: Record<string, string>, file: Bytes = SHORT): Bytes {
  const head = Object.entries(fields).map(([name, value]) => part(name, value));
  const opening = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`;
  return new Uint8Array(
    Buffer.concat([Buffer.from(head.join("") + opening), file, Buffer.from(`\r\n${ENDING}`)]),
  );
}

function post(
  app: { url: string },
  body: Bytes | string | ReadableStream<Uint8Array>,
  headers: object = FORM_TYPE,
): Promise<Response> {
  return fetch(app.url + PATH, { method: "POST", headers: { ...headers }, body });
}

/** Files without a name that uploads still hold open, and names in their folder. */
function leftovers(app: TestApp): string[] {
  const folder = join(app.folder, "earshot.db-uploads");
  const descriptors = `/proc/${app.pid}/fd`;
  const open = existsSync(descriptors)
    ? readdirSync(descriptors).flatMap((fd) => {
        try {
          return readlinkSync(join(descriptors, fd));
        } catch {
          return [];
        }
      })
    : [];
  return [...readdirSync(folder), ...open.filter((path) => path.startsWith(folder))];
}

describe.skipIf(!hasVosk)("a sound file, with OpenAI's own client (needs the recogniser)", () => {
  let app: TestApp;
  let client: OpenAI;
  let spoken: string;
  let brief: string;
  beforeAll(async () => {
    app = await startHearingApp({ SPEECH_WORKERS: "1" });
    client = clientOf(app);
    const [said, short] = await Promise.all(
      [SAID, SHORT].map(async (file) => speak(app, cut(file), { encoding: "wav" })),
    );
    spoken = wordsIn(said ?? []).replaceAll("\n", " ");
    brief = wordsIn(short ?? []);
  });
  afterAll(() => app.stop());

  /** The short one, unless another file is given. */
  const create = (more: object = {}, file = fileOf()) =>
    client.audio.transcriptions.create({ file, model: "whisper-1", ...more });

  test("gives the words that the socket gives, and how long it is", async () => {
    const { text, usage } = await create();
    expect(text).toBe(brief);
    expect(brief).not.toBe("");
    expect(usage).toEqual({ type: "duration", seconds: 1 });
  });

  test("gives segments with times and probabilities", async () => {
    const answer = await client.audio.transcriptions.create({
      file: fileOf(SAID),
      model: "whisper-1",
      response_format: "verbose_json",
      temperature: 0.5,
      prompt: "digits",
    });
    expect(spoken).toContain("no no two one oh");
    expect(answer).toMatchObject({ language: "english", duration: 4.3, text: spoken });
    expect(answer).toMatchObject({ task: "transcribe" });
    expect(answer.words).toBeUndefined();
    const segments = answer.segments ?? [];
    expect(segments.map(({ id }) => id)).toEqual(segments.map((_, at) => at));
    expect(segments.map(({ text }) => text).join("")).toBe(` ${spoken}`);
    let before = 0;
    for (const { start, end, avg_logprob, temperature, tokens, ...rest } of segments) {
      expect(start).toBeGreaterThanOrEqual(before);
      expect(end).toBeGreaterThan(start);
      before = end;
      expect(avg_logprob).toBeLessThanOrEqual(0);
      expect(avg_logprob).toBeGreaterThan(-14);
      expect({ temperature, tokens }).toEqual({ temperature: 0.5, tokens: [] });
      expect(rest.compression_ratio).toBeGreaterThan(0);
      expect(rest.no_speech_prob).toBe(0);
      expect(rest.seek).toBe(Math.round(start * 100));
    }
    expect(before).toBeLessThanOrEqual(4.4);
  });

  test("gives each word's time when that is asked for", async () => {
    const ask = (timestamp_granularities: ("word" | "segment")[]) =>
      client.audio.transcriptions.create({
        file: fileOf(),
        model: "whisper-1",
        response_format: "verbose_json",
        timestamp_granularities,
      });
    const { words = [], segments } = await ask(["word"]);
    expect(segments).toBeUndefined();
    expect(words.map(({ word }) => word).join(" ")).toBe(brief);
    for (const { start, end } of words) expect(end).toBeGreaterThan(start);
    const both = await ask(["word", "segment"]);
    expect(both.words).toEqual(words);
    expect(both.segments?.length).toBeGreaterThan(0);
  });

  test("is told utterance by utterance when streamed", async () => {
    const events = await client.audio.transcriptions.create({
      file: fileOf(SAID),
      model: "gpt-4o-mini-transcribe",
      stream: true,
    });
    const deltas: string[] = [];
    let whole = "";
    for await (const event of events) {
      if (event.type === "transcript.text.delta") deltas.push(event.delta);
      if (event.type !== "transcript.text.done") continue;
      whole = event.text;
      expect(event.usage as unknown).toEqual({ type: "duration", seconds: 4.3 });
    }
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join("")).toBe(whole);
    expect(whole).toBe(spoken);
  });

  test("of silence has no words", async () => {
    const file = fileOf(silence(8_000, 1_000));
    expect(await create({}, file)).toMatchObject({ text: "" });
    const answer = await create({ response_format: "verbose_json" }, file);
    expect(answer).toMatchObject({ text: "", language: "english", segments: [], duration: 1 });
  });

  test("is recognised in the language that is asked for, in each way to write it", async () => {
    for (const language of ["en-US", ""]) {
      expect(await create({ language })).toMatchObject({ text: brief });
    }
    const hindi = await refused(create({ language: "hi" }));
    expect(hindi).toMatchObject({ status: 422, param: "language" });
    expect(hindi.message).toContain("earshot models pull");
    expect(await refused(create({ language: "!" }))).toMatchObject({ param: "language" });
  });

  test("is recognised by any model that is listed", async () => {
    const models = await Array.fromAsync(client.models.list());
    expect(models.length).toBeGreaterThan(0);
    for (const { id, object, owned_by, created } of models) {
      expect({ object, owned_by }).toEqual({ object: "model", owned_by: "vosk" });
      expect(Number.isInteger(created)).toBe(true);
      expect(await client.models.retrieve(id)).toMatchObject({ id });
      expect(await create({ model: id })).toMatchObject({ text: brief });
    }
    const unknown = { status: 404, code: "model_not_found", param: "model" };
    expect(await refused(create({ model: "of nobody" }))).toMatchObject(unknown);
    expect(await refused(client.models.retrieve("of/nobody"))).toMatchObject(unknown);
  });

  test("is refused with a field that makes no sense, and the field is named", async () => {
    const wrong: [object, string][] = [
      [{ response_format: "diarized_json" }, "response_format"],
      [{ temperature: 2 }, "temperature"],
      [{ timestamp_granularities: ["word"] }, "timestamp_granularities"],
      [
        { response_format: "verbose_json", timestamp_granularities: ["letter"] },
        "timestamp_granularities",
      ],
      [{ response_format: "srt", stream: true }, "stream"],
      [{ model: "" }, "model"],
    ];
    for (const [more, param] of wrong) {
      const error = await refused(create(more));
      expect(error).toMatchObject({ status: 422, code: "invalid", param });
      expect(error.message).toContain(param);
    }
  });

  test("that is none is refused, and the kinds that are read are named", async () => {
    for (const stream of [false, true]) {
      const error = await refused(create({ stream }, fileOf(new Uint8Array(5_000).fill(65))));
      expect(error).toMatchObject({ status: 422, param: "file" });
      expect(error.message).toMatch(/WAV.*MP3.*FLAC/);
    }
  });

  test("in a form that is broken is refused as the sender's mistake", async () => {
    const whole = formOf({ model: "whisper-1" });
    const model = part("model", "whisper-1");
    const named = `; filename="a.wav"`;
    const bodies: [string | Bytes, object?][] = [
      [whole.subarray(0, whole.length - ENDING.length - 2)],
      [whole.subarray(0, whole.length - 100)],
      [whole.subarray(0, 40)],
      [whole.subarray(3)],
      [new Uint8Array(0)],
      [ENDING],
      [model + ENDING],
      [model + part("file", "no file") + ENDING],
      [model + part("file", "", named) + ENDING],
      [model + part("file", "one", named) + part("file", "two", named) + ENDING],
      [model + part("", "nameless", named) + ENDING],
      [`${model}--${BOUNDARY}\r\nno header\r\n\r\n${ENDING}`],
      [model + part("prompt", "x".repeat(65 * 1024)) + part("file", "one", named) + ENDING],
      [model + part("more", "x").repeat(16) + part("file", "one", named) + ENDING],
      [model + part("other", "x", named).repeat(5) + ENDING],
      [`--${BOUNDARY}\r\n${"x-long: y\r\n".repeat(5_000)}\r\n${ENDING}`],
      [whole, { "content-type": "multipart/form-data; boundary=another" }],
      [whole, { "content-type": "multipart/form-data" }],
      [whole, { "content-type": "multipart/mixed; boundary=a-boundary" }],
      [whole, { "content-type": "application/octet-stream" }],
      ["file=1&model=whisper-1", { "content-type": "application/x-www-form-urlencoded" }],
      [`{"model":"whisper-1"}`, { "content-type": "application/json" }],
      ["{", { "content-type": "application/json" }],
      [whole, { "content-type": "" }],
    ];
    for (const [body, headers = FORM_TYPE] of bodies) {
      const response = await post(app, body, headers);
      const answer = (await response.json()) as { code: string; error: { message: string } };
      expect([400, 422]).toContain(response.status);
      expect(answer.code).toBe("invalid");
      expect(answer.error.message.length).toBeGreaterThan(5);
    }
    expect(app.lines.filter((line) => line.includes(`"error"`))).toEqual([]);
  });

  test("that announces too much is refused before it comes", async () => {
    const { hostname, port } = new URL(app.url);
    const answer = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_socket, bytes) => answer.resolve(bytes.toString()),
        close: () => answer.reject(new Error("it was closed")),
      },
    });
    const type = FORM_TYPE["content-type"];
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: ${type}\r\ncontent-length: 3000000000\r\n\r\n`,
    );
    expect(await answer.promise).toMatch(/^HTTP\/1.1 413[^]*"code":"too_large"[^]*"error":/);
    socket.end();
  });

  test("leaves nothing on the disk", async () => {
    await until(() => leftovers(app).length === 0);
  });
});

// What becomes of files before they are recognised is the same whoever recognises them.
describe.skipIf(!hasVosk)("a sound file (needs the recogniser)", () => {
  let app: TestApp;
  let client: OpenAI;
  let brief: string;
  beforeAll(async () => {
    ({ app } = await startListeningApp());
    client = clientOf(app);
    brief = (await create()).text;
    expect(brief).toStartWith("heard ");
  });
  afterAll(() => app.stop());

  const create = (more: object = {}, file = fileOf()) =>
    client.audio.transcriptions.create({ file, model: "whisper-1", ...more });

  test("may be of every kind that is read, whatever its name says", async () => {
    const names = readdirSync(FIXTURES).filter((name) => name.startsWith("speech"));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) {
      const file = fileOf(new Uint8Array(readFileSync(join(FIXTURES, name))), "unknown_file");
      const { text, usage } = await create({}, file);
      const { seconds } = usage as OpenAI.Audio.Transcription.Duration;
      expect([name, seconds >= 1 && seconds < 3.1]).toEqual([name, true]);
      // The first word is spoken at the end of the first second: its sound came to the recogniser.
      if (seconds > 1.1) expect([name, text]).toEqual([name, expect.stringContaining("heard")]);
    }
  });

  test("gives plain text and subtitles, each as what it is", async () => {
    const ask = (response_format: "text" | "srt" | "vtt"): PromiseLike<string> =>
      client.audio.transcriptions.create({
        file: fileOf(),
        model: "whisper-1",
        response_format,
      });
    expect(await ask("text")).toBe(brief);
    expect(await ask("srt")).toStartWith("1\n00:00:00,");
    expect(await ask("vtt")).toStartWith("WEBVTT\n\n00:00:00.");
    const types = { text: "text/plain", srt: "application/x-subrip", vtt: "text/vtt" };
    for (const [format, type] of Object.entries(types)) {
      const { headers } = await post(
        app,
        formOf({ model: "whisper-1", response_format: format }, silence(8_000, 100)),
      );
      expect(headers.get("content-type")).toBe(`${type}; charset=utf-8`);
    }
  });

  test("arrives whole however the form is cut into pieces", async () => {
    const expected = await (await post(app, formOf({ model: "whisper-1" }, SHORT))).text();
    // Pieces of a prime length end at every place of the boundaries sooner or later.
    for (const length of [1, 7, 4_093]) {
      const form = formOf({ model: "whisper-1" }, length === 1 ? silence(8_000, 50) : SHORT);
      let at = 0;
      const body = new ReadableStream<Bytes>({
        pull: (controller) => {
          if (at >= form.length) return controller.close();
          controller.enqueue(form.slice(at, at + length));
          at += length;
        },
      });
      const response = await post(app, body);
      expect(response.status).toBe(200);
      if (length > 1) expect(await response.text()).toBe(expected);
    }
  });

  test("comes with fields that nobody knows, or that cannot be used", async () => {
    const more = { include: ["logprobs"], chunking_strategy: "auto", colour: "blue" };
    expect(await create(more)).toMatchObject({ text: brief });
  });

  test("that breaks in its middle ends a stream with an error, after the words before", async () => {
    const read = (name: string): Buffer => readFileSync(join(FIXTURES, name));
    const opus = read("speech.opus");
    const file = fileOf(new Uint8Array(Buffer.concat([opus, opus, opus, read("speech.ogg")])));
    const model = "whisper-1";
    const events = await client.audio.transcriptions.create({ file, model, stream: true });
    const types: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const { type } of events) types.push(type);
    };
    const error = await refused(reading());
    expect(error.message).toContain("sample rate");
    expect(error.param).toBe("file");
    expect(new Set(types)).toEqual(new Set(["transcript.text.delta"]));
  });

  test("wait for each other when they are many", async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => create()));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });
});

describe.skipIf(!hasVosk)("many files at once (needs the recogniser)", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startHearingApp({ SPEECH_WORKERS: "1" });
  });
  afterAll(() => app.stop());

  test("are taken in up to a limit; the next is told to come again", async () => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const form = formOf({ model: "whisper-1" });
    let begun = 0;
    // A few more than there are places, since what is asked below takes one for a moment.
    const uploads = Array.from({ length: PLACES + 3 }, () => {
      const body = new ReadableStream<Bytes>({
        start: (controller) => controller.enqueue(form.slice(0, 1_000)),
        // What has been asked for again has been taken.
        pull: () => void begun++,
      });
      return fetch(app.url + PATH, { method: "POST", headers: FORM_TYPE, body, signal });
    });
    const all = Promise.allSettled(uploads);
    await until(async () => {
      const { status } = await post(app, formOf({ model: "of nobody" }));
      return begun > 0 && status === 503;
    });
    const response = await post(app, form);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await response.json()).toMatchObject({ status: 503, code: "queue_full" });
    leaving.abort();
    await all;
    await until(async () => (await post(app, form)).status === 200);
    await until(() => leftovers(app).length === 0);
  });

  test("do not wait for whoever has left", async () => {
    // Ten minutes of speech: nobody would wait for them here.
    const file = fileOf(longSpeech(72));
    const client = clientOf(app);
    const leaving = new AbortController();
    const { signal } = leaving;
    const first = client.audio.transcriptions.create(
      { file, model: "whisper-1", stream: true },
      { signal },
    );
    const reader = (await first)[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ type: "transcript.text.delta" });
    const waiting = client.audio.transcriptions.create({ file, model: "whisper-1" }, { signal });
    const left = waiting.catch((error: unknown) => error);
    await until(() => leftovers(app).length === 2 || !existsSync("/proc/self/fd"));
    leaving.abort();
    expect(await left).toBeInstanceOf(APIUserAbortError);
    const { text } = await client.audio.transcriptions.create({
      file: fileOf(),
      model: "whisper-1",
    });
    expect(text).not.toBe("");
    await until(() => leftovers(app).length === 0);
    expect(app.lines.filter((line) => line.includes(`"level":"error"`))).toEqual([]);
  });
});

describe("without a recogniser", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  test("there are no models, and a file is answered with that", async () => {
    const client = clientOf(app);
    expect(await Array.fromAsync(client.models.list())).toEqual([]);
    const file = fileOf(silence(8_000, 10));
    const error = await refused(client.audio.transcriptions.create({ file, model: "whisper-1" }));
    expect(error).toMatchObject({ status: 503, code: "upstream_failed" });
    expect(error.message).toContain("No speech engine");
  });

  test("the documentation shows the form", async () => {
    const { paths } = (await (await fetch(`${app.url}/docs/json`)).json()) as {
      paths: Record<string, { post: { requestBody: { content: object } } }>;
    };
    expect(paths[PATH]?.post.requestBody.content).toMatchObject({
      "multipart/form-data": { schema: { required: ["file", "model"] } },
    });
  });
});

describe("a key", () => {
  test("that is not ours says nothing on these routes while the door is open", async () => {
    const app = await startTestApp();
    const headers = { authorization: "Bearer sk-of-another-service" };
    expect((await fetch(`${app.url}/v1/models`, { headers })).status).toBe(200);
    expect((await fetch(`${app.url}/v1/transcriptions`, { headers })).status).toBe(401);
    await app.stop();
  });

  test("must be a token of a user where accounts are required", async () => {
    const app = await startTestApp({ JWT_SECRET: SECRET });
    const tokens = createTokens(SECRET, Date.now);
    const sign = (role: "user" | "guest"): Promise<string> =>
      tokens.sign({ caller: { userId: 7, role, name: "Seven" }, expiresAt: Date.now() + 60_000 });
    const client = clientOf(app, await sign("user"));
    expect(await Array.fromAsync(client.models.list())).toEqual([]);
    for (const key of ["sk-of-another-service", await sign("guest")]) {
      const stranger = clientOf(app, key);
      expect(await refused(stranger.models.list())).toMatchObject({ status: 401 });
      const file = fileOf(silence(8_000, 10));
      const error = await refused(
        stranger.audio.transcriptions.create({ file, model: "whisper-1" }),
      );
      expect(error).toMatchObject({ status: 401, code: "unauthorized" });
      expect(error.message).toContain("token");
    }
    const nobody = await post(app, formOf({ model: "whisper-1" }, silence(8_000, 10)));
    expect(nobody.status).toBe(401);
    await app.stop();
  });
});

function silence(sampleRate: number, ms: number): Bytes {
  return wavFile(new Uint8Array((sampleRate * 2 * ms) / 1_000), { sampleRate });
}

test("the files of one user leave places to others", async () => {
  const app = await startTestApp({ JWT_SECRET: SECRET, SPEECH_WORKERS: "1" });
  const tokens = createTokens(SECRET, Date.now);
  const headersOf = async (userId: number): Promise<Record<string, string>> => {
    const caller = { userId, role: "user" as const, name: "Somebody" };
    const token = await tokens.sign({ caller, expiresAt: Date.now() + 60_000 });
    return { ...FORM_TYPE, authorization: `Bearer ${token}` };
  };
  const [own, others] = [await headersOf(7), await headersOf(8)];
  const leaving = new AbortController();
  const { signal } = leaving;
  const form = formOf({ model: "whisper-1" });
  const uploads = Array.from({ length: PLACES }, () => {
    const body = new ReadableStream<Bytes>({
      start: (controller) => controller.enqueue(form.slice(0, 1_000)),
    });
    return fetch(app.url + PATH, { method: "POST", headers: own, body, signal });
  });
  const all = Promise.allSettled(uploads);
  const withoutFile = part("model", "whisper-1") + ENDING;
  // More than half of them are taken in; the rest is refused at once.
  let refused = 0;
  for (const upload of uploads) {
    upload.then(
      ({ status }) => void (refused += status === 503 ? 1 : 0),
      () => undefined,
    );
  }
  await until(() => refused === PLACES - Math.ceil(PLACES / 2));
  expect((await post(app, withoutFile, own)).status).toBe(503);
  expect((await post(app, withoutFile, others)).status).toBe(422);
  leaving.abort();
  await all;
  await until(async () => (await post(app, withoutFile, own)).status === 422);
  await app.stop();
});
