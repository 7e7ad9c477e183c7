import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestApp, until } from "../../support/app.ts";
import { startListeningApp } from "../../support/listening.ts";
import { createRandom } from "../../support/random.ts";
import {
  type ReturningClient,
  expectWhole,
  finalsOf,
  openReturning,
} from "../../support/returning.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";
import { hasVosk } from "../../support/sound.ts";
import {
  cut,
  speak,
  speech,
  startHearingApp,
  startStream,
  wavFile,
  wordsIn,
  written,
} from "../../support/speaker.ts";

setDefaultTimeout(600_000);

const SPEECH = "/v1/ws/transcription";
const HEARD_MS_MAX = 25_000;
const WAV_HEADER_BYTES = 44;
/** Two utterances of the recording, for who is impatient. */
const [FROM_MS, TO_MS] = [1_000, 5_000];
const CLIP_MS = TO_MS - FROM_MS;
const IMPATIENT = { endpointing_ms: 250 };
/** `EARSHOT_CUTS` asks for more, `EARSHOT_SEED` for the ones that somebody else has had. */
const CUTS = Number(process.env["EARSHOT_CUTS"] ?? 2);
const SEED = Number(process.env["EARSHOT_SEED"] ?? Date.now() % 1_000_000);
/** So many speak at once: as many as a small machine hears. */
const AT_ONCE = 3;

let app: TestApp;
let clip: Uint8Array<ArrayBuffer>;
/** What is told when nothing breaks. */
let uncut: object[];

async function listenUncut(): Promise<void> {
  clip = written(speech(FROM_MS, TO_MS));
  uncut = finalsOf(await speak(app, cut(clip), IMPATIENT));
  expect(uncut.length).toBeGreaterThanOrEqual(2);
}

async function rowOf({ ready }: ReturningClient): Promise<Record<string, unknown>> {
  const id = String(ready["transcription_id"]);
  const response = await fetch(`${app.url}/v1/transcriptions/${id}`);
  return (await response.json()) as Record<string, unknown>;
}

describe.skipIf(!hasVosk)(
  "a session whose socket broke while it was recognised (needs the recogniser)",
  () => {
    beforeAll(async () => {
      app = await startHearingApp({ SPEECH_WORKERS: "1" });
      await listenUncut();
    });
    afterAll(() => app.stop());

    /** Speaks the clip with breaks wherever a seed says. */
    const speakWithBreaks = async (seed: number): Promise<void> => {
      const random = createRandom(seed);
      const upTo = (most: number): number => Math.floor(random() * most);
      const isFile = random() < 0.25;
      const isOdd = random() < 0.5;
      const client = await openReturning(app, clip, {
        start: { ...IMPATIENT, ...(isFile ? { encoding: "wav" } : {}) },
        ...(isFile ? { header: wavFile(clip).slice(0, WAV_HEADER_BYTES) } : {}),
        frameBytes: isOdd ? () => 1 + upTo(9_000) : () => 3_200,
      });
      if (isFile) await client.taken();
      const breaks = Array.from({ length: 1 + upTo(3) }, () => upTo(clip.length)).sort(
        (a, b) => a - b,
      );
      for (const at of breaks) {
        client.send(at);
        if (random() < 0.7) await Bun.sleep(upTo(300));
        await client.breakOff();
        if (random() < 0.3) await Bun.sleep(upTo(200));
        await client.resume();
      }
      client.send(clip.length);
      const done = await client.stop();
      const told = client.frames();
      expect(finalsOf(told)).toEqual(uncut);
      expectWhole(told);
      expect(done).toMatchObject({
        reason: "stop",
        segments: uncut.length,
        duration_ms: Math.round(clip.length / 32),
      });
      const row = await rowOf(client);
      expect(row["status"]).toBe("done");
      expect(row["transcription"]).toBe(wordsIn(told).replaceAll("\n", " "));
    };

    test(`tells the same words, each once, wherever it breaks (${CUTS} cuts from seed ${SEED})`, async () => {
      for (let first = 0; first < CUTS; first += AT_ONCE) {
        const seeds = Array.from(
          { length: Math.min(AT_ONCE, CUTS - first) },
          (_, at) => first + at,
        );
        await Promise.all(
          seeds.map(async (at) => {
            try {
              await speakWithBreaks(SEED + at);
            } catch (error) {
              throw new Error(`with EARSHOT_CUTS=1 EARSHOT_SEED=${SEED + at}`, { cause: error });
            }
          }),
        );
      }
    });
  },
);

