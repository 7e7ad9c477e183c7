import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestApp, until } from "../../support/app.ts";
import {
  type ListeningService,
  type Mood,
  heardBy,
  startListeningApp,
} from "../../support/listening.ts";
import { hasRedis, startRedis } from "../../support/redis.ts";
import { type ReturningClient, expectWhole, openReturning } from "../../support/returning.ts";
import { type TestServer, startTestServer } from "../../support/server.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";
import { hasVosk } from "../../support/sound.ts";
import {
  cut,
  speak,
  speech,
  startHearingApp,
  startStream,
  wordsIn,
  written,
} from "../../support/speaker.ts";
import { startWatchedApp } from "../../support/watched.ts";

setDefaultTimeout(60_000);

const SPEECH = "/v1/ws/transcription";
const HEARING = { SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "1" };
const HEARD_MS_MAX = 25_000;
/** Two utterances of the recording. */
const [FROM_MS, TO_MS] = [1_000, 5_000];
const CLIP_MS = TO_MS - FROM_MS;
const BYTES_PER_MS = 32;
const IMPATIENT = { endpointing_ms: 250 };
/** What a recogniser that begins anew in the middle hears of the same words at least. */
const SHARED_MIN = 0.5;
/** So much less or more of the clip is taken for speech when listening begins anew in its middle. */
const COUNT_MS_SLACK = 500;

interface Row {
  id: number;
  transcription: string;
  processed_text: string;
  duration_ms: number;
  status: string;
}

let clip: Uint8Array<ArrayBuffer>;
/** The words of the clip when nothing breaks, and what the service tells of it. */
let uncutWords: string;
let uncutCounts: string;

/** For what needs nobody to die: one that hears words, and one that has them counted. */
let app: TestApp;
let counting: TestApp;
let service: ListeningService;

beforeAll(async () => {
  if (!hasVosk) return;
  clip = written(speech(FROM_MS, TO_MS));
  app = await startHearingApp({ SPEECH_WORKERS: "1" });
  uncutWords = wordsIn(await speak(app, cut(clip), IMPATIENT));
  ({ app: counting, service } = await startListeningApp({
    SPEECH_PARK_MS: "500",
    RATE_LIMITS: "off",
  }));
  uncutCounts = wordsIn(await speak(counting, cut(clip), IMPATIENT));
});
afterAll(async () => {
  await app?.stop();
  await counting?.stop();
});

const isReady = async ({ url }: TestServer): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;

async function startHearingServer(settings = {}): Promise<TestServer> {
  const server = await startTestServer({ ...HEARING, ...settings });
  await until(() => isReady(server), 20_000);
  return server;
}

/** Another one on the same data, here. */
async function startBeside({ folder }: TestServer, settings = {}): Promise<TestApp> {
  const database = `sqlite:${join(folder, "earshot.db")}`;
  return startHearingApp({ ...HEARING, DATABASE_URL: database, ...settings });
}

async function rowOf(server: { url: string }, { ready }: { ready: Frame }): Promise<Row> {
  const id = String(ready["transcription_id"]);
  return (await (await fetch(`${server.url}/v1/transcriptions/${id}`)).json()) as Row;
}

async function doneRow(server: { url: string }, client: { ready: Frame }): Promise<Row> {
  await until(async () => (await rowOf(server, client)).status === "done", 20_000);
  return rowOf(server, client);
}

function spooled(folder: string): string[] {
  const spool = join(folder, "earshot.db-spool");
  return existsSync(spool) ? readdirSync(spool) : [];
}

/** Does something in the database of servers that may run or not. */
function inDatabase<T>(folder: string, use: (database: Database) => T): T {
  const database = new Database(join(folder, "earshot.db"));
  database.run("PRAGMA busy_timeout=5000");
  const result = use(database);
  database.close();
  return result;
}

/** No final twice, and none before the one before it. */
function expectInOrder(finals: readonly Frame[]): void {
  const ids = finals.map((frame) => frame["segment_id"]);
  expect(new Set(ids).size).toBe(ids.length);
  let at = 0;
  for (const { start_ms, end_ms } of finals) {
    expect(Number(start_ms)).toBeGreaterThanOrEqual(at);
    at = Number(end_ms);
  }
}

