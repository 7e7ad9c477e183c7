import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, postJson, startTestApp } from "../../support/app.ts";
import { type TestRedis, hasRedis, startRedis } from "../../support/redis.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";
import { hasVosk, recording } from "../../support/sound.ts";
import { speech, startHearingApp, wavFile, written } from "../../support/speaker.ts";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const DAY_MS = 86_400_000;

interface Row {
  id: number;
  user_id: number;
  transcription: string;
  processed_text: string;
  word_count: number;
  language: string;
}

/** Every test has users of its own, so none sees another's messages. */
let users = 100;
const newUser = (): number => ++users;

const open = (app: TestApp): Promise<TestSocket> => openSocket(`${app.wsUrl}/v1/ws/transcription`);

/** Sends a message and waits for its answer. */
async function send(
  socket: TestSocket,
  user_id: number,
  audio: string,
  language = "en",
): Promise<Frame> {
  socket.send({ user_id, language, audio });
  return socket.next();
}

const saveKept = (app: TestApp, body: object): Promise<Response> =>
  postJson(`${app.url}/v1/transcription/save`, body);

async function saved(app: TestApp, body: object): Promise<Row> {
  const response = await saveKept(app, body);
  expect(response.status).toBe(201);
  return (await response.json()) as Row;
}

async function rowsOf(app: TestApp, userId: number): Promise<Row[]> {
  const rows = (await (await fetch(`${app.url}/v1/transcriptions`)).json()) as Row[];
  return rows.filter((row) => row.user_id === userId);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** What holds wherever messages are kept. */
function keepsAndSaves(app: () => TestApp): void {
  test("a frame is answered by exactly three fields, in their order", async () => {
    const socket = await open(app());
    const answered = new Promise<string>((resolve) => {
      socket.raw.addEventListener("message", ({ data }) => resolve(String(data)));
    });
    const answer = await send(socket, newUser(), "a text that is longer than twenty", "hi");
    const { message_id: id } = answer;
    expect(id).toMatch(UUID_V4);
    expect(await answered).toBe(
      `{"message_id":"${String(id)}","text":"a text that is longe","type":"hi"}`,
    );
    socket.close();
  });

  test("the answer's text is the first 20 characters, whatever a character is made of", async () => {
    const socket = await open(app());
    const user = newUser();
    const texts = ["", "short", "exactly twenty chars", "😀".repeat(30), `${"a".repeat(19)}😀😀`];
    texts.push("नमस्ते दुनिया, आप कैसे हैं और क्या कर रहे हैं", 'line\nbreak\t"quoted" \\ \u0000 end');
    for (const text of texts) {
      const answer = await send(socket, user, text);
      expect(answer["text"]).toBe([...text].slice(0, 20).join(""));
    }
    socket.close();
  });

  test("two hundred frames sent at once get one answer each, in order", async () => {
    const socket = await open(app());
    const user = newUser();
    const texts = Array.from({ length: 200 }, (_, at) => `message ${at}`);
    for (const audio of texts) socket.send({ user_id: user, language: "en", audio });
    const answers: Frame[] = [];
    while (answers.length < texts.length) answers.push(await socket.next());
    expect(answers.map((answer) => answer["text"])).toEqual(texts);
    expect(new Set(answers.map((answer) => answer["message_id"])).size).toBe(200);
    expect(socket.frames).toHaveLength(200);
    socket.close();
    expect((await saved(app(), { user_id: user })).transcription).toBe(texts.join("\n"));
  });

  test("a bad frame gets an error and the socket lives on", async () => {
    const socket = await open(app());
    const user = newUser();
    await send(socket, user, "first");
    const bad = [
      {},
      { user_id: user, language: "en" },
      { user_id: String(user), language: "en", audio: "QUITESECRET" },
      { user_id: user, language: "fr", audio: "QUITESECRET" },
      { user_id: user, language: "en", audio: ["QUITESECRET"] },
      { user_id: 1.5, language: "en", audio: "QUITESECRET" },
      { user_id: user, language: "en", audio: "QUITESECRET", more: 1 },
      { type: "start" },
    ];
    for (const frame of bad) {
      socket.send(frame);
      const error = await socket.next();
      expect(error).toMatchObject({ type: "error", code: "bad_request", retryable: false });
      expect(JSON.stringify(error)).not.toContain("QUITESECRET");
    }
    for (const raw of ["{", "[]", "1", "", new Uint8Array([1, 2, 3])]) {
      socket.sendRaw(raw);
      expect(await socket.next()).toMatchObject({ type: "error", code: "bad_request" });
    }
    socket.send({ type: "ping", ref: "alive" });
    expect(await socket.next()).toEqual({ type: "pong", ref: "alive" });
    await send(socket, user, "second");
    socket.close();
    expect((await saved(app(), { user_id: user })).transcription).toBe("first\nsecond");
  });

  test("messages of several sockets become one row in the order of their arrival", async () => {
    const user = newUser();
    const [one, two] = await Promise.all([open(app()), open(app())]);
    await send(one, user, "um the first");
    await send(two, user, "दूसरा", "hi");
    await send(one, user, "[noise] the third");
    const other = newUser();
    await send(two, other, "somebody else's");
    one.close();
    two.close();

    const row = await saved(app(), { user_id: user, language: "en" });
    expect(row).toMatchObject({
      user_id: user,
      language: "en",
      transcription: "um the first\nदूसरा\n[noise] the third",
      processed_text: "the first\nदूसरा\nthe third",
      word_count: 5,
    });
    const read = await fetch(`${app().url}/v1/transcriptions/${row.id}`);
    expect(await read.json()).toEqual(row);

    expect((await saveKept(app(), { user_id: user })).status).toBe(404);
    expect((await saved(app(), { user_id: other })).transcription).toBe("somebody else's");
  });

  test("the row's language is that of the latest message unless another is asked for", async () => {
    const socket = await open(app());
    const user = newUser();
    await send(socket, user, "one", "en");
    await send(socket, user, "दो", "hi");
    expect((await saved(app(), { user_id: user })).language).toBe("hi");
    await send(socket, user, "तीन", "hi");
    await send(socket, user, "four", "en");
    expect((await saved(app(), { user_id: user })).language).toBe("en");
    await send(socket, user, "five", "en");
    expect((await saved(app(), { user_id: user, language: "hi" })).language).toBe("hi");
    socket.close();
  });

  test("where nothing is kept, nothing is found", async () => {
    const response = await saveKept(app(), { user_id: newUser() });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "not_found" });
    expect((await saveKept(app(), { user_id: 1, language: "fr" })).status).toBe(422);
    expect((await saveKept(app(), { user_id: 1, more: 1 })).status).toBe(422);
    expect((await saveKept(app(), {})).status).toBe(422);
  });

  test("no message is lost or doubled when it arrives during a save", async () => {
    const socket = await open(app());
    const user = newUser();
    const texts: string[] = [];
    for (let round = 0; round < 20; round++) {
      const [early, late] = [`early ${round}`, `late ${round}`];
      texts.push(early, late);
      await send(socket, user, early);
      await Promise.all([saveKept(app(), { user_id: user }), send(socket, user, late)]);
    }
    socket.close();
    await saveKept(app(), { user_id: user });
    const rows = await rowsOf(app(), user);
    expect(rows.flatMap((row) => row.transcription.split("\n"))).toEqual(texts);
  });

  test("saves at the same time make one row", async () => {
    const socket = await open(app());
    for (let round = 0; round < 10; round++) {
      const user = newUser();
      await send(socket, user, "one");
      await send(socket, user, "two");
      const answers = await Promise.all([1, 2, 3].map(() => saveKept(app(), { user_id: user })));
      const rows = await rowsOf(app(), user);
      expect(rows.map((row) => row.transcription)).toEqual(["one\ntwo"]);
      for (const answer of answers) {
        const body = (await answer.json()) as Row;
        if (answer.status === 201) expect(body).toEqual(rows[0] as Row);
        else expect(answer.status).toBe(404);
      }
      expect(answers.map(({ status }) => status)).toContain(201);
    }
    socket.close();
  });

  test("one user has a limit, which other users do not feel", async () => {
    const socket = await open(app());
    const user = newUser();
    const large = "x".repeat(4 * 1024 * 1024);
    let refusal: Frame = {};
    let kept = 0;
    while (refusal.type !== "error" && kept < 20) {
      refusal = await send(socket, user, large);
      if (refusal.type !== "error") kept++;
    }
    expect(refusal).toMatchObject({ type: "error", code: "bad_request" });
    expect(String(refusal["message"])).toMatch(/too many/i);
    expect(kept).toBeGreaterThanOrEqual(4);
    expect((await send(socket, newUser(), "there is room"))["text"]).toBe("there is room");
    // Small ones may still fit; what was refused was not kept.
    socket.close();
  }, 20_000);

  test("a frame too large is refused before it is read, with 1009", async () => {
    const socket = await open(app());
    socket.send({ user_id: newUser(), language: "en", audio: "x".repeat(10 * 1024 * 1024) });
    expect(await socket.next()).toMatchObject({ type: "error", code: "frame_too_large" });
    expect((await socket.closed).code).toBe(1009);
  });
}

