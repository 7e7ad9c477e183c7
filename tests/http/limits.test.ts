import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { QUIET, temporaryFolder, until } from "../support/app.ts";
import { isBuilt, runEarshot } from "../support/server.ts";
import { wavFile } from "../support/speaker.ts";
import { hasVosk } from "../support/sound.ts";

const MEGABYTE = 1024 * 1024;

let server: ReturnType<typeof runEarshot>;
let folder: string;
let url = "";
beforeAll(async () => {
  folder = temporaryFolder();
  const speech = hasVosk ? { SPEECH_ENGINE: "vosk", SPEECH_WORKERS: "1" } : {};
  const database = `sqlite:${join(folder, "earshot.db")}`;
  server = runEarshot(
    ["serve"],
    { ...QUIET, PORT: "0", DATABASE_URL: database, ...speech },
    folder,
  );
  let output = "";
  for await (const bytes of server.stdout) {
    output += Buffer.from(bytes).toString();
    url = /"url":"([^"]+)"/.exec(output)?.[1] ?? "";
    if (url !== "") break;
  }
  await until(async () => (await fetch(`${url}/readyz`)).ok);
});
afterAll(async () => {
  server.kill();
  await server.exited;
  rmSync(folder, { recursive: true, force: true });
});

/** The memory that the server's process has now, in bytes. */
function memory(): number {
  // Linux tells it without a process of its own: it is asked often.
  const status = `/proc/${server.pid}/status`;
  const told = existsSync(status) && /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(status, "utf8"));
  if (told) return Number(told[1]) * 1024;
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(server.pid)]);
  return Number(stdout.toString()) * 1024;
}

/** How much more memory the server has had meanwhile, at most. */
async function growth(work: () => Promise<void>): Promise<number> {
  const before = memory();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, memory())), 50);
  await work();
  clearInterval(watch);
  return Math.max(most, memory()) - before;
}

/** A body that does not tell its length. */
function streamed(pieces: Iterable<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const { done, value } = iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
}

function* repeated(piece: Uint8Array<ArrayBuffer>, bytes: number) {
  for (let at = 0; at < bytes; at += piece.length) yield piece;
}

async function send(
  path: string,
  contentType: string,
  pieces: Iterable<Uint8Array<ArrayBuffer>>,
): Promise<Response> {
  const headers = { "content-type": contentType };
  return fetch(url + path, { method: "POST", headers, body: streamed(pieces) });
}

describe("a body that does not tell its length", () => {
  const SAVE = "/v1/transcriptions/save";

  test("is refused on the way where it is too large, and costs no memory", async () => {
    const piece = new Uint8Array(64 * 1024).fill(0x20);
    const grown = await growth(async () => {
      const response = await send(SAVE, "application/json", repeated(piece, 100 * MEGABYTE));
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({ status: 413, code: "too_large" });
      for (const type of [
        "text/plain",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
      ]) {
        const other = await send(SAVE, type, repeated(piece, 100 * MEGABYTE));
        expect(other.status).toBe(422);
      }
      expect((await send("/nowhere", "text/plain", repeated(piece, 100 * MEGABYTE))).status).toBe(
        404,
      );
    });
    expect(grown).toBeLessThan(60 * MEGABYTE);
  });

  test("is taken where it is small enough", async () => {
    const body = Buffer.from(JSON.stringify({ user_id: 1, language: "en", transcription: "नमस्ते" }));
    const bytes = Array.from(body, (byte) => new Uint8Array([byte]));
    const response = await send(SAVE, "application/json; charset=utf-8", bytes);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ transcription: "नमस्ते" });
    const broken = await send(SAVE, "application/json", [new Uint8Array([0x7b])]);
    expect(broken.status).toBe(400);
  });
});

describe.skipIf(!hasVosk)("a large file (needs the recogniser)", () => {
  const FIELDS =
    '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n' +
    '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';

  function* form(format: Parameters<typeof wavFile>[1], bytes: number) {
    const header = wavFile(new Uint8Array(0), { ...format, dataBytes: bytes });
    yield new Uint8Array(Buffer.from(FIELDS));
    yield header;
    yield* repeated(new Uint8Array(64 * 1024), bytes);
    yield new Uint8Array(Buffer.from("\r\n--x--\r\n"));
  }

  const upload = async (pieces: Iterable<Uint8Array<ArrayBuffer>>): Promise<unknown> =>
    (await send("/v1/audio/transcriptions", "multipart/form-data; boundary=x", pieces)).json();

  test("is taken in and recognised without ever being in memory", async () => {
    // Many bytes that are little to hear.
    const format = { channels: 8, sampleRate: 192_000, bits: 32 };
    // What the recogniser needs at all is not what the file's length costs.
    await upload(form(format, 16 * MEGABYTE));
    const recognising = await growth(async () => {
      expect(await upload(form(format, 96 * MEGABYTE))).toEqual({
        text: "",
        usage: { type: "duration", seconds: 16.384 },
      });
    });
    // It does not grow with the file, but a fresh process gives back late what it has freed.
    expect(recognising).toBeLessThan((isBuilt ? 180 : 90) * MEGABYTE);
    const taking = await growth(async () => {
      // A kind of file that is not read.
      const answer = await upload(form({ ...format, tag: 0x7777 }, 200 * MEGABYTE));
      expect(answer).toMatchObject({ status: 422, code: "invalid" });
    });
    expect(taking).toBeLessThan(90 * MEGABYTE);
  });
});