/** In order, and about the words of the uncut clip. */
function expectGoneOn(finals: readonly Frame[], expected = uncutWords): void {
  expectInOrder(finals);
  const shared = sharedWords(wordsIn(finals), expected);
  expect([wordsIn(finals), shared >= SHARED_MIN]).toEqual([wordsIn(finals), true]);
  const surplus = wordsIn(finals).split(/\s+/).length - expected.split(/\s+/).length;
  expect(surplus).toBeLessThanOrEqual(2);
}

/** The service has heard of each utterance once, give or take what it is cut from. */
function expectAllCounted(told: string): void {
  const heardMs = (text: string): number =>
    (text.match(/\d+/g) ?? []).reduce((sum, ms) => sum + Number(ms), 0);
  const surplusMs = heardMs(told) - heardMs(uncutCounts);
  expect([told, Math.abs(surplusMs) <= COUNT_MS_SLACK]).toEqual([told, true]);
}

function sharedWords(heard: string, expected: string): number {
  const words = heard.split(/\s+/);
  const wanted = expected.split(/\s+/);
  const found = wanted.filter((word) => {
    const at = words.indexOf(word);
    if (at >= 0) words.splice(at, 1);
    return at >= 0;
  });
  return found.length / wanted.length;
}

function finalFrames(client: ReturningClient): Frame[] {
  return client.frames().filter((frame) => frame.type === "final");
}

describe.skipIf(!hasVosk)("a session that nobody comes back to (needs the recogniser)", () => {
  test("is finished when its time is over, is not found again, and leaves no sound", async () => {
    const client = await openReturning(counting, clip, { start: IMPATIENT });
    client.send(clip.length);
    await client.taken();
    expect(spooled(counting.folder)).toHaveLength(1);
    await client.breakOff();
    const row = await doneRow(counting, client);
    expect(row.transcription).toBe(uncutCounts.replaceAll("\n", " "));
    expect(row.duration_ms).toBe(CLIP_MS);
    expect(spooled(counting.folder)).toEqual([]);
    const resume = { session_id: client.sessionId, after_seq: 0 };
    await until(async () => {
      const { socket, ready } = await startStream(counting, { resume });
      socket.close();
      return ready["code"] === "not_found";
    });
  });

  test("whose transcription is removed leaves no sound either", async () => {
    const client = await openReturning(counting, clip, { start: IMPATIENT });
    client.send(clip.length);
    await client.taken();
    const id = String(client.ready["transcription_id"]);
    inDatabase(counting.folder, (database) => {
      database.run("PRAGMA foreign_keys=ON");
      database.run("DELETE FROM transcriptions WHERE id = ?", [id]);
    });
    expect((await client.socket.closed).code).toBe(4409);
    await until(() => spooled(counting.folder).length === 0);
  });
});

describe.skipIf(!hasVosk)("a worker that dies (needs the recogniser)", () => {
  test("takes no session with it", async () => {
    const { app, endWorker } = await startWatchedApp();
    const clients = await Promise.all(
      [0, 1].map(() => openReturning(app, clip, { start: IMPATIENT })),
    );
    for (const client of clients) client.send(clip.length / 2);
    await clients[0]?.socket.next("partial");
    await endWorker();
    for (const client of clients) client.send(clip.length);
    for (const client of clients) {
      expect(await client.stop()).toMatchObject({ reason: "stop", duration_ms: CLIP_MS });
      expectWhole(client.frames());
      expectGoneOn(finalFrames(client));
      const row = await rowOf(app, client);
      expect(row.status).toBe("done");
      expect(row.transcription).toBe(wordsIn(client.frames()).replaceAll("\n", " "));
    }
    await app.stop();
  });
});

