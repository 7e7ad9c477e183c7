import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Database as Sqlite } from "bun:sqlite";
import { join } from "node:path";
import {
  KEY,
  type ModelService,
  type Reply,
  SERVICE_SECRET,
  startModelService,
  streams,
} from "../features/assistant/model-service.ts";
import { postJson, until } from "../support/app.ts";
import { type TestServer, runEarshot, startTestServer } from "../support/server.ts";
import { type Frame, type TestSocket, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";
import { cut, speech, wavFile, written } from "../support/speaker.ts";

setDefaultTimeout(120_000);

const JWT_SECRET = "a secret that signs every token here";
const CONFIGURED_KEY = "a-key-that-stands-in-the-settings";
const NAME = "Philomena Schweigsam";
const OTHER_NAME = "Balthasar Verschwiegen";
const PASSWORD = "correct-horse-battery";
const WRONG_PASSWORD = "wrong-horse-battery";
const NEW_PASSWORD = "newer-horse-battery";
const SAID = "schnabeltier";
const SPOKEN = "nasenbaer";
const SAVED = "erdferkel";
const POSTED = "guerteltier";
const PROMPT = "pangolin";
const BROKEN = "faultier";
const ROOM = "the-lobby-of-secrets";

/** Nobody's answers and no line may hold one of these; the rest of them is found on the way. */
const secrets = new Set([
  JWT_SECRET,
  CONFIGURED_KEY,
  KEY,
  SERVICE_SECRET,
  NAME,
  OTHER_NAME,
  PASSWORD,
  WRONG_PASSWORD,
  NEW_PASSWORD,
  SAID,
  SPOKEN,
  SAVED,
  POSTED,
  PROMPT,
  BROKEN,
]);

let service: ModelService;
let server: TestServer;
/** Whatever told somebody that something is wrong. */
const errors: string[] = [];

/** A service whose errors tell what it was asked and by whom. */
const blabs =
  (status: number): Reply =>
  ({ body, authorization }) =>
    Response.json(
      { error: { message: `${SERVICE_SECRET} ${authorization} ${JSON.stringify(body)}` } },
      {
        status,
        statusText: SERVICE_SECRET,
        // So that nobody waits long before asking again.
        headers: { "x-error": SERVICE_SECRET, "retry-after-ms": "1" },
      },
    );
const garbage: Reply = ({ body }) => new Response(`${SERVICE_SECRET} ${JSON.stringify(body)}`);

beforeAll(async () => {
  service = startModelService(blabs(500));
  server = await startTestServer({
    LOG_LEVEL: "debug",
    JWT_SECRET,
    API_KEYS: CONFIGURED_KEY,
    RATE_LIMITS: "off",
    TOPICS_FROM: "posts,rooms,transcriptions",
    OPENAI_BASE_URL: service.url,
    OPENAI_API_KEY: KEY,
    LLM_MODEL: "small",
    LLM_CLEANUP: "on",
    ...(hasVosk ? { SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "1" } : {}),
  });
  if (hasVosk) await until(async () => (await fetch(`${server.url}/readyz`)).ok);
});
afterAll(async () => {
  await server.dispose();
  await service.stop();
});

type Headers = Record<string, string>;

interface Told {
  status: number;
  text: string;
}

/** Sends it, and keeps the answer when it is an error. */
async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Headers = {},
): Promise<Told> {
  const isText = typeof body === "string" || body instanceof FormData;
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(body === undefined || body instanceof FormData
        ? {}
        : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) errors.push(`${method} ${path} ${text} ${JSON.stringify([...answer.headers])}`);
  return { status: answer.status, text };
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

async function signIn(name: string, password: string): Promise<Tokens> {
  const { text } = await send("POST", "/v1/auth/login", { name, password });
  return know(JSON.parse(text) as Tokens);
}

/** From now on they are secrets, whole and in parts. */
function know(tokens: Tokens): Tokens {
  for (const part of [
    tokens.access_token,
    ...tokens.access_token.split("."),
    tokens.refresh_token,
    ...tokens.refresh_token.slice(3).split("."),
  ]) {
    // What all tokens have at their beginning is no secret.
    if (part.length > 40) secrets.add(part);
  }
  return tokens;
}

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

function keepErrors({ frames }: TestSocket): void {
  errors.push(...frames.filter(({ type }) => type === "error").map((one) => JSON.stringify(one)));
}

async function chat({ access_token: token }: Tokens): Promise<void> {
  const url = `${server.wsUrl}/v1/ws/chat?room=${ROOM}`;
  const socket = await openSocket(url, { protocols: ["earshot.v1", `bearer.${token}`] });
  await socket.next("joined");
  socket.send({ type: "say", room: ROOM, client_id: SAID, text: `${SAID} of ${NAME}` });
  const { id } = await socket.next("sent");
  socket.send({ type: "edit", room: ROOM, id, text: `${SAID} again` });
  await socket.next("sent");
  socket.send({ type: "typing", room: ROOM });
  socket.send({ type: "authenticate", token });
  await socket.next("authenticated");
  const wrong: unknown[] = [
    { type: SAID },
    { type: "say", room: ROOM, client_id: "x", text: { of: SAID } },
    { type: "say", room: ROOM, client_id: "x", text: SAID.repeat(1_000) },
    { type: "say", room: "elsewhere", client_id: "x", text: SAID },
    { type: "edit", room: ROOM, id: 999_999, text: SAID },
    { type: "authenticate", token: `${token}x` },
    { type: "authenticate", token: SAID },
    SAID,
    [SAID],
  ];
  for (const frame of wrong) {
    socket.send(frame);
    await socket.next("error");
  }
  socket.sendRaw(`{"type":"say","text":"${SAID}`);
  await socket.next("error");
  socket.sendRaw(new TextEncoder().encode(SAID));
  await socket.next("error");
  keepErrors(socket);
  socket.close();
}

async function speakFrames({ access_token: token }: Tokens, userId: number): Promise<void> {
  const socket = await openSocket(`${server.wsUrl}/v1/ws/transcription`, {
    headers: bearer(token),
  });
  // One that is called sound and is none makes its saving fail.
  const fake = Buffer.from(wavFile(new TextEncoder().encode(SPOKEN), { bits: 7 }));
  for (const audio of [`${SPOKEN} one`, SPOKEN, fake.toString("base64")]) {
    socket.send({ user_id: userId, language: "en", audio });
    await socket.next();
  }
  socket.send({ user_id: userId, language: SPOKEN, audio: SPOKEN });
  socket.send({ user_id: userId + 1, language: "en", audio: SPOKEN });
  await socket.next("error");
  await socket.next("error");
  keepErrors(socket);
  socket.close();
  const saved = await send("POST", "/v1/transcription/save", { user_id: userId }, bearer(token));
  expect(saved.text).toContain(SPOKEN);
}

/** Real speech into the room, put right by a service that fails. */
async function speakStream({ access_token: token }: Tokens): Promise<Frame[]> {
  const headers = bearer(token);
  let socket: TestSocket;
  for (;;) {
    socket = await openSocket(`${server.wsUrl}/v1/ws/transcription`, { headers });
    socket.send({ type: "start", language: "en", room: ROOM, title: SPOKEN });
    if ((await socket.next()).type === "ready") break;
    await Bun.sleep(100);
  }
  for (const frame of cut(written(speech(0, 5_000)))) socket.sendRaw(frame);
  socket.send({ type: "stop" });
  await socket.next("done", 60_000);
  keepErrors(socket);
  return socket.frames;
}

async function askAround({ access_token: token }: Tokens, transcription: number): Promise<void> {
  const headers = bearer(token);
  const replies = [400, 401, 404, 429, 500, 503].map(blabs);
  for (const reply of [...replies, garbage, streams([SERVICE_SECRET], "cut")]) {
    for (const stream of [false, true]) {
      service.script(reply);
      const { text } = await send("POST", "/v1/inference", { prompt: PROMPT, stream }, headers);
      // A stream tells its error in an event; what was answered before it is the asker's own.
      if (stream) errors.push(...text.split("\n\n").filter((event) => event.includes("error")));
    }
  }
  service.script(blabs(500));
  await send("POST", "/v1/inference", { model: PROMPT, prompt: PROMPT }, headers);
  await send("POST", "/v1/inference", { prompt: [PROMPT] }, headers);
  const room = await send("POST", `/v1/rooms/${ROOM}/summary`, {}, headers);
  expect([room.status, JSON.parse(room.text)]).toMatchObject([200, { source: "extractive" }]);
  await send("POST", `/v1/transcriptions/${transcription}/summary`, {}, headers);
}

async function post(): Promise<void> {
  const headers = { "x-api-key": CONFIGURED_KEY };
  const one = { content: `${POSTED} in Berlin`, publication: "news", external_id: POSTED };
  expect((await send("POST", "/v1/posts", one, headers)).status).toBe(201);
  await send("POST", "/v1/posts", { ...one, published_at: POSTED }, headers);
  await send("POST", "/v1/posts", one, { "x-api-key": `${CONFIGURED_KEY}x` });
  await send("POST", "/v1/posts/bulk", `${JSON.stringify(one)}\n{"content":"${POSTED}`, headers);
}

async function sendNonsense({ access_token: token }: Tokens): Promise<void> {
  const headers = bearer(token);
  const save = "/v1/transcriptions/save";
  await send("POST", save, `{"user_id":1,"transcription":"${SAVED}`, headers);
  await send("POST", save, { user_id: SAVED, language: SAVED, transcription: [SAVED] }, headers);
  await send("POST", save, { transcription: SAVED.repeat(1_000_000) }, headers);
  await send("PATCH", "/v1/auth/me", { name: `${NAME}\u202e` }, headers);
  await send("GET", "/v1/transcriptions/search?limit=x", undefined, headers);
  await send("GET", "/v1/rooms/nowhere/messages", undefined, headers);
  await send("GET", "/v1/keys", undefined, headers);
  for (const wrong of [`${token}x`, token.slice(0, -2), "ek_wrong", SAID]) {
    await send("GET", "/v1/auth/me", undefined, bearer(wrong));
    await send("GET", "/v1/models", undefined, bearer(wrong));
  }
  await send("GET", "/v1/auth/me", undefined, { authorization: `Basic ${SAID}` });
  const form = new FormData();
  form.set("file", new File([SPOKEN], `${SPOKEN}.wav`));
  form.set("model", "whisper-1");
  form.set("prompt", SPOKEN);
  await send("POST", "/v1/audio/transcriptions", form, headers);
}

const TABLES = ["messages", "transcriptions", "posts", "users", "auth_sessions", "reads"];

/** Lets every write of the tables fail, as a disk would that is broken. */
function breakTables(isBroken: boolean): void {
  const sqlite = new Sqlite(join(server.folder, "earshot.db"));
  sqlite.run("PRAGMA busy_timeout = 5000");
  for (const table of TABLES) {
    for (const change of ["INSERT", "UPDATE"]) {
      const name = `broken_${table}_${change}`;
      if (!isBroken) sqlite.run(`DROP TRIGGER ${name}`);
      else {
        sqlite.run(
          `CREATE TRIGGER ${name} BEFORE ${change} ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`,
        );
      }
    }
  }
  sqlite.close();
}

/** The handlers of requests and frames fail in their middle, with all that they were given. */
async function failInside(tokens: Tokens, userId: number): Promise<void> {
  const headers = bearer(tokens.access_token);
  const url = `${server.wsUrl}/v1/ws/chat?room=${ROOM}`;
  const socket = await openSocket(url, { headers });
  await socket.next("joined");
  breakTables(true);
  const statuses: number[] = [];
  const fail = async (path: string, body: unknown, more: Headers = headers): Promise<void> => {
    statuses.push((await send("POST", path, body, more)).status);
  };
  await fail(`/v1/rooms/${ROOM}/messages`, { client_id: BROKEN, text: BROKEN });
  const saving = { user_id: userId, language: "en", transcription: BROKEN };
  await fail("/v1/transcriptions/save", saving);
  const posting = { content: BROKEN, publication: BROKEN };
  await fail("/v1/posts", posting, { "x-api-key": CONFIGURED_KEY });
  await fail("/v1/auth/register", { name: BROKEN, password: BROKEN.repeat(2) }, {});
  await fail("/v1/auth/login", { name: NAME, password: PASSWORD }, {});
  await fail("/v1/auth/refresh", { refresh_token: tokens.refresh_token }, {});
  statuses.push((await send("PATCH", "/v1/auth/me", { name: BROKEN }, headers)).status);
  expect(statuses).toEqual(statuses.map(() => 500));
  socket.send({ type: "say", room: ROOM, client_id: BROKEN, text: BROKEN });
  expect(await socket.next("error")).toMatchObject({ code: "internal" });
  socket.send({ type: "read", room: ROOM, offset: 1 });
  expect(await socket.next("error")).toMatchObject({ code: "internal" });
  breakTables(false);
  keepErrors(socket);
  socket.close();
}

test("no line of a server that says all it can, and no error, holds what was said or by whom", async () => {
  const registering = { name: NAME, password: PASSWORD };
  const registered = await send("POST", "/v1/auth/register", registering);
  const { id } = JSON.parse(registered.text) as { id: number };
  await send("POST", "/v1/auth/register", { name: OTHER_NAME, password: PASSWORD });
  await send("POST", "/v1/auth/register", registering);
  await send("POST", "/v1/auth/register", { name: OTHER_NAME, password: [WRONG_PASSWORD] });
  await send("POST", "/v1/auth/login", { name: NAME, password: WRONG_PASSWORD });
  await send("POST", "/v1/auth/login", { name: WRONG_PASSWORD, password: NAME });
  const first = await signIn(NAME, PASSWORD);
  const stolen = await signIn(NAME, PASSWORD);
  const refresh = { refresh_token: stolen.refresh_token };
  const next = await send("POST", "/v1/auth/refresh", refresh);
  know(JSON.parse(next.text) as Tokens);
  // The same a second time is a theft, which is told in a line of its own.
  expect((await send("POST", "/v1/auth/refresh", refresh)).status).toBe(401);
  const changing = { password: WRONG_PASSWORD, new_password: NEW_PASSWORD };
  await send("PATCH", "/v1/auth/me", changing, bearer(first.access_token));

  const made = runEarshot(["keys", "create", "program"], {
    DATABASE_URL: `sqlite:${join(server.folder, "earshot.db")}`,
  });
  const [key = ""] = /ek_[\w-]+/.exec(await made.stdout.text()) ?? [];
  expect(key).not.toBe("");
  secrets.add(key);
  expect((await send("GET", "/v1/models", undefined, bearer(key))).status).toBe(200);
  await send("GET", "/v1/auth/me", undefined, bearer(key));

  await chat(first);
  await speakFrames(first, id);
  const saving = { user_id: id, language: "en", transcription: `${SAVED} of ${NAME}.` };
  const headers = bearer(first.access_token);
  const saved = await postJson(`${server.url}/v1/transcriptions/save`, saving, headers);
  const { id: transcription } = (await saved.json()) as { id: number };
  if (hasVosk) {
    const frames = await speakStream(first);
    const finals = frames.filter(({ type }) => type === "final");
    expect(finals.length).toBeGreaterThan(0);
    for (const { text } of finals) secrets.add(String(text));
  }
  await askAround(first, transcription);
  await post();
  await sendNonsense(first);
  await failInside(first, id);
  expect((await send("GET", "/v1/auth/me", undefined, headers)).status).toBe(200);

  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  const output = server.output();
  for (const told of ["a request failed", "a frame failed", "came twice", "without the language"]) {
    expect(output).toContain(told);
  }
  const told = [...output.split("\n"), ...errors];
  for (const secret of secrets) {
    expect([secret, told.filter((one) => holds(one, secret))]).toEqual([secret, []]);
  }
  for (const one of told) {
    expect(one).not.toContain("$argon2");
    expect(one).not.toMatch(/\b[0-9a-f]{64}\b/);
  }
});

/** As it is, or as JSON or an address would write it. */
function holds(text: string, secret: string): boolean {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)].some((form) =>
    text.toLowerCase().includes(form.toLowerCase()),
  );
}