// How sessions are kept and handed on is the same whoever recognises.
describe.skipIf(!hasVosk)("a session whose socket broke (needs the recogniser)", () => {
  beforeAll(async () => {
    ({ app } = await startListeningApp());
    await listenUncut();
  });
  afterAll(() => app.stop());

  test("goes on from nothing when nothing had come, a file with its header again", async () => {
    const header = wavFile(clip).slice(0, WAV_HEADER_BYTES);
    for (const sendsAgain of [true, false]) {
      const client = await openReturning(app, clip, {
        start: { ...IMPATIENT, encoding: "wav" },
        // Without the rest of it only the whole file helps.
        header: sendsAgain ? header.slice(0, 20) : header,
      });
      await client.taken();
      await client.breakOff();
      expect(await client.resume()).toMatchObject({ received_bytes: 0 });
      if (sendsAgain) client.socket.sendRaw(header);
      client.send(clip.length);
      await client.stop();
      expect(finalsOf(client.frames())).toEqual(uncut);
    }
  });

  test("takes a header over that had come already, when no sound had", async () => {
    const header = wavFile(clip).slice(0, WAV_HEADER_BYTES);
    const client = await openReturning(app, clip, {
      start: { ...IMPATIENT, encoding: "wav" },
      header,
    });
    await client.taken();
    await client.breakOff();
    await client.resume();
    for (const byte of header) client.socket.sendRaw(new Uint8Array([byte]));
    client.send(clip.length);
    expect(await client.stop()).toMatchObject({ duration_ms: CLIP_MS });
    expect(finalsOf(client.frames())).toEqual(uncut);
  });

  test("answers the `finalize` that came before the break after it", async () => {
    const at = 2 * 32_000;
    const whole = await startStream(app, IMPATIENT);
    for (const frame of cut(clip.slice(0, at))) whole.socket.sendRaw(frame);
    whole.socket.send({ type: "finalize" });
    await whole.socket.next("finalized");
    for (const frame of cut(clip.slice(at))) whole.socket.sendRaw(frame);
    whole.socket.send({ type: "stop" });
    await whole.socket.next("done", HEARD_MS_MAX);

    const client = await openReturning(app, clip, { start: IMPATIENT });
    client.send(at);
    client.socket.send({ type: "finalize" });
    await client.taken();
    await client.breakOff();
    expect(await client.resume()).toMatchObject({ received_bytes: at });
    await client.socket.next("finalized");
    client.send(clip.length);
    await client.stop();
    const told = client.frames();
    expect(finalsOf(told)).toEqual(finalsOf(whole.socket.frames));
    expect(told.filter((frame) => frame.type === "finalized")).toHaveLength(1);
    expectWhole(told);
  });

  test("tells what was missed after `stop`, then `done`, and closes with 1000", async () => {
    for (const waitsForEnd of [false, true]) {
      const client = await openReturning(app, clip, { start: IMPATIENT });
      client.send(clip.length);
      client.socket.send({ type: "stop" });
      await client.taken();
      await client.breakOff();
      if (waitsForEnd) await until(async () => (await rowOf(client))["status"] === "done");
      await client.resume();
      const done = await client.socket.next("done", HEARD_MS_MAX);
      expect(done).toMatchObject({ reason: "stop", segments: uncut.length });
      expect((await client.socket.closed).code).toBe(1000);
      expect(client.socket.frames.at(-1)).toEqual(done);
      expect(finalsOf(client.frames())).toEqual(uncut);
      expectWhole(client.frames());
    }
  });

  test("is told in whole to who asks from the first number on, also when it is over", async () => {
    const client = await openReturning(app, clip, { start: IMPATIENT });
    client.send(clip.length);
    await client.stop();
    const numbered = client.frames().filter((frame) => "seq" in frame);
    const { socket } = await startStream(app, {
      resume: { session_id: client.sessionId, after_seq: 0 },
    });
    expect((await socket.closed).code).toBe(1000);
    expect(socket.frames.slice(1)).toEqual(numbered);
  });

  test("is taken over from a half-dead socket, which is told so", async () => {
    const client = await openReturning(app, clip, { start: IMPATIENT });
    const older = client.socket;
    client.send(clip.length / 2);
    await client.resume();
    expect(await older.next("error")).toMatchObject({
      code: "session_taken_over",
      retryable: false,
    });
    expect((await older.closed).code).toBe(4409);
    client.send(clip.length);
    await client.stop();
    expect(finalsOf(client.frames())).toEqual(uncut);
    expectWhole(client.frames());
  });

  test("goes to one of two who come back at the same moment", async () => {
    const client = await openReturning(app, clip, { start: IMPATIENT });
    client.send(clip.length / 2);
    await client.taken();
    await client.breakOff();
    const resume = { session_id: client.sessionId, after_seq: client.lastSeq() };
    const both = await Promise.all([0, 1].map(() => startStream(app, { ...IMPATIENT, resume })));
    const [loser] = await Promise.race(
      both.map(async ({ socket }) => [socket, await socket.closed] as const),
    );
    expect((await loser.closed).code).toBe(4409);
    const winner = both.find(({ socket }) => socket !== loser);
    if (winner === undefined) throw new Error("both were closed");
    for (const frame of cut(clip.slice(Number(winner.ready["received_bytes"])))) {
      winner.socket.sendRaw(frame);
    }
    winner.socket.send({ type: "stop" });
    expect(await winner.socket.next("done", HEARD_MS_MAX)).toMatchObject({
      segments: uncut.length,
    });
  });

  test("that is not kept goes on in the same process, and stays nowhere", async () => {
    const client = await openReturning(app, clip, { start: { ...IMPATIENT, store: false } });
    client.send(clip.length / 2);
    await client.taken();
    await client.breakOff();
    expect(await client.resume()).toMatchObject({ transcription_id: null });
    client.send(clip.length);
    expect(await client.stop()).toMatchObject({ transcription_id: null });
    expect(finalsOf(client.frames())).toEqual(uncut);
    const rows = (await (await fetch(`${app.url}/v1/transcriptions`)).json()) as object[];
    expect(
      rows.filter((row) => "session_id" in row && row.session_id === client.sessionId),
    ).toEqual([]);
    expect(spooled(app).filter((file) => file.startsWith(client.sessionId))).toEqual([]);
  });

  test("is not found under another name, and a number that cannot be is no number", async () => {
    const client = await openReturning(app, clip, { start: IMPATIENT });
    const socket = await openSocket(app.wsUrl + SPEECH);
    const resume = { session_id: client.sessionId, after_seq: 0 };
    const wrong: [object, string][] = [
      [{ ...resume, session_id: "nobody's" }, "not_found"],
      [{ ...resume, session_id: "" }, "not_found"],
      [{ ...resume, session_id: "x".repeat(65) }, "bad_request"],
      [{ ...resume, after_seq: -1 }, "bad_request"],
      [{ ...resume, after_seq: 0.5 }, "bad_request"],
      [{ ...resume, after_seq: 1e300 }, "bad_request"],
      [{ session_id: client.sessionId }, "bad_request"],
      [{ ...resume, more: 1 }, "bad_request"],
    ];
    for (const [fields, code] of wrong) {
      socket.send({ type: "start", resume: fields, ref: "r" });
      expect(await socket.next("error")).toMatchObject({ code, retryable: false, ref: "r" });
    }
    socket.close();
    client.send(clip.length);
    await client.stop();
    expect(finalsOf(client.frames())).toEqual(uncut);
  });

  test("counts on as before, whatever number a client says it has seen", async () => {
    const client = await openReturning(app, clip, { start: IMPATIENT });
    client.send(clip.length / 2);
    await client.taken();
    await client.breakOff();
    const resume = { session_id: client.sessionId, after_seq: Number.MAX_SAFE_INTEGER };
    const boaster = await startStream(app, { ...IMPATIENT, resume });
    expect(boaster.ready["type"]).toBe("ready");
    boaster.socket.raw.terminate();
    await boaster.socket.closed;
    await client.resume();
    client.send(clip.length);
    await client.stop();
    expect(finalsOf(client.frames())).toEqual(uncut);
    expectWhole(client.frames());
  });
});