describe.skipIf(!hasVosk)("a process that is killed (needs the recogniser)", () => {
  test("has lost nothing that it acknowledged, and the next one goes on", async () => {
    const server = await startHearingServer();
    const client = await openReturning(server, clip, { start: IMPATIENT, frameBytes: () => 1_111 });
    client.send(clip.length * 0.7);
    await client.socket.next("final", HEARD_MS_MAX);
    await until(() => acknowledgedMs(client) > 0);
    server.signal("SIGKILL");
    await server.exited;
    await client.socket.closed;
    const before = finalFrames(client);
    const sent = client.sent();

    const next = await startBeside(server);
    const ready = await client.resume(next);
    expect(Number(ready["received_bytes"])).toBeLessThanOrEqual(sent);
    expect(Number(ready["received_bytes"])).toBeGreaterThanOrEqual(
      acknowledgedMs(client) * BYTES_PER_MS,
    );
    client.send(clip.length);
    expect(await client.stop()).toMatchObject({ duration_ms: CLIP_MS });
    const finals = finalFrames(client);
    expect(finals.slice(0, before.length)).toEqual(before);
    expectGoneOn(finals);
    const numbers = client.frames().flatMap((frame) => frame["seq"] ?? []);
    expect(new Set(numbers).size).toBe(numbers.length);

    // Who asks for all is told all.
    const resume = { session_id: client.sessionId, after_seq: 0 };
    const { socket } = await startStream(next, { resume });
    await socket.next("done");
    expect(wordsIn(socket.frames)).toBe(wordsIn(client.frames()));
    const row = await rowOf(next, client);
    expect(row.transcription).toBe(wordsIn(client.frames()).replaceAll("\n", " "));
    expect(spooled(server.folder)).toEqual([]);
    await next.stop();
    await server.dispose();
  });

  test("leaves the rest to the next one, and every caption reaches its room once", async () => {
    const settings = { ...heardBy(service), SPEECH_PARK_MS: "500" };
    const room = "the hall";
    const server = await startHearingServer(settings);
    const client = await openReturning(server, clip, { start: { ...IMPATIENT, room } });
    client.send(clip.length);
    const first = await client.socket.next("final", HEARD_MS_MAX);
    await until(() => acknowledgedMs(client) === CLIP_MS);
    server.signal("SIGKILL");
    await server.exited;
    await client.socket.closed;
    // As if it had died between a final and its room, and between its room and the note of that.
    inDatabase(server.folder, (database) => {
      const pend = database.query(
        "INSERT OR REPLACE INTO pending_captions (segment_id, room, user_id, user_name, text, at) VALUES (?, ?, ?, ?, ?, ?)",
      );
      const { user_id } = database
        .query<{ user_id: number }, []>("SELECT user_id FROM speech_sessions")
        .get() ?? { user_id: 0 };
      pend.run(String(first["segment_id"]), room, user_id, "somebody", String(first["text"]), 1);
      pend.run("lost-1", room, user_id, "somebody", "on its way", 2);
    });

    const next = await startBeside(server, settings);
    const row = await doneRow(next, client);
    expect(row.duration_ms).toBe(CLIP_MS);
    expect(row.transcription).toStartWith(String(first["text"]));
    expectAllCounted(row.transcription);
    expect(row.processed_text).not.toBe("");
    await until(() => spooled(server.folder).length === 0);

    await until(() =>
      inDatabase(server.folder, (database) => {
        const left = database.query<{ n: number }, []>("SELECT count(*) n FROM pending_captions");
        return left.get()?.n === 0;
      }),
    );
    const chat = await openSocket(`${next.wsUrl}/v1/ws/chat?room=${encodeURIComponent(room)}`);
    const { messages } = (await chat.next("joined")) as { messages?: Frame[] };
    const texts = (messages ?? []).map((message) => String(message["text"]));
    expect(texts.filter((text) => text === "on its way")).toHaveLength(1);
    expect(texts.filter((text) => text !== "on its way").join(" ")).toBe(row.transcription);
    chat.close();
    await next.stop();
    await server.dispose();
  });
});

