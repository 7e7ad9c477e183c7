import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { APIError } from "openai";
import type { TestApp } from "../support/app.ts";
import { runEarshot } from "../support/server.ts";
import { hasVosk } from "../support/sound.ts";
import { speech, startHearingApp, wavFile, written } from "../support/speaker.ts";

setDefaultTimeout(60_000);

const SOUND = wavFile(written(speech(0, 3_000)));
const CURL = Bun.which("curl");

/** A client of another service that has nothing but a key and a file. */
interface Client {
  models(key: string): Promise<Outcome>;
  transcribe(key: string): Promise<Outcome>;
}

/** The answer's status, and its ids or text, or the code of its error. */
interface Outcome {
  status: number;
  told: string;
}

let app: TestApp;

/** Does it as an operator would, in a process of its own, on the database of the running server. */
async function runKeys(...args: string[]): Promise<string> {
  const child = runEarshot(["keys", ...args], {
    DATABASE_URL: `sqlite:${join(app.folder, "earshot.db")}`,
  });
  const [printed, code] = await Promise.all([child.stdout.text(), child.exited]);
  expect([args[0], code]).toEqual([args[0], 0]);
  return printed;
}

async function createKey(name: string, scopes: string): Promise<string> {
  const printed = await runKeys("create", name, "--scopes", scopes);
  const [key = ""] = /ek_[\w-]+/.exec(printed) ?? [];
  expect(key).not.toBe("");
  return key;
}

const official: Client = {
  models: (key) => outcomeOf(clientOf(key).models.list(), ({ data }) => idsOf(data)),
  transcribe: (key) =>
    outcomeOf(
      clientOf(key).audio.transcriptions.create({
        file: new File([SOUND], "speech.wav"),
        model: "whisper-1",
      }),
      ({ text }) => text,
    ),
};

const clientOf = (apiKey: string): OpenAI =>
  new OpenAI({ baseURL: `${app.url}/v1`, apiKey, maxRetries: 0 });

const idsOf = (data: readonly { id: string }[]): string => data.map(({ id }) => id).join(" ");

async function outcomeOf<T>(answer: PromiseLike<T>, tell: (value: T) => string): Promise<Outcome> {
  try {
    return { status: 200, told: tell(await answer) };
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return { status: Number(error.status), told: String(error.code) };
  }
}

const curl: Client = {
  models: (key) => runCurl(key, "/v1/models", [], ({ data }) => idsOf(data ?? [])),
  transcribe: (key) =>
    runCurl(
      key,
      "/v1/audio/transcriptions",
      ["-F", `file=@${join(app.folder, "speech.wav")}`, "-F", "model=whisper-1"],
      ({ text }) => String(text),
    ),
};

interface Answered {
  data?: { id: string }[];
  text?: string;
  error?: { code: string };
}

async function runCurl(
  key: string,
  path: string,
  args: string[],
  tell: (answer: Answered) => string,
): Promise<Outcome> {
  const child = Bun.spawn(
    [
      CURL ?? "curl",
      "--silent",
      "--noproxy",
      "*",
      "--header",
      `Authorization: Bearer ${key}`,
      "--write-out",
      "\n%{http_code}",
      ...args,
      app.url + path,
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  const lines = (await child.stdout.text()).split("\n");
  const status = Number(lines.pop());
  const answer = JSON.parse(lines.join("\n")) as Answered;
  return { status, told: status === 200 ? tell(answer) : String(answer.error?.code) };
}

const CLIENTS: [string, Client, boolean][] = [
  ["the official client", official, true],
  ["curl (needs curl)", curl, CURL !== null],
];

describe.skipIf(!hasVosk)("a key in the hands of (needs the recogniser)", () => {
  beforeAll(async () => {
    app = await startHearingApp({
      JWT_SECRET: "the secret of these tests, long enough",
      SPEECH_WORKERS: "1",
    });
    writeFileSync(join(app.folder, "speech.wav"), SOUND);
  });
  afterAll(() => app.stop());

  for (const [name, client, isThere] of CLIENTS) {
    test.skipIf(!isThere)(`${name} opens what it is for, until it is revoked`, async () => {
      const key = await createKey(`audio of ${name}`, "audio");
      const models = await client.models(key);
      expect([models.status, models.told.length > 0]).toEqual([200, true]);
      const transcribed = await client.transcribe(key);
      expect([transcribed.status, transcribed.told.length > 0]).toEqual([200, true]);

      await runKeys("revoke", `audio of ${name}`);
      for (const refused of [await client.models(key), await client.transcribe(key)]) {
        expect(refused).toEqual({ status: 401, told: "unauthorized" });
      }
    });

    test.skipIf(!isThere)(`${name} that is for posts opens neither`, async () => {
      const key = await createKey(`posts of ${name}`, "posts");
      for (const refused of [await client.models(key), await client.transcribe(key)]) {
        expect(refused).toEqual({ status: 403, told: "forbidden" });
      }
    });
  }
});
