import { type Decoder, createDecoder } from "../audio.ts";
import { createWavParser } from "../wav.ts";
import type { KindReader } from "./piece.ts";

/** Creates a reader of RIFF/WAVE files. */
export function createWavReader(): KindReader {
  const parser = createWavParser();
  let decoder: Decoder | null = null;
  return {
    push: async function* (bytes) {
      const found = parser.push(bytes);
      if (found === null) return;
      decoder ??= createDecoder(found.format);
      yield { samples: decoder.decode(found.audio), sampleRate: found.format.sampleRate };
    },
    end: async function* () {},
    free: () => undefined,
  };
}