describe.skipIf(!hasVosk)(
  "a session that goes on in another process (needs the recogniser)",
  () => {
    /** Without Redis the first process learns of it when it says that it still holds the session. */
    const takesOver = async (more: object): Promise<void> => {
      const settings = { ...heardBy(service), ...more };
      const one = await startHearingServer(settings);
      const other = await startBeside(one, settings);
      const client = await openReturning(one, clip, { start: IMPATIENT });
      const older = client.socket;
      client.send(clip.length * 0.6);
      await older.next("final", HEARD_MS_MAX);
      await client.resume(other);
      expect(await older.next("error", HEARD_MS_MAX)).toMatchObject({ code: "session_taken_over" });
      expect((await older.closed).code).toBe(4409);
      client.send(clip.length);
      expect(await client.stop()).toMatchObject({ duration_ms: CLIP_MS });
      const row = await rowOf(other, client);
      expect(row.status).toBe("done");
      const segments = inDatabase(one.folder, (database) =>
        database
          .query<Frame, []>("SELECT segment_id, text, start_ms, end_ms FROM segments ORDER BY id")
          .all(),
      );
      expectInOrder(segments);
      expectAllCounted(row.transcription);
      expect(row.transcription).toBe(segments.map(({ text }) => String(text)).join(" "));
      expect(spooled(one.folder)).toEqual([]);
      await other.stop();
      await one.dispose();
    };

    test("is taken over when the first one next looks", () => takesOver({ SPEECH_PARK_MS: "500" }));

    test.skipIf(!hasRedis)(
      "is taken over at once where there is Redis (needs redis-server)",
      async () => {
        const redis = await startRedis();
        await takesOver({ REDIS_URL: redis.url });
        await redis.dispose();
      },
    );
  },
);

describe.skipIf(!hasVosk)(
  "a server that is stopped while somebody speaks (needs the recogniser)",
  () => {
    test("keeps and tells what it heard, and goes on with the rest when it is back", async () => {
      const sound = new Uint8Array(Buffer.concat([clip, clip]));
      const server = await startHearingServer({ SHUTDOWN_TIMEOUT_MS: "1500" });
      const client = await openReturning(server, sound, { start: IMPATIENT });
      // More than is heard until it has to be ready.
      client.send(sound.length - 32_000);
      await client.socket.next("final", HEARD_MS_MAX);
      server.signal("SIGTERM");
      const done = await client.socket.next("done", HEARD_MS_MAX);
      expect(done).toMatchObject({ reason: "draining" });
      expect(await client.socket.next("error")).toMatchObject({
        code: "draining",
        retryable: true,
      });
      expect((await client.socket.closed).code).toBe(1012);
      expect(await server.exited).toBe(0);
      expect(server.output()).not.toContain('"level":"error"');

      const next = await startBeside(server);
      const stored = await rowOf(next, client);
      expect(stored.transcription).toBe(wordsIn(client.frames()).replaceAll("\n", " "));
      const ready = await client.resume(next);
      expect(Number(ready["received_bytes"])).toBe(sound.length - 32_000);
      client.send(sound.length);
      expect(await client.stop()).toMatchObject({ reason: "stop", duration_ms: 2 * CLIP_MS });
      expectGoneOn(finalFrames(client), `${uncutWords}\n${uncutWords}`);
      expectWhole(client.frames());
      expect(spooled(server.folder)).toEqual([]);
      await next.stop();
      await server.dispose();
    });
  },
);

