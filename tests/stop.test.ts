import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../src/version.ts";
import { postJson, temporaryFolder, until } from "./support/app.ts";
import { type TestServer, runEarshot, startTestServer } from "./support/server.ts";
import { openSocket } from "./support/socket.ts";
import { hasVosk } from "./support/sound.ts";
import { cut, speech, startStream, wavFile, wordsIn, written } from "./support/speaker.ts";

setDefaultTimeout(30_000);

const HEARING = { SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "1" };
const isReady = async ({ url }: TestServer): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;

interface Row {
  transcription: string;
  processed_text: string;
  word_count: number;
  status: string;
}

function rowsIn(folder: string): Row[] {
  const database = new Database(join(folder, "earshot.db"));
  const query = database.query<Row, []>(
    "select transcription, processed_text, word_count, status from transcriptions order by id",
  );
  const rows = query.all();
  database.close();
  return rows;
}

/** Runs a command to its end. */
async function outcomeOf(args: string[], settings = {}) {
  const command = runEarshot(args, settings);
  const [out, err] = await Promise.all([command.stdout.text(), command.stderr.text()]);
  return { code: await command.exited, out, err };
}

/** What every clean stop does, whatever the signal; `hears`: while somebody speaks, too. */
async function stopsCleanly(signal: NodeJS.Signals, hears: boolean): Promise<TestServer> {
  const server = await startTestServer(hears ? HEARING : {});
  await until(() => isReady(server));
  const chats = await Promise.all(
    ["lobby", "lobby", "kitchen"].map((room) =>
      openSocket(`${server.wsUrl}/v1/ws/chat?room=${room}`),
    ),
  );
  for (const chat of chats) await chat.next("joined");
  chats[0]?.send({ type: "say", room: "lobby", client_id: "1", text: "just before the end" });
  const kept = await openSocket(`${server.wsUrl}/v1/ws/transcription`);
  kept.send({ user_id: 1, language: "en", audio: "kept" });
  await kept.next();
  const untouched = await openSocket(`${server.wsUrl}/v1/ws/transcription`);
  const sockets = [...chats, kept, untouched];
  const live = hears ? (await startStream(server)).socket : null;
  for (const frame of cut(written(speech(0, 3_000)))) live?.sendRaw(frame);
  if (live !== null) {
    sockets.push(live);
    await live.next("partial");
  }

  server.signal(signal);
  for (const socket of sockets) {
    expect(await socket.next("error", 20_000)).toMatchObject({ code: "draining", retryable: true });
    expect((await socket.closed).code).toBe(1012);
    expect(socket.frames.at(-1)?.type).toBe("error");
  }
  expect(await server.exited).toBe(0);
  expect(server.output()).toContain('"msg":"stopped"');
  expect(server.output()).not.toContain('"level":"error"');
  await expectUnreachable(server.url);

  if (live !== null) {
    expect(live.frames.at(-2)).toMatchObject({ type: "done", reason: "draining" });
    const [row] = rowsIn(server.folder);
    expect(row?.status).toBe("done");
    expect(row?.transcription.replaceAll("\n", " ")).toBe(
      wordsIn(live.frames).replaceAll("\n", " "),
    );
    expect(row?.processed_text).not.toBe("");
    expect(row?.word_count).toBeGreaterThan(3);
  }

  return server;
}

/** Another one takes the same port and the same data, at once. */
async function takesItsPlace(server: TestServer): Promise<void> {
  const port = new URL(server.url).port;
  const next = await startTestServer({ PORT: port }, server.folder);
  expect(next.url).toBe(server.url);
  const chat = await openSocket(`${next.wsUrl}/v1/ws/chat?room=lobby`);
  const joined = await chat.next("joined");
  expect((joined["messages"] as { text: string }[]).map(({ text }) => text)).toEqual([
    "just before the end",
  ]);
  chat.close();
  await next.dispose();
}

/** Another program that has the server's database locked until it is closed. */
async function lockedBeside({ folder }: TestServer): Promise<Database> {
  const other = new Database(join(folder, "earshot.db"));
  await until(() => {
    try {
      other.run("BEGIN IMMEDIATE");
      return true;
    } catch {
      // The server writes just now.
      return false;
    }
  });
  return other;
}

/** What the log says did not stop in its time. */
function lateParts(server: TestServer): unknown[] {
  return server.lines
    .map((line) => JSON.parse(line) as { what?: string; msg: string })
    .filter(({ msg }) => msg.startsWith("a part did not stop in time"))
    .map(({ what }) => what);
}

async function expectUnreachable(url: string): Promise<void> {
  const reached = await fetch(url).then(
    () => true,
    () => false,
  );
  expect(reached).toBe(false);
}

