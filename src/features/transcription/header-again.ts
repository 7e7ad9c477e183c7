import { type WavParser, createWavParser } from "../../speech/wav.ts";

const RIFF = "RIFF";
const NOTHING = new Uint8Array(0);

/**
 * Reads over the WAV header of a file that is sent from its start again. Sound that comes without
 * one passes unchanged. Throws `UnsupportedAudio` for a header that cannot be true.
 */
export function createHeaderSkipper(): (bytes: Uint8Array) => Uint8Array {
  let start: Uint8Array = NOTHING;
  let parser: WavParser | null = null;
  let isPlain = false;
  return (bytes) => {
    if (isPlain) return bytes;
    if (parser !== null) return parser.push(bytes)?.audio ?? NOTHING;
    start = Buffer.concat([start, bytes]);
    if (start.length < RIFF.length) return NOTHING;
    if (Buffer.from(start.subarray(0, RIFF.length)).toString("latin1") === RIFF) {
      parser = createWavParser();
      return parser.push(start)?.audio ?? NOTHING;
    }
    isPlain = true;
    return start;
  };
}