describe.skipIf(!hasVosk)("a speech service that fails (needs the recogniser)", () => {
  const refusals: [Mood, string, number][] = [
    ["down", "overloaded", 4503],
    ["locked", "internal", 1011],
    ["garbled", "internal", 1011],
  ];

  const times = (frames: readonly Frame[]): [number, number][] =>
    frames
      .filter((frame) => frame.type === "final")
      .map(({ start_ms, end_ms }) => [Number(start_ms), Number(end_ms)]);

  test("is told in one clear error, and the words come when it is well again", async () => {
    const { app, service } = await startListeningApp();
    const whole = times(await speak(app, cut(clip), IMPATIENT));
    expect(whole.length).toBeGreaterThanOrEqual(2);
    for (const [mood, code, close] of refusals) {
      for (const isEnding of [false, true]) {
        const client = await openReturning(app, clip, { start: IMPATIENT });
        client.send(clip.length * 0.6);
        await client.socket.next("final");
        service.be(mood);
        client.send(clip.length);
        client.socket.send({ type: isEnding ? "stop" : "finalize" });
        const error = await client.socket.next("error", HEARD_MS_MAX);
        expect(error).toMatchObject({ code, retryable: true });
        expect((await client.socket.closed).code).toBe(close);
        expect(client.socket.frames.filter((frame) => frame.type === "error")).toEqual([error]);
        expect(client.socket.frames.filter((frame) => frame.type === "done")).toEqual([]);

        service.be("well");
        expect(await client.resume()).toMatchObject({ received_bytes: clip.length });
        expect(await client.stop()).toMatchObject({ reason: "stop", duration_ms: CLIP_MS });
        const told = times(client.frames());
        expect(told).toHaveLength(whole.length);
        for (const [at, [from, to]] of told.entries()) {
          const [expectedFrom = 0, expectedTo = 0] = whole[at] ?? [];
          expect(Math.abs(from - expectedFrom)).toBeLessThan(200);
          expect(Math.abs(to - expectedTo)).toBeLessThan(200);
        }
        expectWhole(client.frames());
        expect((await rowOf(app, client)).transcription).toBe(
          wordsIn(client.frames()).replaceAll("\n", " "),
        );
      }
    }
    expect(spooled(app.folder)).toEqual([]);
    await app.stop();
  });

  test("holds nobody up at a stop when it never answers", async () => {
    const { app, service } = await startListeningApp({ SHUTDOWN_TIMEOUT_MS: "900" });
    const client = await openReturning(app, clip, { start: IMPATIENT });
    service.be("silent");
    client.send(clip.length);
    await client.socket.next("speech_started");
    const stopped = app.stop();
    expect(await client.socket.next("done")).toMatchObject({ reason: "draining" });
    expect(await client.socket.next("error")).toMatchObject({ code: "draining", retryable: true });
    expect((await client.socket.closed).code).toBe(1012);
    await stopped;
  });

  test("gets the rest when it is well again, though nobody comes back", async () => {
    const { app, service } = await startListeningApp({ SPEECH_PARK_MS: "500" });
    const whole = await speak(app, cut(clip), IMPATIENT);
    const client = await openReturning(app, clip, { start: IMPATIENT });
    client.send(clip.length * 0.6);
    await client.socket.next("final");
    service.be("locked");
    client.send(clip.length);
    client.socket.send({ type: "finalize" });
    await client.socket.closed;
    service.be("well");
    const row = await doneRow(app, client);
    expect(row.duration_ms).toBe(CLIP_MS);
    expect(row.transcription.match(/heard/g)).toHaveLength(times(whole).length);
    expect(spooled(app.folder)).toEqual([]);
    await app.stop();
  });
});

describe.skipIf(!hasVosk)(
  "a recogniser with more speakers than it keeps up with (needs the recogniser)",
  () => {
    test("lets nobody more in, and those inside get their words", async () => {
      const frames = cut(written(speech(0, 2_000)));
      const alone = wordsIn(await speak(app, frames));
      const speakers: { socket: TestSocket; sent: number }[] = [];
      const pace = setInterval(() => {
        for (const speaker of speakers) {
          const frame = frames[speaker.sent];
          if (frame === undefined) continue;
          speaker.socket.sendRaw(frame);
          speaker.sent++;
        }
      }, 100);
      let refusal: Frame | null = null;
      while (refusal === null && speakers.length < 50) {
        const socket = await openSocket(app.wsUrl + SPEECH);
        socket.send({ type: "start", language: "en" });
        const answer = await socket.next();
        if (answer.type === "ready") speakers.push({ socket, sent: 0 });
        else refusal = answer;
        await Bun.sleep(50);
      }
      expect(refusal).toMatchObject({
        code: "overloaded",
        retryable: true,
        retry_after_ms: expect.any(Number),
      });
      expect(speakers.length).toBeGreaterThan(0);
      clearInterval(pace);
      for (const { socket, sent } of speakers) {
        for (const frame of frames.slice(sent)) socket.sendRaw(frame);
        socket.send({ type: "stop" });
      }
      for (const { socket } of speakers) {
        await socket.next("done", HEARD_MS_MAX);
        expect(wordsIn(socket.frames)).toBe(alone);
      }
    });
  },
);