describe("the one-frame dialect, in memory", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  keepsAndSaves(() => app);

  test("refuses sound that nothing here can recognise, and keeps text that looks like it", async () => {
    const socket = await open(app);
    const user = newUser();
    const wav = base64(wavFile(new Uint8Array(320)));
    expect(await send(socket, user, wav)).toMatchObject({
      type: "error",
      code: "unsupported_language",
    });
    const texts = [
      "UklGR",
      "UklGRg==",
      `${wav}!`,
      wav.slice(4),
      base64(Buffer.from("RIFF but no")),
    ];
    for (const text of texts) expect((await send(socket, user, text)).type).toBe("en");
    socket.close();
    expect((await saved(app, { user_id: user })).transcription).toBe(texts.join("\n"));
  });
});

describe.skipIf(!hasRedis)("the one-frame dialect, in Redis (needs redis-server)", () => {
  let redis: TestRedis;
  let app: TestApp;
  beforeAll(async () => {
    redis = await startRedis();
    app = await startTestApp({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await app.stop();
    await redis.dispose();
  });

  /** The fields of a user's hash. */
  const hash = async (user: number): Promise<Record<string, string>> => {
    const fields = (await redis.cli("hkeys", `transcription:${user}`)).split("\n").filter(Boolean);
    const values: Record<string, string> = {};
    for (const field of fields) {
      values[field] = await redis.cli("hget", `transcription:${user}`, field);
    }
    return values;
  };

  keepsAndSaves(() => app);

  test("keeps the latest under `transcription` and each under its own name, for a day", async () => {
    const socket = await open(app);
    const user = newUser();
    const first = await send(socket, user, "the first");
    const second = await send(socket, user, "नमस्ते", "hi");
    socket.close();
    const names = [first, second].map((answer) => `message:${String(answer["message_id"])}`);
    const fields = await hash(user);
    expect(Object.keys(fields).sort()).toEqual(["transcription", ...names].sort());
    expect(fields["transcription"]).toBe("नमस्ते");
    expect(fields[names[0] ?? ""]).toContain("the first");
    expect(fields[names[1] ?? ""]).toContain("नमस्ते");
    const leftMs = Number(await redis.cli("pttl", `transcription:${user}`));
    expect(leftMs).toBeWithin(DAY_MS - 60_000, DAY_MS + 1);
  });

  test("removes exactly the messages that were saved", async () => {
    const socket = await open(app);
    const user = newUser();
    await send(socket, user, "one");
    await redis.cli("hset", `transcription:${user}`, "somebody's", "own");
    await saved(app, { user_id: user });
    const left = Object.keys(await hash(user));
    expect(left.filter((field) => field.startsWith("message:"))).toEqual([]);
    expect(left).toContain("somebody's");
    await send(socket, user, "two");
    expect((await saved(app, { user_id: user })).transcription).toBe("two");
    socket.close();
  });

  test("a save repeated after a crash before the removal makes no second row", async () => {
    const socket = await open(app);
    const user = newUser();
    await send(socket, user, "one");
    await send(socket, user, "two");
    const before = await hash(user);
    const row = await saved(app, { user_id: user });
    const putBack = (): Promise<string> =>
      redis.cli("hset", `transcription:${user}`, ...Object.entries(before).flat());

    await putBack();
    expect(await saved(app, { user_id: user })).toEqual(row);
    expect(await rowsOf(app, user)).toEqual([row]);
    expect((await saveKept(app, { user_id: user })).status).toBe(404);

    await putBack();
    await send(socket, user, "three");
    socket.close();
    const next = await saved(app, { user_id: user });
    expect(next.transcription).toBe("three");
    expect((await rowsOf(app, user)).map(({ id }) => id)).toEqual([row.id, next.id]);
  });

  test("messages kept by one process are saved by another", async () => {
    const other = await startTestApp({ REDIS_URL: redis.url });
    const socket = await open(app);
    const user = newUser();
    await send(socket, user, "said here");
    socket.close();
    expect((await saved(other, { user_id: user })).transcription).toBe("said here");
    expect((await saveKept(app, { user_id: user })).status).toBe(404);
    await other.stop();
  });
});

describe.skipIf(!hasVosk)("the one-frame dialect, with sound (needs the recogniser)", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startHearingApp();
  });
  afterAll(() => app.stop());

  test("recognises WAV files when they are saved, between texts that stay texts", async () => {
    const socket = await open(app);
    const user = newUser();
    const sound = base64(recording());
    const answer = await send(socket, user, sound);
    expect(answer["text"]).toBe(sound.slice(0, 20));
    await send(socket, user, "and a text");
    const saving = saved(app, { user_id: user });
    const late = await send(socket, user, "said meanwhile");
    expect(late["text"]).toBe("said meanwhile");
    const row = await saving;
    const [heard = "", ...texts] = row.transcription.split("\n");
    expect(heard).toContain("one eight zero three");
    expect(texts[0]).toBe("and a text");
    expect(row.processed_text).toContain("one eight zero three");
    expect(row.word_count).toBeGreaterThan(10);

    // A message that came too late for this row is in the next one.
    if (texts.length === 1) {
      expect((await saved(app, { user_id: user })).transcription).toBe("said meanwhile");
    }
    socket.close();
    expect((await saveKept(app, { user_id: user })).status).toBe(404);
  });

  test("refuses a WAV file that cannot be used, in a frame's answer", async () => {
    const socket = await open(app);
    const user = newUser();
    const sound = new Uint8Array(3_200);
    const unusable = [
      wavFile(sound, { tag: 2, bits: 4 }),
      wavFile(sound, { tag: 85 }),
      wavFile(sound, { channels: 0 }),
      wavFile(sound, { channels: 64 }),
      wavFile(sound, { sampleRate: 0 }),
      wavFile(sound, { sampleRate: 1_000_000 }),
      wavFile(sound, { bits: 12 }),
      Buffer.concat([wavFile(sound).subarray(0, 12), wavFile(sound).subarray(36)]),
    ];
    for (const wav of unusable) {
      const error = await send(socket, user, base64(wav));
      expect(error).toMatchObject({ type: "error", code: "unsupported_audio" });
    }
    const hindi = await send(socket, user, base64(recording()), "hi");
    expect(hindi).toMatchObject({ type: "error", code: "unsupported_language" });
    expect((await saveKept(app, { user_id: user })).status).toBe(404);

    // One that says it is longer than it is has all the words that came.
    const longer = wavFile(written(speech(0, 3_000)), { dataBytes: 2 ** 31 });
    expect((await send(socket, user, base64(longer))).type).toBe("en");
    expect((await saved(app, { user_id: user })).transcription).toContain("zero");
    socket.close();
  });

  test("answers a save that comes before the recogniser is ready, and loses nothing", async () => {
    const young = await startTestApp({ SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "1" });
    const socket = await open(young);
    const user = newUser();
    await send(socket, user, base64(wavFile(written(speech(0, 1_500)))));
    socket.close();
    let response = await saveKept(young, { user_id: user });
    while (response.status === 503) {
      expect(await response.json()).toMatchObject({ code: "queue_full" });
      expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
      await Bun.sleep(20);
      response = await saveKept(young, { user_id: user });
    }
    expect(response.status).toBe(201);
    await young.stop();
  });
});
