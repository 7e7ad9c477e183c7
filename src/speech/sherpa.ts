import { readFileSync } from "node:fs";
import { BLOCK_SAMPLES } from "./blocks.ts";
import {
  ENGINE_RATE_HZ,
  type Engine,
  type Heard,
  type OneShotEngine,
  ServiceFailed,
  type SherpaSource,
  type StreamingEngine,
} from "./engine.ts";
import {
  type OfflineRecognizer,
  type OnlineStream,
  type Sherpa,
  loadSherpa,
} from "./sherpa-native.ts";
import { createSherpaStream } from "./sherpa-stream.ts";
import { wordsOf } from "./sherpa-words.ts";
import { WHISPER_LANGUAGES, codeOfLanguage, languageCode } from "./whisper-languages.ts";

export { locateSherpa } from "./sherpa-native.ts";

/** Streams that are computed together; more of them go in the next batch. */
const STREAMS_PER_BATCH_MAX = 32;

/**
 * Native streams that may wait for the garbage collector, which does not know how large they are:
 * past this many it is called. Otherwise thousands were kept. It takes some 10 ms.
 */
const FREED_MAX = 32;

const PAUSE_SECONDS = 0.8;
const NEVER_SECONDS = 1e6;

/** Whisper hears no more than 30 s; longer sound is cut where it is quietest before this. */
const PIECE_SAMPLES_MAX = 29 * ENGINE_RATE_HZ;
const PIECE_SAMPLES_MIN = 20 * ENGINE_RATE_HZ;

/** Loads the model in this worker. Throws when the library or the model cannot be loaded. */
export function openSherpa(source: SherpaSource): Engine {
  const sherpa = loadSherpa();
  return source.isStreaming ? openStreaming(sherpa, source) : openOneShot(sherpa, source);
}

function openStreaming(sherpa: Sherpa, source: SherpaSource): StreamingEngine {
  const recogniser = new sherpa.OnlineRecognizer({
    featConfig: source.featureConfig,
    modelConfig: source.modelConfig,
    enableEndpoint: 1,
    // A pause after words. Silence alone ends nothing, and speech without a pause is cut by those
    // who feed it.
    rule1MinTrailingSilence: NEVER_SECONDS,
    rule2MinTrailingSilence: PAUSE_SECONDS,
    rule3MinUtteranceLength: NEVER_SECONDS,
  });
  const spell = spellingOf(source);
  const touched = new Set<OnlineStream>();
  const countFreed = createFreedCounter();

  return {
    kind: "streaming",
    open: (language) => {
      const stream = recogniser.createStream();
      if (language !== null && source.takesLanguage) {
        stream.setOption("language", languageCode(language));
      }
      return createSherpaStream({ recogniser, stream, touched, spell, countFreed });
    },
    decode: () => {
      const waiting = [...touched];
      touched.clear();
      for (;;) {
        const ready = waiting.filter((stream) => recogniser.isReady(stream));
        if (ready.length === 0) return;
        recogniser.decodeStreams(ready.slice(0, STREAMS_PER_BATCH_MAX));
      }
    },
  };
}

