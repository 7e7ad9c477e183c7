import { type AudioFormat, createDecoder } from "./audio.ts";
import { createBlocks } from "./blocks.ts";
import { ENGINE_RATE_HZ, type Engine } from "./engine.ts";
import { openSoundFile } from "./files/open.ts";
import type { SoundPiece } from "./files/piece.ts";
import { type Listener, type ListenerEvent, openListener } from "./listener.ts";
import { type Resampler, createResampler } from "./resample.ts";
import { createSegmenter } from "./segmenter.ts";

/** How far a stream has come, in samples at `ENGINE_RATE_HZ` from the start of its sound. */
export interface Place {
  /** So much is worked on. */
  processed: number;
  /** So much would not be needed again to tell what comes next. */
  settled: number;
}

/** What comes of the sound of one stream, in the order of the sound. */
export type StreamEvent = (ListenerEvent | { type: "progress" }) & Place;

export interface StreamRequest {
  /** `file` finds out by itself. */
  format: AudioFormat | "file";
  /** Null leaves it to the engine. */
  language: string | null;
  endpointingMs: number;
  /** Where in its sound the stream begins, when an earlier one has told what was before. */
  startAt: number;
}

/** From a client's bytes to words. */
export interface SoundStream {
  engine: Engine;
  /** Takes sound; it is worked on block by block. Not before what was pushed earlier is. */
  push(bytes: Uint8Array): Promise<void>;
  /** Decodes more of what was pushed; null when all of it is. */
  decodeMore(): Promise<void> | null;
  /** Gives the engine the next block. False when there is none. */
  accept(): boolean;
  /** Tells what came of the block, once the engine has decoded. */
  collect(): void;
  /** Resolves when it can take another block; null when it can now. */
  wait(): Promise<void> | null;
  /** Drops the sound that waits; what comes next ends the stream where the engine has come to. */
  forget(): void;
  /** Ends the current utterance with the sound that was pushed so far. */
  cut(): Promise<void>;
  /** As `cut`, with the last samples that a filter still holds. */
  end(): Promise<void>;
  setEndpointing(ms: number): void;
  /** Ends the current utterance and listens on with another engine, or for another language. */
  change(engine: Engine, language: string | null): Promise<void>;
  free(): void;
}

const PROGRESS_EVERY_BLOCKS = 5;
/** A few bytes may hold hours of silence: no more of them is decoded while so much waits. */
const READY_BLOCKS_MAX = 50;

/**
 * Decodes, resamples and recognises. The recogniser is fed blocks of one size however the sound was
 * framed, because its words depend on it.
 */
