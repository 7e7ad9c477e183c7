import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Heard,
  type OneShotEngine,
  type Recogniser,
  ServiceFailed,
  type StreamingEngine,
} from "../../src/speech/engine.ts";
import { describeSherpaModel } from "../../src/speech/sherpa-models.ts";
import { wordsOf } from "../../src/speech/sherpa-words.ts";
import { locateSherpa, openSherpa } from "../../src/speech/sherpa.ts";
import { createWavParser } from "../../src/speech/wav.ts";

const DIGITS = join(import.meta.dir, "../../../shared/models/digits-streaming-ctc");
const hasDigits = locateSherpa() !== null && existsSync(DIGITS);

const BLOCK = 1_600;
const SECOND = 16_000;
const SILENCE = new Float32Array(3 * SECOND);

const scratch = mkdtempSync(join(tmpdir(), "earshot-sherpa-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder of models that are whole but hold nothing: one field, the version. */
function fakeModel(name: string, files: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  for (const file of files.split(" ")) {
    const content = file.endsWith(".txt") ? "<blk> 0\n▁A 1\n" : Uint8Array.of(8, 8);
    writeFileSync(join(folder, file), content);
  }
  return folder;
}

const both = (...names: string[]) =>
  names.flatMap((name) => [`${name}.int8.onnx`, `${name}.onnx`]).join(" ");

describe("the model of a folder", () => {
  const ZIPFORMER = "epoch-99-avg-1";
  const CHUNKED = "epoch-99-avg-1-chunk-16-left-128";
  const released: [string, string, object, object][] = [
    [
      "sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
      `${both(`encoder-${ZIPFORMER}`, `decoder-${ZIPFORMER}`, `joiner-${ZIPFORMER}`)} tokens.txt`,
      { kind: "transducer", isStreaming: true, takesLanguage: false, languages: ["en"] },
      {
        transducer: {
          encoder: `encoder-${ZIPFORMER}.int8.onnx`,
          decoder: `decoder-${ZIPFORMER}.onnx`,
          joiner: `joiner-${ZIPFORMER}.int8.onnx`,
        },
      },
    ],
    [
      "sherpa-onnx-streaming-zipformer-en-2023-06-26",
      `${both(`encoder-${CHUNKED}`, `decoder-${CHUNKED}`, `joiner-${CHUNKED}`)} tokens.txt`,
      { kind: "transducer", isStreaming: true, languages: ["en"] },
      {
        transducer: {
          encoder: `encoder-${CHUNKED}.int8.onnx`,
          decoder: `decoder-${CHUNKED}.onnx`,
          joiner: `joiner-${CHUNKED}.int8.onnx`,
        },
      },
    ],
    [
      "sherpa-onnx-nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11",
      "encoder.int8.onnx decoder.int8.onnx joiner.int8.onnx tokens.txt",
      {
        kind: "transducer",
        isStreaming: true,
        takesLanguage: true,
        featureConfig: { sampleRate: 16_000, featureDim: 128 },
        languages: expect.arrayContaining(["en", "hi"]),
      },
      { transducer: { encoder: "encoder.int8.onnx" } },
    ],
    [
      "sherpa-onnx-nemo-streaming-fast-conformer-ctc-en-80ms",
      "model.onnx tokens.txt",
      { kind: "nemoCtc", isStreaming: true, languages: ["en"] },
      { nemoCtc: { model: "model.onnx" } },
    ],
    [
      "sherpa-onnx-streaming-zipformer-small-ctc-zh-int8-2025-04-01",
      "model.int8.onnx tokens.txt",
      { kind: "zipformer2Ctc", isStreaming: true, languages: ["zh"] },
      { zipformer2Ctc: { model: "model.int8.onnx" } },
    ],
    [
      "sherpa-onnx-streaming-t-one-russian-2025-09-08",
      "model.onnx tokens.txt",
      { kind: "toneCtc", isStreaming: true, languages: ["ru"] },
      { toneCtc: { model: "model.onnx" } },
    ],
    [
      "sherpa-onnx-streaming-paraformer-bilingual-zh-en",
      `${both("encoder", "decoder")} tokens.txt`,
      { kind: "paraformer", isStreaming: true, languages: ["zh", "en"] },
      { paraformer: { encoder: "encoder.int8.onnx", decoder: "decoder.int8.onnx" } },
    ],
    [
      "sherpa-onnx-whisper-tiny.en",
      `${both("tiny.en-encoder", "tiny.en-decoder")} tiny.en-tokens.txt`,
      { kind: "whisper", isStreaming: false, takesLanguage: false, languages: ["en"] },
      { whisper: { encoder: "tiny.en-encoder.int8.onnx", decoder: "tiny.en-decoder.int8.onnx" } },
    ],
    [
      "sherpa-onnx-whisper-tiny",
      `${both("tiny-encoder", "tiny-decoder")} tiny-tokens.txt`,
      {
        kind: "whisper",
        isStreaming: false,
        takesLanguage: true,
        languages: expect.arrayContaining(["en", "hi"]),
      },
      { tokens: "tiny-tokens.txt" },
    ],
    [
      "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
      "encoder.int8.onnx decoder.int8.onnx joiner.int8.onnx tokens.txt",
      { kind: "transducer", isStreaming: false, takesLanguage: false, languages: ["en"] },
      { modelType: "nemo_transducer", transducer: { joiner: "joiner.int8.onnx" } },
    ],
    [
      "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",
      "encoder.int8.onnx decoder.int8.onnx joiner.int8.onnx tokens.txt",
      { isStreaming: false, languages: expect.arrayContaining(["en", "de", "uk"]) },
      { modelType: "nemo_transducer" },
    ],
    [
      "sherpa-onnx-zipformer-en-2023-04-01",
      `${both("encoder-epoch-99-avg-1", "decoder-epoch-99-avg-1", "joiner-epoch-99-avg-1")} tokens.txt`,
      { kind: "transducer", isStreaming: false, languages: ["en"] },
      { modelType: "transducer" },
    ],
    [
      "sherpa-onnx-nemo-ctc-giga-am-russian-2024-10-24",
      "model.int8.onnx tokens.txt",
      { kind: "nemoCtc", isStreaming: false, languages: ["ru"] },
      { nemoCtc: { model: "model.int8.onnx" } },
    ],
    [
      "sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17",
      `${both("model")} tokens.txt`,
      { kind: "senseVoice", isStreaming: false, languages: ["zh", "en", "ja", "ko", "yue"] },
      { senseVoice: { model: "model.int8.onnx" } },
    ],
    [
      "sherpa-onnx-moonshine-tiny-en-int8",
      "preprocess.onnx encode.int8.onnx uncached_decode.int8.onnx cached_decode.int8.onnx tokens.txt",
      { kind: "moonshine", isStreaming: false, languages: ["en"] },
      {
        moonshine: {
          preprocessor: "preprocess.onnx",
          encoder: "encode.int8.onnx",
          uncachedDecoder: "uncached_decode.int8.onnx",
          cachedDecoder: "cached_decode.int8.onnx",
        },
      },
    ],
    [
      "sherpa-onnx-moonshine-tiny-en-quantized-2026-02-27",
      "encoder_model.ort decoder_model_merged.ort tokens.txt",
      { kind: "moonshine", isStreaming: false, languages: ["en"] },
      {
        moonshine: { encoder: "encoder_model.ort", mergedDecoder: "decoder_model_merged.ort" },
      },
    ],
  ];
  for (const [name, files, model, config] of released) {
    test(`is known by its names: ${name}`, () => {
      const folder = fakeModel(name, files);
      const described = describeSherpaModel(folder);
      expect(described).toMatchObject(model);
      const relative = JSON.stringify(described.modelConfig).replaceAll(`${folder}/`, "");
      expect(JSON.parse(relative)).toMatchObject({ tokens: expect.any(String), ...config });
    });
  }

  const lacking: [string, string, string][] = [
    ["sherpa-onnx-streaming-zipformer-en-1", "encoder.onnx decoder.onnx tokens.txt", "joiner"],
    ["sherpa-onnx-streaming-zipformer-en-2", "encoder.onnx joiner.onnx tokens.txt", "decoder"],
    ["sherpa-onnx-streaming-zipformer-en-3", "decoder.onnx joiner.onnx tokens.txt", "encoder"],
    ["sherpa-onnx-nemo-parakeet-tdt-4", "encoder.onnx decoder.onnx joiner.onnx", "tokens.txt"],
    ["sherpa-onnx-whisper-base", "base-encoder.onnx base-tokens.txt", "decoder"],
    ["sherpa-onnx-moonshine-en", "preprocess.onnx encode.onnx tokens.txt", "uncached_decode"],
    ["something", "tokens.txt", ".onnx"],
  ];
  for (const [name, files, part] of lacking) {
    test(`is refused with the name of what is missing: ${name}, ${part}`, () => {
      expect(() => describeSherpaModel(fakeModel(name, files))).toThrow(part);
    });
  }

  test("is refused when a file was cut short", () => {
    const folder = fakeModel("sherpa-onnx-nemo-ctc-en", "model.onnx tokens.txt");
    // A field that says that it has a hundred bytes, of which there are three.
    writeFileSync(join(folder, "model.onnx"), Uint8Array.of(8, 8, 58, 100, 1, 2, 3));
    expect(() => describeSherpaModel(folder)).toThrow("model.onnx is not a whole model");
    writeFileSync(join(folder, "model.onnx"), "");
    expect(() => describeSherpaModel(folder)).toThrow("model.onnx is not a whole model");
  });

  test("is refused when its tokens are empty", () => {
    const folder = fakeModel("sherpa-onnx-nemo-ctc-hi", "model.onnx tokens.txt");
    writeFileSync(join(folder, "tokens.txt"), "");
    expect(() => describeSherpaModel(folder)).toThrow("tokens.txt");
  });
});

describe("words of pieces", () => {
  const pieces = { durationsMs: [], logProbabilities: [], endMs: 10_000 };

  test("are joined where a piece begins a word, with times and probabilities", () => {
    const words = wordsOf({
      ...pieces,
      tokens: ["▁he", "llo", " wor", "ld"],
      startsMs: [100, 200, 300, 400],
      logProbabilities: [Math.log(0.9), Math.log(0.4), 0, 0],
    });
    expect(words).toEqual([
      { word: "hello", startMs: 100, endMs: 300, confidence: 0.6 },
      { word: "world", startMs: 300, endMs: 640, confidence: 1 },
    ]);
  });

  test("take the model's own durations and end with the sound", () => {
    const tokens = [" a", " b"];
    const words = wordsOf({
      ...pieces,
      tokens,
      startsMs: [0, 500],
      durationsMs: [80, 900],
      endMs: 600,
    });
    expect(words.map(({ endMs }) => endMs)).toEqual([80, 600]);
  });

  test("are one a character where no spaces are written", () => {
    const words = wordsOf({ ...pieces, tokens: ["你", "好", "▁ok"], startsMs: [0, 200, 400] });
    expect(words.map(({ word }) => word)).toEqual(["你", "好", "ok"]);
  });

  test("are put together from the bytes of their characters", () => {
    const bytes = [..."ह"].flatMap((one) => [...new TextEncoder().encode(one)]);
    const tokens = ["▁", ...bytes.map((byte) => `<0x${byte.toString(16).toUpperCase()}>`), "म"];
    const startsMs = tokens.map((_, at) => at * 40);
    expect(wordsOf({ ...pieces, tokens, startsMs })).toMatchObject([{ word: "हम" }]);
  });

  test("are none without times", () => {
    expect(wordsOf({ ...pieces, tokens: ["▁a"], startsMs: [] })).toEqual([]);
  });
});

/** What this small model hears; five of the ten are what was said. */
const HEARD: Record<string, string> = {
  "digits00.wav": "nine two two eight five zero",
  "digits01.wav": "six one one three one eight six",
  "digits02.wav": "eight eight five one nine five",
  "digits03.wav": "seven two three eight five one",
  "digits04.wav": "seven seven two",
  "digits05.wav": "five eight five seven eight zero",
  "digits06.wav": "nine five seven three",
  "digits07.wav": "zero eight six eight four four",
  "digits08.wav": "four zero two five nine zero",
  "digits09.wav": "one three eight eight two nine",
};

describe.skipIf(!hasDigits)("sherpa on real sound (needs ../shared)", () => {
  const streaming = hasDigits ? openStreaming() : null;
  const oneShot = hasDigits ? openOffline() : null;
  const clips = hasDigits ? readClips() : [];
  const clip = (at: number): Float32Array => clips[at]?.samples ?? new Float32Array();

  test("hears the recordings while they are spoken, as well as the model can", () => {
    const heard = clips.map(({ samples }) => textOf(listen(engine(), samples)));
    expect(heard).toEqual(clips.map(({ name }) => HEARD[name] ?? ""));
    const right = clips.filter(({ reference }, at) => heard[at] === reference);
    expect(right).toHaveLength(5);
  });

  test("hears the same at once", async () => {
    for (const { name, samples } of clips) {
      const heard = await shot().transcribe(samples, null, new AbortController().signal);
      expect(heard.text).toBe(HEARD[name] ?? "");
      expect(heard.words.map(({ word }) => word).join(" ")).toBe(heard.text);
      expectRising(heard.words, msOf(samples.length));
    }
  });

  test("hears streams together as it hears them alone", () => {
    const recognisers = clips.map(() => engine().open(null));
    const heard: Heard[][] = clips.map(() => []);
    const longest = Math.max(...clips.map(({ samples }) => samples.length));
    for (let at = 0; at < longest; at += BLOCK) {
      for (const [stream, { samples }] of clips.entries()) {
        if (at < samples.length) recognisers[stream]?.accept(samples.slice(at, at + BLOCK));
      }
      engine().decode();
      for (const [stream, recogniser] of recognisers.entries()) {
        if (recogniser.hasEnded()) heard[stream]?.push(recogniser.ended());
      }
    }
    for (const [stream, recogniser] of recognisers.entries()) {
      heard[stream]?.push(recogniser.final());
      recogniser.free();
    }
    expect(heard.map(textOf)).toEqual(clips.map(({ name }) => HEARD[name] ?? ""));
  });

  for (const block of [160, 1_000, 5_000, SECOND * 10]) {
    test(`hears the same in blocks of ${block} samples`, () => {
      expect(textOf(listen(engine(), clip(3), block))).toBe(HEARD["digits03.wav"] ?? "");
    });
  }

  test("loses no last word when it is asked for one in the middle of the sound", () => {
    for (const { samples } of clips) {
      const words = listen(engine(), samples).flatMap((one) => one.words);
      const lastMs = words.at(-1)?.endMs ?? 0;
      const cut = samples.slice(0, lastMs * 16);
      const patient = textOf(listen(engine(), joined(cut, SILENCE)));
      expect(textOf(listen(engine(), cut))).toBe(patient);
    }
  });

  test("goes on after the end of an utterance as if nothing had been", () => {
    const recogniser = engine().open(null);
    const heard = [0, 3, 8, 9].map((at) => textOf(feed(recogniser, clip(at))));
    recogniser.free();
    const alone = [0, 3, 8, 9].map((at) => HEARD[clips[at]?.name ?? ""] ?? "");
    expect(heard).toEqual(alone);
  });

  test("tells times from the start of the stream, whatever was cut", () => {
    const recogniser = engine().open(null);
    const first = feed(recogniser, clip(0)).flatMap(({ words }) => words);
    const second = feed(recogniser, clip(0)).flatMap(({ words }) => words);
    const third = feed(recogniser, clip(0)).flatMap(({ words }) => words);
    recogniser.free();
    expectRising([...first, ...second, ...third], 3 * msOf(clip(0).length));
    for (const [round, words] of [second, third].entries()) {
      const offsetMs = (round + 1) * msOf(clip(0).length);
      for (const [at, { startMs }] of words.entries()) {
        // The model works on pieces of 320 ms and tells times to 40 ms.
        expect(Math.abs(startMs - offsetMs - (first[at]?.startMs ?? 0))).toBeLessThanOrEqual(40);
      }
    }
  });

  test("shows words while they come, and ends an utterance by itself after a pause", () => {
    const recogniser = engine().open(null);
    const shown = new Set<string>();
    const ended: Heard[] = [];
    const sound = joined(clip(3), SILENCE);
    for (let at = 0; at < sound.length; at += BLOCK) {
      recogniser.accept(sound.slice(at, at + BLOCK));
      engine().decode();
      shown.add(recogniser.partial());
      if (recogniser.hasEnded()) ended.push(recogniser.ended());
    }
    expect(recogniser.partial()).toBe("");
    recogniser.free();
    expect(textOf(ended)).toBe(HEARD["digits03.wav"] ?? "");
    expect([...shown]).toContain("seven two three");
  });

  test("hears nothing in silence", () => {
    expect(textOf(listen(engine(), SILENCE))).toBe("");
    const recogniser = engine().open(null);
    expect(recogniser.final()).toEqual({ text: "", words: [] });
    recogniser.free();
  });

  test("cuts long sound in pauses and tells its times from the start", async () => {
    const long = joined(...clips.map(({ samples }) => samples));
    expect(long.length).toBeGreaterThan(30 * SECOND);
    const heard = await shot().transcribe(long, "en", new AbortController().signal);
    expectRising(heard.words, msOf(long.length));
    expect(heard.words.map(({ word }) => word).join(" ")).toBe(heard.text);
    expect(heard.text.startsWith(HEARD["digits00.wav"] ?? "?")).toBe(true);
    expect(heard.text.endsWith(HEARD["digits09.wav"] ?? "?")).toBe(true);
  });

  test("does not work for those who have gone", async () => {
    const gone = shot().transcribe(clip(0), null, AbortSignal.abort());
    expect(await gone.catch((error: unknown) => error)).toBeInstanceOf(ServiceFailed);
    const controller = new AbortController();
    const going = shot().transcribe(clip(0), null, controller.signal);
    controller.abort();
    expect(await going.catch((error: unknown) => error)).toBeInstanceOf(ServiceFailed);
    const staying = await shot().transcribe(clip(0), null, new AbortController().signal);
    expect(staying.text).toBe(HEARD["digits00.wav"] ?? "");
  });

  test("answers several at a time, each with its own", async () => {
    const asked = clips.map(({ samples }) =>
      shot().transcribe(samples, null, new AbortController().signal),
    );
    const heard = await Promise.all(asked);
    expect(heard.map(({ text }) => text)).toEqual(clips.map(({ name }) => HEARD[name] ?? ""));
  });

  function engine(): StreamingEngine {
    if (streaming === null) throw new Error("there is no engine");
    return streaming;
  }

  function shot(): OneShotEngine {
    if (oneShot === null) throw new Error("there is no engine");
    return oneShot;
  }

  /** Feeds one utterance as a worker does. */
  function feed(recogniser: Recogniser, samples: Float32Array, block = BLOCK): Heard[] {
    const heard: Heard[] = [];
    for (let at = 0; at < samples.length; at += block) {
      recogniser.accept(samples.slice(at, at + block));
      engine().decode();
      if (recogniser.hasEnded()) heard.push(recogniser.ended());
    }
    return [...heard, recogniser.final()];
  }

  function listen(engine: StreamingEngine, samples: Float32Array, block = BLOCK): Heard[] {
    const recogniser = engine.open(null);
    const heard = feed(recogniser, samples, block);
    recogniser.free();
    return heard;
  }
});

function openStreaming(): StreamingEngine {
  const engine = openSherpa({ engine: "sherpa", ...describeSherpaModel(DIGITS) });
  if (engine.kind !== "streaming") throw new Error("not a streaming engine");
  return engine;
}

function openOffline(): OneShotEngine {
  const folder = join(scratch, "digits-offline");
  mkdirSync(folder);
  for (const file of ["model-offline-zipformer-ctc.onnx", "tokens.txt"]) {
    symlinkSync(join(DIGITS, file), join(folder, file));
  }
  const engine = openSherpa({ engine: "sherpa", ...describeSherpaModel(folder) });
  if (engine.kind !== "one-shot") throw new Error("not a one-shot engine");
  return engine;
}

function readClips(): { name: string; reference: string; samples: Float32Array }[] {
  const lines = readFileSync(join(DIGITS, "test_wavs/ref.tsv"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const [name = "", reference = ""] = line.split("\t");
    const wav = new Uint8Array(readFileSync(join(DIGITS, "test_wavs", name)));
    const audio = createWavParser().push(wav)?.audio.slice() ?? new Uint8Array();
    return {
      name,
      reference,
      samples: Float32Array.from(new Int16Array(audio.buffer), (x) => x / 0x8000),
    };
  });
}

function joined(...parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function textOf(heard: readonly Heard[]): string {
  return heard.flatMap(({ text }) => (text === "" ? [] : [text])).join(" ");
}

function expectRising(words: Heard["words"], endMs: number): void {
  let earliestMs = 0;
  for (const word of words) {
    expect(word.startMs).toBeGreaterThanOrEqual(earliestMs);
    expect(word.endMs).toBeGreaterThan(word.startMs);
    earliestMs = word.endMs;
  }
  expect(earliestMs).toBeLessThanOrEqual(Math.ceil(endMs));
}

function msOf(samples: number): number {
  return samples / 16;
}