describe("the server", () => {
  test.concurrent("tells every socket to come back, keeps what was said and ends well at SIGTERM", async () => {
    const server = await stopsCleanly("SIGTERM", hasVosk);
    await takesItsPlace(server);
    await server.dispose();
  });

  test.concurrent("does the same at SIGINT", async () => {
    const server = await stopsCleanly("SIGINT", false);
    await server.dispose();
  });

  test.skipIf(!hasVosk)("ends at once at a second signal (needs the recogniser)", async () => {
    const server = await startTestServer({ ...HEARING, SHUTDOWN_TIMEOUT_MS: "60000" });
    await until(() => isReady(server));
    const { socket } = await startStream(server);
    // Most of a minute: far more than can be heard until the second signal comes.
    for (let times = 0; times < 6; times++) {
      for (const frame of cut(written(speech()))) socket.sendRaw(frame);
    }
    await socket.next("partial");
    server.signal("SIGTERM");
    await until(() => server.output().includes('"msg":"stopping"'));
    // Two that come together are one, passed on twice.
    await Bun.sleep(100);
    server.signal("SIGTERM");
    expect(await server.exited).toBe(1);
    expect(server.output()).not.toContain('"msg":"stopped"');
    await server.dispose();
  });

  test.concurrent("ends well and in its time though another process has the database locked", async () => {
    const server = await startTestServer({ SHUTDOWN_TIMEOUT_MS: "2000", RETENTION_DAYS: "1" });
    const chat = await openSocket(`${server.wsUrl}/v1/ws/chat?room=lobby`);
    await chat.next("joined");
    const other = await lockedBeside(server);
    chat.send({ type: "say", room: "lobby", client_id: "1", text: "nobody hears this" });
    server.signal("SIGTERM");
    expect(await chat.next("error", 20_000)).toMatchObject({ code: "draining" });
    expect((await chat.closed).code).toBe(1012);
    expect(await server.exited).toBe(0);
    // The database, which is nearly the last, had its turn.
    expect(lateParts(server).at(-1)).toBe("database");
    expect(server.output()).toContain('"msg":"stopped"');
    expect(server.output()).not.toContain("had no owner");
    other.close();
    await server.dispose();
  });

  test.concurrent("ends what is behind a part that hangs as it should", async () => {
    const server = await startTestServer({ SHUTDOWN_TIMEOUT_MS: "4000" });
    const other = await lockedBeside(server);
    server.signal("SIGTERM");
    // It cannot hand back its posts; by then there is still time for the others.
    await until(() => lateParts(server).length > 0);
    other.close();
    expect(await server.exited).toBe(0);
    expect(lateParts(server)).toEqual(["topics"]);
    expect(server.output()).not.toContain('"level":"error"');
    // A database that was closed has no log beside it.
    expect(existsSync(join(server.folder, "earshot.db-wal"))).toBe(false);
    await server.dispose();
  });

  test.concurrent("does not start with a bad setting, and says which in one line", async () => {
    const bad = [{ PORT: "many" }, { JWT_SECRET: "hunter2" }];
    const outcomes = await Promise.all(bad.map((settings) => outcomeOf(["serve"], settings)));
    for (const [at, { code, out, err }] of outcomes.entries()) {
      const [name = ""] = Object.keys(bad[at] ?? {});
      expect([name, code, out]).toEqual([name, 2, ""]);
      expect(err).toContain(name);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
      expect(err).not.toContain("hunter2");
    }
  });

  test.concurrent("keeps its port from a second one, and ends when nobody is there", async () => {
    const server = await startTestServer();
    const { port } = new URL(server.url);
    const { code, err } = await outcomeOf(["serve"], {
      SPEECH_ENGINE: "none",
      PORT: port,
      DATABASE_URL: "sqlite::memory:",
    });
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toContain(port);
    expect((await fetch(`${server.url}/healthz`)).ok).toBe(true);
    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
    await server.dispose();
  });
});