describe.skipIf(!hasVosk)("whatever is sent as sound (needs the recogniser)", () => {
  test("the stream ends well, and the next one is heard", async () => {
    const some = speech(FROM_MS, FROM_MS + 100);
    const sounds = {
      pcm_s16le: written(some),
      pcm_f32le: written(some, { encoding: "pcm_f32le" }),
      mulaw: written(some, { encoding: "mulaw" }),
      alaw: written(some, { encoding: "alaw" }),
    };
    const wild = new Uint8Array(
      new Float32Array(
        Array.from(
          { length: 8_000 },
          (_, at) => [Number.NaN, Infinity, -Infinity, 3e38][at % 4] ?? 0,
        ),
      ).buffer,
    );
    const streams: [object, Uint8Array<ArrayBuffer>[]][] = [
      [{ encoding: "pcm_f32le" }, cut(wild)],
      [{ sample_rate: 4_000 }, cut(sounds.pcm_s16le)],
      [{ sample_rate: 192_000 }, cut(sounds.pcm_s16le)],
      [{ channels: 8 }, cut(sounds.pcm_s16le, () => 13)],
      [{}, cut(sounds.pcm_s16le.slice(0, 3_201), () => 1)],
      [{}, [new Uint8Array(0), new Uint8Array(1), new Uint8Array(0)]],
    ];
    for (const declared of Object.keys(sounds)) {
      for (const [is, sound] of Object.entries(sounds)) {
        if (is !== declared) streams.push([{ encoding: declared }, cut(sound)]);
      }
    }
    const ends = await Promise.all(
      streams.map(async ([start, frames]) => (await speak(counting, frames, start)).at(-1)?.type),
    );
    expect(ends).toEqual(streams.map(() => "done"));
    // What was infinite is behind them.
    const { socket } = await startStream(app, { ...IMPATIENT, encoding: "pcm_f32le" });
    for (const frame of cut(wild)) socket.sendRaw(frame);
    for (const frame of cut(written(speech(FROM_MS, TO_MS), { encoding: "pcm_f32le" }))) {
      socket.sendRaw(frame);
    }
    socket.send({ type: "stop" });
    await socket.next("done", HEARD_MS_MAX);
    expect(sharedWords(wordsIn(socket.frames), uncutWords)).toBeGreaterThanOrEqual(SHARED_MIN);
  });

  test("a thousand times `finalize` are a thousand answers, and after `stop` nothing counts", async () => {
    const client = await openReturning(counting, clip, { start: IMPATIENT });
    client.send(clip.length);
    for (let at = 0; at < 1_000; at++) client.socket.send({ type: "finalize", ref: at });
    client.socket.send({ type: "stop", ref: "end" });
    for (const frame of cut(clip)) client.socket.sendRaw(frame);
    client.socket.send({ type: "stop" });
    const done = await client.socket.next("done", HEARD_MS_MAX);
    expect(done).toMatchObject({ reason: "stop", duration_ms: CLIP_MS });
    expect((await client.socket.closed).code).toBe(1000);
    const answers = client.frames().filter((frame) => frame.type === "finalized");
    expect(answers.map(({ ref }) => ref)).toEqual(Array.from({ length: 1_000 }, (_, at) => at));
    expect(wordsIn(client.frames())).toBe(uncutCounts);
    expectWhole(client.frames());
  });
});

function acknowledgedMs(client: ReturningClient): number {
  return client
    .frames()
    .filter((frame) => frame.type === "audio_ack")
    .reduce((most, frame) => Math.max(most, Number(frame["received_ms"])), 0);
}
