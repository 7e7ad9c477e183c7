import { createByteQueue } from "./byte-queue.ts";
import { hasText } from "./bytes.ts";
import { STREAMINFO_BYTES, openFlac } from "./flac-decoder.ts";
import { type OggPage, createOggPages } from "./ogg-pages.ts";
import { isOpusHead, openOpus } from "./opus.ts";
import type { KindReader, PacketDecoder, SoundPiece } from "./piece.ts";
import { isVorbisHead, openVorbis } from "./vorbis.ts";

/** A longer packet is passed over unkept; only tags with pictures are. */
const PACKET_BYTES_MAX = 512 * 1024;
/** `0x7F FLAC`, version, number of headers, `fLaC`, and the header of a metadata block. */
const FLAC_MAPPING_BYTES = 17;

interface LogicalStream {
  serial: number;
  sequence: number;
  decoder: PacketDecoder;
}

/**
 * Creates a reader of Ogg files (RFC 3533) with Opus (RFC 7845), Vorbis or FLAC (RFC 9639,
 * section 10.1) in them. The first such stream is read, and those chained behind it.
 */
export function createOggReader(): KindReader {
  const queue = createByteQueue();
  const nextPage = createOggPages(queue);
  let stream: LogicalStream | null = null;
  let parts: Uint8Array[] = [];
  let partsBytes = 0;
  /** The rest of the current packet belongs to one whose start is lost or that is too long. */
  let isLost = false;
  let hasSound = false;

  /** Opens what a first page announces, unless it is a stream beside the one that is read. */
  async function begin(page: OggPage): Promise<void> {
    if (stream !== null && !hasSound) return;
    const decoder = await openCodec(page.body);
    if (decoder === null) return;
    stream?.decoder.free();
    stream = { serial: page.serial, sequence: page.sequence, decoder };
    forget(false);
    hasSound = false;
  }

  function forget(isRestLost: boolean): void {
    parts = [];
    partsBytes = 0;
    isLost = isRestLost;
  }

  function keep(part: Uint8Array): void {
    partsBytes += part.length;
    if (partsBytes > PACKET_BYTES_MAX) forget(true);
    // The page is gone when the packet goes on with the next one.
    if (!isLost) parts.push(part.slice());
  }

  /** The packets that end on a page, in order. */
  function* packetsOf(page: OggPage): Generator<Uint8Array> {
    // A packet that the page before did not end goes on here, unless a page is missing between.
    if (!page.isContinued) forget(false);
    else if (parts.length === 0) isLost = true;
    let from = 0;
    let to = 0;
    for (const length of page.lacing) {
      to += length;
      if (length === 255) continue;
      const part = page.body.subarray(from, to);
      from = to;
      const packet = parts.length === 0 ? part : Buffer.concat([...parts, part]);
      const isWhole = !isLost;
      forget(false);
      if (isWhole) yield packet;
    }
    if (from < to) keep(page.body.subarray(from, to));
  }

  async function* decode(page: OggPage): AsyncGenerator<SoundPiece> {
    if (page.isFirst) await begin(page);
    if (stream === null || page.serial !== stream.serial) return;
    const { decoder } = stream;
    if (page.sequence !== stream.sequence) forget(true);
    stream.sequence = (page.sequence + 1) >>> 0;
    for (const packet of packetsOf(page)) {
      const samples = await decoder.decode(packet);
      hasSound ||= samples.length > 0;
      yield { samples, sampleRate: decoder.sampleRate };
    }
  }

  return {
    push: async function* (bytes) {
      queue.push(bytes);
      for (let page = nextPage(); page !== null; page = nextPage()) yield* decode(page);
    },
    end: async function* () {},
    free: () => stream?.decoder.free(),
  };
}

async function openCodec(first: Uint8Array): Promise<PacketDecoder | null> {
  const packet = first.slice();
  if (isOpusHead(packet)) return await openOpus(packet);
  if (isVorbisHead(packet)) return await openVorbis(packet);
  if (!hasText(packet, 0, "\x7fFLAC")) return null;
  return await openFlac(packet.subarray(FLAC_MAPPING_BYTES, FLAC_MAPPING_BYTES + STREAMINFO_BYTES));
}
