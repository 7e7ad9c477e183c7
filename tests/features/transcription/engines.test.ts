import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { decodeWav } from "../../../src/speech/wav.ts";
import { type TestApp, startTestApp, temporaryFolder, until } from "../../support/app.ts";
import { createRandom } from "../../support/random.ts";
import { openSocket } from "../../support/socket.ts";
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
import { DIGITS, hasDigits } from "../../support/digits.ts";

setDefaultTimeout(30_000);

const KINDS = {
  streaming: "model-streaming-nemo-ctc.onnx",
  "one-shot": "model-offline-zipformer-ctc.onnx",
};

describe.skipIf(!hasDigits)("a sherpa model (needs ../shared)", () => {
  for (const [kind, file] of Object.entries(KINDS)) {
    describe(kind, () => {
      let folder: string;
      let app: TestApp;

      beforeAll(async () => {
        folder = temporaryFolder();
        mkdirSync(join(folder, "digits"));
        for (const name of ["tokens.txt", file]) {
          symlinkSync(join(DIGITS, name), join(folder, "digits", name));
        }
        app = await startTestApp({
          SPEECH_WORKERS: "1",
          SPEECH_ENGINE: "auto",
          MODELS_DIR: folder,
        });
        await until(async () => (await fetch(`${app.url}/readyz`)).ok);
      });
      afterAll(async () => {
        await app.stop();
        rmSync(folder, { recursive: true });
      });

      test("is taken before the bundled one, is named, and hears", async () => {
        const wav = new Uint8Array(readFileSync(join(DIGITS, "test_wavs/digits00.wav")));
        const frames = await speak(app, cut(wav), { encoding: "wav" });
        expect(frames[0]).toMatchObject({ type: "ready", engine: "sherpa", model: "digits" });
        expect(wordsIn(frames)).toBe("nine two two eight five zero");
        const partials = frames.filter((frame) => frame.type === "partial");
        if (kind === "streaming") expect(partials.length).toBeGreaterThan(2);
        else expect(partials).toEqual([]);
        const [final] = frames.filter((frame) => frame.type === "final");
        const words = final?.["words"] as { word: string; start_ms: number; end_ms: number }[];
        expect(words.map(({ word }) => word).join(" ")).toBe(String(final?.["text"]));
      });

      test("hears several speakers at once, and each their own", async () => {
        const names = ["digits00", "digits03"];
        const wavs = names.map(
          (name) => new Uint8Array(readFileSync(join(DIGITS, `test_wavs/${name}.wav`))),
        );
        const told = await Promise.all(
          wavs.map((wav) => speak(app, cut(wav), { encoding: "wav" })),
        );
        expect(told.map(wordsIn)).toEqual([
          "nine two two eight five zero",
          "seven two three eight five one",
        ]);
      });

      test("has no words in silence, in noise and in notes", async () => {
        for (const sound of wordless()) {
          const frames = await speak(
            app,
            cut(written(sound), () => 32_000),
          );
          expect(wordsIn(frames)).toBe("");
          expect(frames.at(-1)).toMatchObject({ segments: 0, word_count: 0 });
        }
      });

      test("does not know Hindi, and says what would", async () => {
        const socket = await openSocket(`${app.wsUrl}/v1/ws/transcription`);
        socket.send({ type: "start", language: "hi" });
        const error = await socket.next("error");
        expect(error["code"]).toBe("unsupported_language");
        expect(String(error["message"])).toMatch(/sherpa digits \(en\).*models pull /);
        socket.close();
      });
    });
  }
});

