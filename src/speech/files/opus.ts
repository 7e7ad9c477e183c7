import { UnsupportedAudio, checkFormat } from "../audio.ts";
import { ENGINE_RATE_HZ } from "../engine.ts";
import { hasText, viewOf } from "./bytes.ts";
import { loadOpus } from "./codecs.ts";
import { mixDown } from "./mix.ts";
import type { PacketDecoder } from "./piece.ts";
import { quietly } from "./quiet.ts";

/** Opus counts time in samples of this rate, whatever rate it is decoded at. */
const OPUS_CLOCK_HZ = 48_000;
const HEAD_BYTES_MIN = 19;
/** What the decoder's input holds for one channel; a longer packet (over 256 kbit/s) is lost. */
const PACKET_BYTES_MAX = 3840;

/** Says whether a stream's first packet begins an Opus stream. */
export function isOpusHead(packet: Uint8Array): boolean {
  return hasText(packet, 0, "OpusHead");
}

/**
 * Opens a decoder by its identification header (RFC 7845, section 5.1).
 *
 * It decodes at the recognisers' own rate, which Opus offers: 48 kHz would carry nothing that
 * they hear. Throws `UnsupportedAudio`.
 */
export async function openOpus(head: Uint8Array): Promise<PacketDecoder> {
  const { channels, preSkip, gain, layout } = readHead(head);
  const codec = await loadOpus();
  const decoder = new codec.OpusDecoder({ sampleRate: ENGINE_RATE_HZ, channels, ...layout });
  await decoder.ready;
  let skip = Math.round((preSkip * ENGINE_RATE_HZ) / OPUS_CLOCK_HZ);

  async function decode(packet: Uint8Array): Promise<Float32Array> {
    const isHeader = isOpusHead(packet) || hasText(packet, 0, "OpusTags");
    // The decoder would fill an empty packet with 120 ms of guesses.
    const isAudio = packet.length > 0 && packet.length <= PACKET_BYTES_MAX * channels;
    if (isHeader || !isAudio) return new Float32Array(0);
    const { channelData } = quietly(() => decoder.decodeFrame(packet));
    const mixed = mixDown(channelData);
    const samples = mixed.subarray(Math.min(skip, mixed.length));
    skip -= mixed.length - samples.length;
    return gain === 1 ? samples : samples.map((sample) => sample * gain);
  }

  return { sampleRate: ENGINE_RATE_HZ, decode, free: () => decoder.free() };
}

interface OpusHead {
  channels: number;
  /** At the start, to be dropped, in samples of the Opus clock. */
  preSkip: number;
  /** Linear. */
  gain: number;
  layout: { streamCount: number; coupledStreamCount: number; channelMappingTable: number[] };
}

function readHead(head: Uint8Array): OpusHead {
  if (head.length < HEAD_BYTES_MIN) throw new UnsupportedAudio("The Opus header is cut short.");
  const view = viewOf(head);
  const channels = view.getUint8(9);
  const preSkip = view.getUint16(10, true);
  const gain = 10 ** (view.getInt16(16, true) / 256 / 20);
  if (view.getUint8(8) >= 16) throw new UnsupportedAudio("The Opus version is not known.");
  checkFormat({ encoding: "pcm_f32le", sampleRate: OPUS_CLOCK_HZ, channels });
  if (view.getUint8(18) === 0) {
    if (channels > 2) throw new UnsupportedAudio("The Opus header contradicts itself.");
    // One channel is asked for: the decoder mixes a stereo stream down by itself, in half the time.
    const layout = { streamCount: 1, coupledStreamCount: 0, channelMappingTable: [0] };
    return { channels: 1, preSkip, gain, layout };
  }
  const streamCount = head[19] ?? 0;
  const coupledStreamCount = head[20] ?? 0;
  const channelMappingTable = [...head.subarray(21, 21 + channels)];
  const sources = streamCount + coupledStreamCount;
  const isWhole = channelMappingTable.length === channels;
  const fits = channelMappingTable.every((source) => source < sources || source === 255);
  if (!isWhole || !fits || streamCount === 0 || coupledStreamCount > streamCount || sources > 255) {
    throw new UnsupportedAudio("The Opus header contradicts itself.");
  }
  return {
    channels,
    preSkip,
    gain,
    layout: { streamCount, coupledStreamCount, channelMappingTable },
  };
}
