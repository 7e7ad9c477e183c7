import type { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import { UnsupportedAudio, checkFormat } from "../audio.ts";
import { hasText, viewOf } from "./bytes.ts";
import { loadVorbis } from "./codecs.ts";
import { mixDown } from "./mix.ts";
import type { PacketDecoder } from "./piece.ts";

type Page = Parameters<OggVorbisDecoder["decodeOggPages"]>[0][number];

const IDENTIFICATION_BYTES = 30;
/** What the decoder's input holds; a longer packet is lost. */
const PACKET_BYTES_MAX = 128 * 1024;

/** Says whether a stream's first packet begins a Vorbis stream. */
export function isVorbisHead(packet: Uint8Array): boolean {
  return hasText(packet, 0, "\x01vorbis");
}

/**
 * Opens a decoder by its identification header (Vorbis I, section 4.2.2). The setup header comes
 * through `decode` as any packet does. Throws `UnsupportedAudio`.
 */
export async function openVorbis(identification: Uint8Array): Promise<PacketDecoder> {
  if (identification.length < IDENTIFICATION_BYTES) {
    throw new UnsupportedAudio("The Vorbis header is cut short.");
  }
  const view = viewOf(identification);
  const channels = view.getUint8(11);
  const sampleRate = view.getUint32(12, true);
  checkFormat({ encoding: "pcm_f32le", sampleRate, channels });
  const codec = await loadVorbis();
  const decoder = new codec.OggVorbisDecoder();
  await decoder.ready;
  await decoder.decodeOggPages([pageOf(identification, [])]);
  let setup: Uint8Array | null = null;

  async function decode(packet: Uint8Array): Promise<Float32Array> {
    if (hasText(packet, 0, "\x05vorbis") && packet.length <= PACKET_BYTES_MAX) {
      setup ??= packet.slice();
    }
    // Headers are the packets with an odd first byte.
    const isAudio = packet.length > 0 && packet.length <= PACKET_BYTES_MAX && !isOdd(packet);
    if (!isAudio || setup === null) return new Float32Array(0);
    const frame = { header: { vorbisSetup: setup }, data: packet };
    const decoded = await decoder.decodeOggPages([pageOf(packet, [frame])]);
    if (decoded.sampleRate !== sampleRate) {
      throw new UnsupportedAudio("The Vorbis setup header is broken.");
    }
    return mixDown(decoded.channelData);
  }

  return { sampleRate, decode, free: () => decoder.free() };
}

function isOdd(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) % 2 === 1;
}

/**
 * A page as the decoder wants it from the parser it brings along, with just what it looks at: that
 * parser trusts the sizes it reads, so the packets are cut by ours.
 */
function pageOf(bytes: Uint8Array, frames: object[]): Page {
  const page = { data: bytes, codecFrames: frames, isLastPage: false };
  return page as unknown as Page;
}
