import { BLOCK_SAMPLES } from "./blocks.ts";
import { ENGINE_RATE_HZ, type Heard, type Recogniser } from "./engine.ts";
import type { OnlineRecognizer, OnlineResult, OnlineStream } from "./sherpa-native.ts";
import { wordsOf } from "./sherpa-words.ts";

/**
 * The chunks that a model works on after the last word. They overlap, so that the first may not
 * reach the end of the sound, and models tell a word a little after it was said.
 */
const TAIL_CHUNKS = 2;
/** A model that wants more silence than this at the end of an utterance does without. */
const TAIL_SAMPLES_MAX = 5 * ENGINE_RATE_HZ;

/** Past this many the model begins anew at the next end of an utterance: results hold them all. */
const TOKENS_MAX = 500;

export interface SherpaStreamDependencies {
  recogniser: OnlineRecognizer;
  stream: OnlineStream;
  /** The streams that have new sound. */
  touched: Set<OnlineStream>;
  spell(text: string): string;
  /** Told when the native stream is let go of. */
  countFreed(): void;
}

/**
 * One stream of a sherpa recogniser.
 *
 * The native stream is never told that its input has ended, because that cannot be undone: `final`
 * adds silence that only the model hears, and resets it. `ended` does not reset, because a model
 * forgets everything there and lost the word that had just begun (one of the sixty digits of the
 * test recordings); it only remembers how far the result was told.
 */
export function createSherpaStream(dependencies: SherpaStreamDependencies): Recogniser {
  const { recogniser, touched, spell, countFreed } = dependencies;
  let stream: OnlineStream | null = dependencies.stream;
  let heardSamples = 0;
  /** Silence that was added at the ends of utterances: it is no part of the client's time. */
  let addedSamples = 0;
  /** Where the model began anew; for models that do not say. */
  let resetAtMs = 0;
  let toldTokens = 0;
  let toldCharacters = 0;

  function opened(): OnlineStream {
    if (stream === null) throw new Error("the recogniser was freed");
    return stream;
  }

  /** The rest of the result, with `addedMs` of silence in the stream before it. */
  function take(result: OnlineResult, addedMs: number): Heard {
    const text = untold(result);
    const startMs = result.start_time ? result.start_time * 1000 - addedMs : resetAtMs;
    const words = wordsOf({
      tokens: result.tokens.slice(toldTokens).map(spell),
      startsMs: result.timestamps.slice(toldTokens).map((seconds) => startMs + seconds * 1000),
      durationsMs: [],
      logProbabilities: (result.ys_probs ?? []).slice(toldTokens),
      endMs: msOf(heardSamples),
    });
    toldTokens = result.tokens.length;
    toldCharacters = result.text.length;
    return { text, words };
  }

  function untold({ text }: OnlineResult): string {
    return spell(text.slice(toldCharacters)).trim();
  }

  function reset(): void {
    recogniser.reset(opened());
    resetAtMs = msOf(heardSamples);
    toldTokens = 0;
    toldCharacters = 0;
  }

  /** Silence until the model has worked on all that was said. */
  function flush(): void {
    const silence = new Float32Array(BLOCK_SAMPLES);
    while (recogniser.isReady(opened())) recogniser.decode(opened());
    let chunks = 0;
    for (let samples = 0; chunks < TAIL_CHUNKS && samples < TAIL_SAMPLES_MAX;) {
      opened().acceptWaveform({ samples: silence, sampleRate: ENGINE_RATE_HZ });
      samples += silence.length;
      addedSamples += silence.length;
      for (; recogniser.isReady(opened()); chunks++) recogniser.decode(opened());
    }
  }

  return {
    accept: (samples) => {
      opened().acceptWaveform({ samples, sampleRate: ENGINE_RATE_HZ });
      heardSamples += samples.length;
      touched.add(opened());
    },
    // How far a model lags behind, and how many words it holds back, it does not say.
    lagMs: Number.POSITIVE_INFINITY,
    // After `ended` the silence goes on, but there is nothing more to tell.
    hasEnded: () =>
      recogniser.isEndpoint(opened()) && recogniser.getResult(opened()).tokens.length > toldTokens,
    partial: () => untold(recogniser.getResult(opened())),
    ended: () => {
      const heard = take(recogniser.getResult(opened()), msOf(addedSamples));
      if (toldTokens > TOKENS_MAX) reset();
      return heard;
    },
    final: () => {
      const addedMs = msOf(addedSamples);
      flush();
      const heard = take(recogniser.getResult(opened()), addedMs);
      reset();
      return heard;
    },
    free: () => {
      if (stream === null) return;
      touched.delete(stream);
      stream = null;
      countFreed();
    },
  };
}

function msOf(samples: number): number {
  return (samples * 1000) / ENGINE_RATE_HZ;
}
