import type { FLACDecoder } from "@wasm-audio-decoders/flac";
import { UnsupportedAudio, checkFormat } from "../audio.ts";
import { viewOf } from "./bytes.ts";
import { loadFlac } from "./codecs.ts";
import { mixDown } from "./mix.ts";
import type { PacketDecoder } from "./piece.ts";
import { quietly } from "./quiet.ts";

export const STREAMINFO_BYTES = 34;
/** Depths that the decoder scales rightly. */
const BITS: readonly number[] = [8, 16, 24, 32];
/**
 * A frame that the decoder cannot take leaves it deaf, so it is made anew; past so many times the
 * rest of the file is taken for lost.
 */
const REOPENINGS_MAX = 16;
/** `fLaC` and the header of a metadata block: the last one, of type STREAMINFO. */
const STREAM_START = [0x66, 0x4c, 0x61, 0x43, 0x80, 0, 0, STREAMINFO_BYTES];

/**
 * Opens a decoder of FLAC frames by the body of the STREAMINFO block (RFC 9639, section 8.2).
 * Throws `UnsupportedAudio`.
 */
export async function openFlac(streamInfo: Uint8Array): Promise<PacketDecoder> {
  if (streamInfo.length < STREAMINFO_BYTES) {
    throw new UnsupportedAudio("The FLAC header is cut short.");
  }
  const packed = viewOf(streamInfo).getUint32(10);
  const sampleRate = packed >>> 12;
  const channels = ((packed >>> 9) & 0x07) + 1;
  const bits = ((packed >>> 4) & 0x1f) + 1;
  checkFormat({ encoding: "pcm_s32le", sampleRate, channels });
  if (!BITS.includes(bits)) {
    throw new UnsupportedAudio(`FLAC of ${bits} bits is not supported: use 8, 16, 24 or 32 bits.`);
  }
  const start = Uint8Array.from([...STREAM_START, ...streamInfo.subarray(0, STREAMINFO_BYTES)]);
  const codec = await loadFlac();
  let decoder = await open();
  let reopenings = 0;

  async function open(): Promise<FLACDecoder> {
    const opened = new codec.FLACDecoder();
    await opened.ready;
    await quietly(() => opened.decodeFrames([start]));
    return opened;
  }

  async function decode(packet: Uint8Array): Promise<Float32Array> {
    const isFrame = packet[0] === 0xff && ((packet[1] ?? 0) & 0xfe) === 0xf8;
    if (!isFrame || reopenings > REOPENINGS_MAX) return new Float32Array(0);
    const decoded = await quietly(() => decoder.decodeFrames([packet]));
    if (decoded.samplesDecoded === 0) {
      decoder.free();
      decoder = await open();
      reopenings += 1;
      return new Float32Array(0);
    }
    if (decoded.sampleRate !== sampleRate) {
      throw new UnsupportedAudio("The sample rate changes in the middle of the file.");
    }
    return mixDown(decoded.channelData);
  }

  return { sampleRate, decode, free: () => decoder.free() };
}
