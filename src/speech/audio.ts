/** How one sample is written down. The names are those that clients use in their `start` frame. */
export type Encoding =
  | "pcm_s16le"
  | "pcm_f32le"
  | "mulaw"
  | "alaw"
  | "pcm_u8"
  | "pcm_s24le"
  | "pcm_s32le";

/** What raw audio bytes mean: `sampleRate` in Hz, `channels` interleaved. */
export interface AudioFormat {
  encoding: Encoding;
  sampleRate: number;
  channels: number;
}

/** Turns raw bytes into mono samples, however the bytes are cut into calls. */
export interface Decoder {
  /** Returns mono samples in [-1, 1] at the source rate; an unfinished frame waits for more. */
  decode(bytes: Uint8Array): Float32Array;
  /** How many bytes of an unfinished channel frame are waiting. */
  pendingBytes(): number;
}

/** The caller's audio is of a kind that is not understood; the message is fit to be shown. */
export class UnsupportedAudio extends Error {
  override readonly name = "UnsupportedAudio";
}

/** Slower audio does not carry speech; faster audio is outside what the resampler takes. */
const SAMPLE_RATE_HZ_MIN = 4_000;
const SAMPLE_RATE_HZ_MAX = 192_000;
/** Eight channels are a 7.1 recording; more is taken for a mistake. */
const CHANNELS_MAX = 8;

const BYTES_PER_SAMPLE = {
  pcm_s16le: 2,
  pcm_f32le: 4,
  mulaw: 1,
  alaw: 1,
  pcm_u8: 1,
  pcm_s24le: 3,
  pcm_s32le: 4,
} as const satisfies Record<Encoding, number>;

/** Throws `UnsupportedAudio` when the sample rate or the number of channels is out of limits. */
export function checkFormat(format: AudioFormat): void {
  const { sampleRate, channels } = format;
  const rateFits = sampleRate >= SAMPLE_RATE_HZ_MIN && sampleRate <= SAMPLE_RATE_HZ_MAX;
  if (!Number.isInteger(sampleRate) || !rateFits) {
    throw new UnsupportedAudio(
      `The sample rate must be a whole number from ${SAMPLE_RATE_HZ_MIN} to ${SAMPLE_RATE_HZ_MAX} Hz.`,
    );
  }
  if (!Number.isInteger(channels) || channels < 1 || channels > CHANNELS_MAX) {
    throw new UnsupportedAudio(`The number of channels must be from 1 to ${CHANNELS_MAX}.`);
  }
}

/** Bytes of one channel frame: one sample of every channel. */
export function bytesPerFrame(format: AudioFormat): number {
  return BYTES_PER_SAMPLE[format.encoding] * format.channels;
}

/** Bytes of one second of audio. */
export function bytesPerSecond(format: AudioFormat): number {
  return bytesPerFrame(format) * format.sampleRate;
}

/**
 * Creates a decoder that mixes all channels down to one by averaging.
 *
 * The cut between two calls may fall anywhere, even inside a sample: the samples are the same
 * as if all bytes had come at once. Throws `UnsupportedAudio` for a format out of limits.
 */
export function createDecoder(format: AudioFormat): Decoder {
  checkFormat(format);
  const read = createSampleReader(format.encoding);
  const { channels } = format;
  const sampleBytes = BYTES_PER_SAMPLE[format.encoding];
  const frameBytes = bytesPerFrame(format);
  const carried = new Uint8Array(frameBytes);
  let carriedBytes = 0;

  function decode(bytes: Uint8Array): Float32Array {
    const whole = carriedBytes === 0 ? bytes : join(carried.subarray(0, carriedBytes), bytes);
    const frames = Math.floor(whole.length / frameBytes);
    const rest = whole.subarray(frames * frameBytes);
    // A DataView reads at any offset, so bytes that do not start on a sample's boundary are fine.
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    const samples = new Float32Array(frames);
    let at = 0;
    for (let frame = 0; frame < frames; frame += 1) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel += 1) {
        sum += read(view, at);
        at += sampleBytes;
      }
      samples[frame] = sum / channels;
    }
    carried.set(rest);
    carriedBytes = rest.length;
    return samples;
  }

  return { decode, pendingBytes: () => carriedBytes };
}

type SampleReader = (view: DataView, at: number) => number;

function createSampleReader(encoding: Encoding): SampleReader {
  switch (encoding) {
    case "pcm_s16le":
      return (view, at) => view.getInt16(at, true) / 0x8000;
    case "pcm_f32le":
      return (view, at) => clampFloat(view.getFloat32(at, true));
    case "mulaw":
      return createTableReader(expandMulaw);
    case "alaw":
      return createTableReader(expandAlaw);
    case "pcm_u8":
      return (view, at) => (view.getUint8(at) - 0x80) / 0x80;
    case "pcm_s24le":
      return (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 0x1_0000) / 0x80_0000;
    case "pcm_s32le":
      return (view, at) => view.getInt32(at, true) / 0x8000_0000;
  }
}

/** A float that is no number would spread through every filter behind it, so it becomes silence. */
function clampFloat(sample: number): number {
  if (!Number.isFinite(sample)) return 0;
  return Math.min(1, Math.max(-1, sample));
}

function createTableReader(expand: (code: number) => number): SampleReader {
  const table = Float32Array.from({ length: 256 }, (_, code) => expand(code) / 0x8000);
  return (view, at) => table[view.getUint8(at)] ?? 0;
}

/** Expands one mu-law code to a 16-bit sample: ITU-T G.711, table 2, scaled from 14 to 16 bits. */
function expandMulaw(code: number): number {
  const bias = 0x84;
  const bits = ~code & 0xff;
  const magnitude = (((bits & 0x0f) << 3) + bias) << ((bits & 0x70) >> 4);
  return (bits & 0x80) === 0 ? magnitude - bias : bias - magnitude;
}

/** Expands one A-law code to a 16-bit sample: ITU-T G.711, table 1, scaled from 13 to 16 bits. */
function expandAlaw(code: number): number {
  // Even bits travel inverted so that silence is not a run of equal bits on the line.
  const bits = code ^ 0x55;
  const segment = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return (bits & 0x80) === 0 ? -magnitude : magnitude;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
