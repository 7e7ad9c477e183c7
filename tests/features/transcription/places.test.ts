import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TestApp } from "../../support/app.ts";
import { startListeningApp } from "../../support/listening.ts";
import { finalsOf } from "../../support/returning.ts";
import { type Frame, type TestSocket, openSocket } from "../../support/socket.ts";
import { hasVosk } from "../../support/sound.ts";
import { cut, speech, wavFile, written } from "../../support/speaker.ts";

/** More than one worker ever takes. */
const STREAMS = 60;
const FILE = { encoding: "wav" };
const SAMPLES = {};

let app: TestApp;
beforeEach(async () => {
  ({ app } = await startListeningApp({ RATE_LIMITS: "off" }));
});
afterEach(() => app.stop());

async function start(fields: object): Promise<{ socket: TestSocket; answer: Frame }> {
  const socket = await openSocket(`${app.wsUrl}/v1/ws/transcription`);
  socket.send({ type: "start", language: "en", ...fields });
  return { socket, answer: await socket.next() };
}

/** Opens streams until no more are taken; returns the answer that said so. */
async function fill(fields: object): Promise<Frame | null> {
  for (let streams = 0; streams < STREAMS; streams++) {
    const { answer } = await start(fields);
    if (answer.type !== "ready") return answer;
  }
  return null;
}

describe.skipIf(!hasVosk)(
  "a stream that says its format in a header (needs the recogniser)",
  () => {
    test("has its place once it is told `ready`, whoever comes before the header", async () => {
      const { socket, answer } = await start(FILE);
      expect(answer).toMatchObject({ type: "ready" });
      expect(await fill(SAMPLES)).toMatchObject({ code: "overloaded" });
      for (const frame of cut(wavFile(written(speech(1_000, 5_000))))) socket.sendRaw(frame);
      socket.send({ type: "stop" });
      expect(await socket.next("done", 25_000)).toMatchObject({
        reason: "stop",
        duration_ms: 4_000,
      });
      expect(finalsOf(socket.frames).length).toBeGreaterThan(0);
      expect(socket.frames.filter(({ type }) => type === "error")).toEqual([]);
    });

    test("is told `overloaded` instead of `ready` when there is no place", async () => {
      expect(await fill(FILE)).toMatchObject({ code: "overloaded", retryable: true });
    });

    test("gives its place back when it ends without one", async () => {
      for (let streams = 0; streams < STREAMS; streams++) {
        const { socket, answer } = await start(FILE);
        expect(answer).toMatchObject({ type: "ready" });
        socket.send({ type: "stop" });
        await socket.next("done");
        await socket.closed;
      }
    });
  },
);