export async function openSoundStream(
  firstEngine: Engine,
  { format, language: firstLanguage, endpointingMs, startAt }: StreamRequest,
  tell: (event: StreamEvent) => void,
  fail: (error: unknown) => void,
): Promise<SoundStream> {
  const segmenter = createSegmenter(endpointingMs, startAt);
  const source = await openSource(format);
  const blocks = createBlocks();
  let ready: Float32Array[] = [];
  let decoding: AsyncIterator<Float32Array> | null = null;
  let isForgotten = false;
  let isFree = false;
  let blocksSinceTold = 0;
  let engine = firstEngine;
  let listener: Listener;

  const place = (): Place => ({ processed: listener.processed(), settled: listener.settled() });

  const listen = (language: string | null): Listener =>
    openListener(engine, {
      segmenter,
      language,
      tell: (event) => {
        blocksSinceTold = 0;
        tell({ ...inLanguage(event, language), ...place() });
      },
      fail,
    });

  const accept = (): boolean => {
    const block = ready.shift();
    if (block !== undefined) listener.accept(block);
    return block !== undefined;
  };

  const collect = (): void => {
    listener.collect();
    if (++blocksSinceTold < PROGRESS_EVERY_BLOCKS) return;
    blocksSinceTold = 0;
    tell({ type: "progress", ...place() });
  };

  const decode = async (from: AsyncIterator<Float32Array>): Promise<void> => {
    while (ready.length < READY_BLOCKS_MAX) {
      const { done, value } = await from.next();
      if (isForgotten) return;
      if (done === true) {
        decoding = null;
        return;
      }
      ready.push(...blocks.push(value));
    }
  };

  const start = async (samples: AsyncIterator<Float32Array>): Promise<void> => {
    decoding = samples;
    await decode(samples);
  };

  /** Works on all that is decoded. */
  const work = async (): Promise<void> => {
    for (;;) {
      await listener.wait();
      if (isFree || !accept()) return;
      if (engine.kind === "streaming") engine.decode();
      collect();
    }
  };

  /** Works on all that has come, a last block that is not full too. */
  const drain = async (): Promise<void> => {
    await work();
    while (decoding !== null) {
      await decode(decoding);
      await work();
    }
    const rest = blocks.flush();
    // After sound that was forgotten it would stand in a wrong place.
    if (rest !== null && !isForgotten) ready.push(rest);
    await work();
  };

  const cut = async (isAsked: boolean): Promise<void> => {
    await drain();
    // Whoever freed it meanwhile asks for nothing more, and the engine must not be touched.
    if (isFree) return;
    await listener.cut(isAsked);
    tell({ type: "progress", ...place() });
  };

  listener = listen(firstLanguage);
  return {
    get engine() {
      return engine;
    },
    push: (bytes) => start(source.push(bytes)),
    decodeMore: () => (decoding === null ? null : decode(decoding)),
    accept,
    collect,
    wait: () => listener.wait(),
    forget: () => {
      isForgotten = true;
      ready = [];
      decoding = null;
    },
    cut: () => cut(true),
    end: async () => {
      if (!isForgotten) await start(source.end());
      await cut(false);
    },
    setEndpointing: segmenter.setEndpointing,
    change: async (next, language) => {
      await cut(false);
      if (isFree) return;
      listener.free();
      engine = next;
      listener = listen(language);
    },
    free: () => {
      isFree = true;
      source.free();
      listener.free();
    },
  };
}

/** Bytes to mono samples at the engines' rate. */
interface Source {
  push(bytes: Uint8Array): AsyncIterator<Float32Array>;
  /** What is left when no more bytes come. */
  end(): AsyncIterator<Float32Array>;
  free(): void;
}

function openSource(format: AudioFormat | "file"): Promise<Source> {
  return format === "file" ? openFileSource() : openRawSource(format);
}

async function openRawSource(format: AudioFormat): Promise<Source> {
  const decoder = createDecoder(format);
  const resampler = await createResampler(format.sampleRate, ENGINE_RATE_HZ);
  return {
    push: async function* (bytes) {
      yield resampler.push(decoder.decode(bytes));
    },
    end: async function* () {
      yield resampler.flush();
    },
    free: () => resampler.free(),
  };
}

async function openFileSource(): Promise<Source> {
  const file = openSoundFile();
  let resampler: Resampler | null = null;

  const resample = async function* (
    pieces: AsyncIterable<SoundPiece>,
  ): AsyncGenerator<Float32Array> {
    for await (const { samples, sampleRate } of pieces) {
      resampler ??= await createResampler(sampleRate, ENGINE_RATE_HZ);
      yield resampler.push(samples);
    }
  };

  return {
    push: (bytes) => resample(file.push(bytes)),
    end: async function* () {
      yield* resample(file.end());
      if (resampler !== null) yield resampler.flush();
    },
    free: () => {
      file.free();
      resampler?.free();
    },
  };
}

/** A final says in which language it was listened for, since that may have changed by the time it comes. */
function inLanguage(event: ListenerEvent, language: string | null): ListenerEvent {
  if (event.type !== "final" || language === null) return event;
  return { ...event, heard: { language, ...event.heard } };
}