describe.skipIf(!hasDigits || !hasVosk)("models side by side (needs ../shared)", () => {
  test("each hear their language, and one stream may go from one to the other", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "digits-hi"));
    for (const name of ["tokens.txt", KINDS.streaming]) {
      symlinkSync(join(DIGITS, name), join(folder, "digits-hi", name));
    }
    const app = await startHearingApp({ SPEECH_ENGINE: "auto", MODELS_DIR: folder });
    const digits = decodeWav(readFileSync(join(DIGITS, "test_wavs/digits00.wav")));
    const sound = cut(written([...digits.samples]));
    const hindi = await speak(app, sound, { language: "hi" });
    expect(hindi[0]).toMatchObject({ engine: "sherpa", model: "digits-hi" });
    expect(wordsIn(hindi)).toBe("nine two two eight five zero");

    const { socket, ready } = await startStream(app, { language: "en" });
    expect(ready).toMatchObject({ engine: "vosk" });
    for (const frame of cut(written(speech(0, 3_000)))) socket.sendRaw(frame);
    socket.send({ type: "configure", language: "hi" });
    await socket.next("configured");
    for (const frame of sound) socket.sendRaw(frame);
    socket.send({ type: "stop" });
    await socket.next("done", 25_000);
    const finals = socket.frames.filter((frame) => frame.type === "final");
    expect(finals.map((frame) => frame["language"])).toEqual(["en", "hi"]);
    expect(finals[1]).toMatchObject({ text: "nine two two eight five zero" });
    expect(Number(finals[1]?.["start_ms"])).toBeGreaterThanOrEqual(3_000);
    await app.stop();
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(!hasVosk)("the bundled recogniser (needs the recogniser)", () => {
  test("has no words in silence, in noise and in notes", async () => {
    const app = await startHearingApp({ SPEECH_WORKERS: "1" });
    for (const sound of wordless()) {
      const frames = await speak(
        app,
        cut(written(sound), () => 32_000),
      );
      expect(wordsIn(frames)).toBe("");
    }
    await app.stop();
  });
});

describe("a model that cannot be used", () => {
  test("stops the start when it was asked for by name", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "broken"));
    symlinkSync("/dev/null", join(folder, "broken", "tokens.txt"));
    const named = { SPEECH_ENGINE: "sherpa", MODELS_DIR: folder };
    expect(startTestApp({ ...named, SPEECH_MODEL: "broken" })).rejects.toThrow(/broken/);
    expect(startTestApp({ ...named, SPEECH_MODEL: "absent" })).rejects.toThrow(/absent/);
    expect(startTestApp({ ...named })).rejects.toThrow(/models list/);
    rmSync(folder, { recursive: true });
  });

  test("is passed over when nobody asked for it", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "broken"));
    symlinkSync("/dev/null", join(folder, "broken", "tokens.txt"));
    const app = await startTestApp({ SPEECH_ENGINE: "auto", MODELS_DIR: folder });
    await until(() => app.lines.join("").includes("a model cannot be used"));
    await app.stop();
    rmSync(folder, { recursive: true });
  });
});

const RATE_HZ = 16_000;
const SECONDS = 4;

/** Sounds in which nobody speaks: silence, noise that sets in, and a tune of notes with overtones. */
function wordless(): number[][] {
  const random = createRandom(11);
  const samples = Array.from({ length: SECONDS * RATE_HZ }, (_, at) => at);
  const silence = samples.map(() => 0);
  const noise = samples.map((at) => (at < RATE_HZ ? 0 : (random() - 0.5) * 0.3));
  const notes = Array.from(
    { length: SECONDS * 3 },
    () => 220 * 2 ** (Math.floor(random() * 24) / 12),
  );
  const tune = samples.map((at) => {
    const within = (at % (RATE_HZ / 3)) / RATE_HZ;
    const hertz = notes[Math.floor((at * 3) / RATE_HZ)] ?? 440;
    const envelope = Math.min(1, within / 0.02) * Math.exp(-4 * within) * 0.3;
    const phase = (2 * Math.PI * hertz * at) / RATE_HZ;
    return envelope * (Math.sin(phase) + Math.sin(2 * phase) / 2 + Math.sin(3 * phase) / 4);
  });
  return [silence, noise, tune];
}
