import { type AudioFormat, createDecoder } from "./audio.ts";
import { createBlocks, toPcm16 } from "./blocks.ts";
import { ENGINE_RATE_HZ, type Heard, type Recogniser } from "./engine.ts";
import { createLeveller } from "./level.ts";
import { createResampler } from "./resample.ts";

/** What comes of the sound of one stream, in the order of the sound. */
export type StreamEvent =
  /** The current utterance's words so far. */
  | { type: "partial"; text: string; processedMs: number }
  /** An utterance has ended; `isCut` when it was asked for. */
  | { type: "final"; heard: Heard; processedMs: number; isCut: boolean }
  | { type: "progress"; processedMs: number };

/** From a client's bytes to words. */
export interface SoundStream {
  /** Takes sound; it is worked on by `step`. */
  push(bytes: Uint8Array): void;
  /** Works on one block. False when there is none. */
  step(): boolean;
  /** Drops the sound that waits. */
  forget(): void;
  /** Ends the current utterance with the sound that was pushed so far. */
  cut(): void;
  /** As `cut`, with the last samples that a filter still holds. */
  end(): void;
  free(): void;
}

const PROGRESS_EVERY_BLOCKS = 5;

/**
 * Decodes, resamples, levels and recognises. The recogniser is fed blocks of one size however the
 * sound was framed, because its words depend on it.
 */
export async function openSoundStream(
  format: AudioFormat,
  recogniser: Recogniser,
  tell: (event: StreamEvent) => void,
): Promise<SoundStream> {
  const decoder = createDecoder(format);
  const resampler = await createResampler(format.sampleRate, ENGINE_RATE_HZ);
  const leveller = createLeveller();
  const blocks = createBlocks();
  const ready: Float32Array[] = [];
  let processedMs = 0;
  let blocksSinceTold = 0;
  let shown = "";

  const finish = (heard: Heard, isCut: boolean): void => {
    if (heard.text === "" && shown !== "") tell({ type: "partial", text: "", processedMs });
    if (heard.text !== "") tell({ type: "final", heard, processedMs, isCut });
    shown = "";
  };

  const accept = (block: Float32Array): void => {
    const ended = recogniser.accept(toPcm16(leveller.level(block)));
    processedMs += (block.length * 1000) / ENGINE_RATE_HZ;
    if (ended) return finish(recogniser.ended(), false);
    const text = recogniser.partial();
    if (text !== shown) {
      shown = text;
      blocksSinceTold = 0;
      tell({ type: "partial", text, processedMs });
    } else if (++blocksSinceTold >= PROGRESS_EVERY_BLOCKS) {
      blocksSinceTold = 0;
      tell({ type: "progress", processedMs });
    }
  };

  const drain = (): void => {
    for (const block of ready.splice(0)) accept(block);
    const rest = blocks.flush();
    if (rest !== null) accept(rest);
  };

  return {
    push: (bytes) => void ready.push(...blocks.push(resampler.push(decoder.decode(bytes)))),
    step: () => {
      const block = ready.shift();
      if (block !== undefined) accept(block);
      return block !== undefined;
    },
    forget: () => void ready.splice(0),
    cut: () => {
      drain();
      finish(recogniser.final(), true);
      tell({ type: "progress", processedMs });
    },
    end: () => {
      ready.push(...blocks.push(resampler.flush()));
      drain();
      finish(recogniser.final(), false);
      tell({ type: "progress", processedMs });
    },
    free: () => {
      resampler.free();
      recogniser.free();
    },
  };
}