describe.skipIf(!hasVosk)("with AUTH=required, a session (needs the recogniser)", () => {
  const SECRET = "the secret of these tests, long enough";

  test("is not found by another user, and goes on for its own", async () => {
    const { app } = await startListeningApp({ JWT_SECRET: SECRET });
    const open = (user: number): Promise<TestSocket> =>
      openSocket(app.wsUrl + SPEECH, { headers: { authorization: `Bearer ${token(user)}` } });
    const first = await open(7);
    first.send({ type: "start", language: "en" });
    const { session_id } = await first.next("ready");
    const resume = { session_id, after_seq: 0 };
    for (const isBroken of [false, true]) {
      if (isBroken) {
        first.raw.terminate();
        await first.closed;
      }
      const stranger = await open(8);
      stranger.send({ type: "start", resume });
      expect(await stranger.next("error")).toMatchObject({ code: "not_found" });
      stranger.close();
    }
    expect(first.frames.filter((frame: Frame) => frame.type === "error")).toEqual([]);
    const own = await open(7);
    own.send({ type: "start", resume });
    expect(await own.next("ready")).toMatchObject({ session_id, resumed: true });
    own.close();
    await app.stop();
  });

  function token(user: number): string {
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 60;
    const claims = { iss: "earshot", aud: "earshot", sub: String(user), role: "user", exp };
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...claims, name: "Me" })}`;
    return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
  }
});

function spooled(app: TestApp): string[] {
  const folder = join(app.folder, "earshot.db-spool");
  return existsSync(folder) ? readdirSync(folder) : [];
}