describe("the command line", () => {
  test.concurrent("helps and tells its version", async () => {
    const [help, version, short] = await Promise.all([
      outcomeOf(["--help"]),
      outcomeOf(["--version"]),
      outcomeOf(["serve", "--help"]),
    ]);
    expect(help.code).toBe(0);
    expect(help.out).toContain("usage: earshot");
    for (const word of ["serve", "transcribe", "--version"]) expect(help.out).toContain(word);
    expect(short).toEqual(help);
    // A built program says its commit behind it.
    expect(version).toMatchObject({ code: 0, err: "" });
    expect(version.out.split(/[ \n]/)[0]).toBe(VERSION);
  });

  test.concurrent("answers wrong usage with 2 and the right one", async () => {
    const wrong = [
      [],
      ["sing"],
      ["--loud"],
      ["serve", "now"],
      ["transcribe"],
      ["transcribe", "--format", "pdf", "a.wav"],
    ];
    const outcomes = await Promise.all(wrong.map((args) => outcomeOf(args)));
    for (const [at, { code, out, err }] of outcomes.entries()) {
      expect([wrong[at], code, out]).toEqual([wrong[at], 2, ""]);
      expect(err).not.toBe("");
      expect(err).not.toMatch(/^ +at /m);
    }
  });

  test.skipIf(!hasVosk)(
    "names each file that cannot be transcribed, and does the others (needs the recogniser)",
    async () => {
      const folder = temporaryFolder();
      const text = join(folder, "text.wav");
      const good = join(folder, "good.wav");
      writeFileSync(text, "this is not a sound");
      writeFileSync(good, wavFile(written(speech(0, 3_000))));
      const missing = join(folder, "missing.wav");
      const args = ["transcribe", "--format", "json", missing, text, folder, good];
      const { code, out, err } = await outcomeOf(args);
      expect(code).toBe(1);
      const lines = err.trimEnd().split("\n");
      expect(lines).toHaveLength(3);
      for (const [at, file] of [missing, text, folder].entries()) {
        expect(lines[at]).toStartWith(`${file}: `);
      }

      const said = JSON.parse(out) as { file: string; text: string; segments: object[] };
      expect(said.file).toBe(good);
      expect(said.text).toContain("zero");
      expect(said.segments.length).toBeGreaterThan(0);
      rmSync(folder, { recursive: true });
    },
  );
});

describe("the log", () => {
  test("never holds what was said, nor names or tokens", async () => {
    const secret = "a signing secret that is QUITESECRET and long";
    const server = await startTestServer({
      ...(hasVosk ? HEARING : {}),
      LOG_LEVEL: "debug",
      JWT_SECRET: secret,
    });
    await until(() => isReady(server));
    const token = signed({ sub: "5", role: "user", name: "QUITESECRET Name" }, secret);
    const headers = { authorization: `Bearer ${token}` };
    const text = "QUITESECRET words";

    const url = `${server.url}/v1/transcriptions/save`;
    const body = { user_id: 5, language: "en", transcription: text };
    expect((await postJson(url, body, headers)).status).toBe(201);
    await postJson(url, { ...body, user_id: 6 }, headers);
    await postJson(url, { ...body, language: "QUITESECRET" }, headers);
    await postJson(url, body, { authorization: "Bearer QUITESECRET" });
    await fetch(url, { method: "POST", body: "{QUITESECRET", headers });
    await fetch(`${server.url}/v1/QUITESECRET?token=${token}`, { headers });

    const chat = await openSocket(`${server.wsUrl}/v1/ws/chat?room=QUITESECRET`, { headers });
    await chat.next("joined");
    chat.send({ type: "say", room: "QUITESECRET", client_id: "1", text });
    await chat.next("sent");
    chat.send({ type: "QUITESECRET", ref: "QUITESECRET" });
    await chat.next("error");
    chat.sendRaw("{QUITESECRET");
    await chat.next("error");
    chat.send({ type: "authenticate", token: `${token}x` });
    await chat.next("error");

    const protocols = ["earshot.v1", `bearer.${token}`];
    const speaking = `${server.wsUrl}/v1/ws/transcription`;
    const oneFrame = await openSocket(speaking, { protocols });
    oneFrame.send({ user_id: 5, language: "en", audio: text });
    await oneFrame.next();
    oneFrame.send({ user_id: 5, language: "en", audio: "UklGRgAAAABXQVZFQUJD" });
    await oneFrame.next();
    const kept = await postJson(`${server.url}/v1/transcription/save`, { user_id: 5 }, headers);
    expect([201, 422]).toContain(kept.status);

    if (hasVosk) {
      const stream = await openSocket(speaking, { protocols });
      stream.send({ type: "start", language: "en", title: "QUITESECRET", room: "QUITESECRET" });
      for (const frame of cut(written(speech(0, 3_000)))) stream.sendRaw(frame);
      stream.send({ type: "stop" });
      await stream.next("done");
      expect(wordsIn(stream.frames)).toContain("zero");
    }
    server.signal("SIGTERM");
    await server.exited;
    const log = server.output();
    expect(log).toContain('"msg":"stopped"');
    for (const line of log.trim().split("\n")) {
      expect(line).toStartWith('{"level":');
      expect(line).not.toMatch(/QUITESECRET|\bzero\b/);
      expect(line).not.toContain(token);
      expect(line).not.toContain(token.split(".")[2] ?? "");
    }
    await server.dispose();
  });
});

function signed(claims: object, secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 60;
  const text = `${part({ alg: "HS256" })}.${part({ iss: "earshot", aud: "earshot", exp, ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