function openOneShot(sherpa: Sherpa, source: SherpaSource): OneShotEngine {
  const config = { featConfig: source.featureConfig, modelConfig: source.modelConfig };
  const recogniser = new sherpa.OfflineRecognizer(config);
  const spell = spellingOf(source);
  const { whisper } = source.modelConfig as { whisper?: object };
  const countFreed = createFreedCounter();
  let last: Promise<unknown> = Promise.resolve();

  /** Whisper's language belongs to the whole recogniser, so that one sound is heard at a time. */
  function setLanguage(language: string | null): void {
    if (whisper === undefined || !source.takesLanguage) return;
    const code = languageCode(language ?? "");
    // The library ends the process when it does not know a language.
    const known = WHISPER_LANGUAGES.includes(code) ? code : "";
    const modelConfig = { ...source.modelConfig, whisper: { ...whisper, language: known } };
    recogniser.setConfig({ ...config, modelConfig });
  }

  async function hear(
    samples: Float32Array,
    language: string | null,
    signal: AbortSignal,
  ): Promise<Heard> {
    stopIfAborted(signal);
    setLanguage(language);
    const heard: Heard[] = [];
    let heardSamples = 0;
    for (const piece of piecesOf(samples)) {
      // One after the other, so that a long sound takes one core and can be given up between.
      // oxlint-disable-next-line no-await-in-loop
      heard.push(await hearPiece(recogniser, piece, msOf(heardSamples), spell));
      countFreed();
      heardSamples += piece.length;
      stopIfAborted(signal);
    }
    return joined(heard);
  }

  return {
    kind: "one-shot",
    transcribe: (samples, language, signal) => {
      const mine = last.then(() => hear(samples, language, signal));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

async function hearPiece(
  recogniser: OfflineRecognizer,
  samples: Float32Array,
  startMs: number,
  spell: (text: string) => string,
): Promise<Heard> {
  const stream = recogniser.createStream();
  stream.acceptWaveform({ samples, sampleRate: ENGINE_RATE_HZ });
  const result = await recogniser.decodeAsync(stream).catch((cause: unknown) => {
    throw Object.assign(new ServiceFailed("the speech model failed on this sound", false), {
      cause,
    });
  });
  const words = wordsOf({
    tokens: result.tokens.map(spell),
    startsMs: result.timestamps.map((seconds) => startMs + seconds * 1000),
    durationsMs: (result.durations ?? []).map((seconds) => seconds * 1000),
    logProbabilities: result.ys_log_probs ?? [],
    endMs: startMs + msOf(samples.length),
  });
  const language = codeOfLanguage((result.lang ?? "").replace(/[<|>]/g, ""));
  const text = spell(result.text).trim();
  return { text, words, ...(language === undefined ? {} : { language }) };
}

function joined(heard: readonly Heard[]): Heard {
  const [first] = heard;
  if (heard.length === 1 && first !== undefined) return first;
  const language = heard.find((one) => one.language !== undefined)?.language;
  return {
    text: heard.flatMap(({ text }) => (text === "" ? [] : [text])).join(" "),
    words: heard.flatMap(({ words }) => words),
    ...(language === undefined ? {} : { language }),
  };
}

/** Cuts long sound at its quietest blocks. */
function piecesOf(samples: Float32Array): Float32Array[] {
  const pieces: Float32Array[] = [];
  let rest = samples;
  while (rest.length > PIECE_SAMPLES_MAX) {
    let quietest = PIECE_SAMPLES_MIN;
    let least = Number.POSITIVE_INFINITY;
    for (let at = PIECE_SAMPLES_MIN; at + BLOCK_SAMPLES <= PIECE_SAMPLES_MAX; at += BLOCK_SAMPLES) {
      const energy = rest.subarray(at, at + BLOCK_SAMPLES).reduce((sum, x) => sum + x * x, 0);
      if (energy >= least) continue;
      least = energy;
      quietest = at + BLOCK_SAMPLES / 2;
    }
    pieces.push(rest.slice(0, quietest));
    rest = rest.subarray(quietest);
  }
  pieces.push(rest);
  return pieces;
}

/** Models that know capitals only would shout: their words are shown in lower case. */
function spellingOf({ modelConfig }: SherpaSource): (text: string) => string {
  const { tokens, whisper } = modelConfig as { tokens?: string; whisper?: object };
  // Whisper's file holds its tokens in base64.
  if (tokens === undefined || whisper !== undefined) return (text) => text;
  const letters = readFileSync(tokens, "utf8").replaceAll(/<[^>\n]*>/g, "");
  const hasCapitalsOnly = /\p{Lu}/u.test(letters) && !/\p{Ll}/u.test(letters);
  return hasCapitalsOnly ? (text) => text.toLowerCase() : (text) => text;
}

/** To be called whenever a native stream is let go of. */
function createFreedCounter(): () => void {
  let freed = 0;
  return () => {
    freed += 1;
    if (freed < FREED_MAX) return;
    freed = 0;
    Bun.gc(true);
  };
}

function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ServiceFailed("nobody waits for these words any more", true);
}

function msOf(samples: number): number {
  return (samples * 1000) / ENGINE_RATE_HZ;
}
