import { UnsupportedAudio } from "../audio.ts";
import { createByteQueue } from "./byte-queue.ts";
import { hasText } from "./bytes.ts";
import { type EbmlHead, brokenEbml, readEbmlHead, seekElement } from "./ebml.ts";
import { STREAMINFO_BYTES, openFlac } from "./flac-decoder.ts";
import { openOpus } from "./opus.ts";
import type { KindReader, PacketDecoder, SoundPiece } from "./piece.ts";
import { openVorbis } from "./vorbis.ts";
import { BLOCK_HEAD_BYTES_MAX, cutXiph, readBlock, trackOf } from "./webm-block.ts";

/** A longer block of the sound track is passed over unkept. */
const BLOCK_BYTES_MAX = 512 * 1024;
/** A longer description of a track is taken for broken. */
const FIELD_BYTES_MAX = 128 * 1024;
const HEAD_BYTES_MAX = 12;
/** `fLaC` and the header of a metadata block. */
const FLAC_START_BYTES = 8;

const ID = {
  segment: 0x18538067,
  cluster: 0x1f43b675,
  blockGroup: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
  tracks: 0x1654ae6b,
  track: 0xae,
  trackNumber: 0xd7,
  codec: 0x86,
  codecPrivate: 0x63a2,
  encodings: 0x6d80,
} as const;
const CLUSTER_MARKER = [0x1f, 0x43, 0xb6, 0x75];
/** Elements whose children are read as they come, so their own ends need not be known. */
const OPENED: readonly number[] = [ID.segment, ID.cluster, ID.blockGroup, ID.tracks, ID.track];
const FIELDS: readonly number[] = [ID.trackNumber, ID.codec, ID.codecPrivate, ID.encodings];
const BLOCKS: readonly number[] = [ID.block, ID.simpleBlock];

interface Track {
  number: number;
  codec: string;
  codecPrivate: Uint8Array;
  isEncoded: boolean;
}

/**
 * Creates a reader of WebM and Matroska files (RFC 9559): the first track of Opus, Vorbis or FLAC
 * is read. Sizes of clusters may be unknown, as recorders in browsers write them.
 */
export function createWebmReader(): KindReader {
  const queue = createByteQueue();
  /** The track that is being described. */
  let track = emptyTrack();
  let chosen: { number: number; decoder: PacketDecoder } | null = null;
  let isLost = false;

  function readField(id: number, body: Uint8Array): void {
    if (id === ID.trackNumber) track.number = body.reduce((value, byte) => value * 256 + byte, 0);
    if (id === ID.codec) track.codec = Buffer.from(body).toString("latin1").replace(/\0+$/, "");
    if (id === ID.codecPrivate) track.codecPrivate = body.slice();
    if (id === ID.encodings) track.isEncoded = true;
  }

  /** The description of a track is over: takes it if it is the first that can be read. */
  async function finishTrack(): Promise<void> {
    const finished = track;
    track = emptyTrack();
    if (chosen !== null) return;
    const decoder = await openTrack(finished);
    if (decoder !== null) chosen = { number: finished.number, decoder };
  }

  async function* decodeBlock(block: Uint8Array): AsyncGenerator<SoundPiece> {
    if (chosen === null) return;
    const { decoder } = chosen;
    for (const packet of readBlock(block)) {
      yield { samples: await decoder.decode(packet), sampleRate: decoder.sampleRate };
    }
  }

  /** Whether an element's body must be here as a whole; null while that cannot be known. */
  function isWanted(head: EbmlHead, bodyBytes: number): boolean | null {
    if (FIELDS.includes(head.id)) {
      if (bodyBytes > FIELD_BYTES_MAX) throw brokenEbml();
      return true;
    }
    if (!BLOCKS.includes(head.id) || chosen === null || bodyBytes > BLOCK_BYTES_MAX) return false;
    const start = queue.peek(head.headBytes + Math.min(bodyBytes, BLOCK_HEAD_BYTES_MAX));
    return start === null ? null : trackOf(start.subarray(head.headBytes)) === chosen.number;
  }

  /** Reads one element or its head; null when more bytes are needed. */
  async function readElement(): Promise<Uint8Array | "read" | null> {
    const head = readEbmlHead(queue.view().subarray(0, HEAD_BYTES_MAX));
    if (head === null) return null;
    const { id, bodyBytes, headBytes } = head;
    if (id === ID.track || id === ID.cluster) await finishTrack();
    if (id === ID.cluster && chosen === null) throw noSoundTrack();
    if (OPENED.includes(id)) {
      queue.skip(headBytes);
      return "read";
    }
    if (bodyBytes === null) throw brokenEbml();
    const wanted = isWanted(head, bodyBytes);
    if (wanted === null) return null;
    if (!wanted) {
      queue.skip(headBytes + bodyBytes);
      return "read";
    }
    const element = queue.take(headBytes + bodyBytes);
    if (element === null) return null;
    const body = element.subarray(headBytes);
    if (BLOCKS.includes(id)) return body;
    readField(id, body);
    return "read";
  }

  /** As `readElement`; what is broken once the sound has begun is passed over to the next cluster. */
  async function readOn(): Promise<Uint8Array | "read" | null> {
    if (isLost && !seekElement(queue, CLUSTER_MARKER)) return null;
    isLost = false;
    try {
      return await readElement();
    } catch (error) {
      if (chosen === null || !(error instanceof UnsupportedAudio)) throw error;
      isLost = true;
      queue.skip(1);
      return "read";
    }
  }

  return {
    push: async function* (bytes) {
      queue.push(bytes);
      for (let read = await readOn(); read !== null; read = await readOn()) {
        if (read !== "read") yield* decodeBlock(read);
      }
    },
    end: async function* () {},
    free: () => chosen?.decoder.free(),
  };
}

function emptyTrack(): Track {
  return { number: 0, codec: "", codecPrivate: new Uint8Array(0), isEncoded: false };
}

async function openTrack(track: Track): Promise<PacketDecoder | null> {
  const { codec, codecPrivate, isEncoded } = track;
  if (isEncoded) return null;
  if (codec === "A_OPUS") return await openOpus(codecPrivate);
  if (codec === "A_VORBIS") return await openVorbisTrack(codecPrivate);
  if (codec !== "A_FLAC" || !hasText(codecPrivate, 0, "fLaC")) return null;
  return await openFlac(
    codecPrivate.subarray(FLAC_START_BYTES, FLAC_START_BYTES + STREAMINFO_BYTES),
  );
}

/** The three headers stand laced in the description of the track (RFC 9559, section 10.3). */
async function openVorbisTrack(codecPrivate: Uint8Array): Promise<PacketDecoder> {
  const headers = cutXiph(codecPrivate.subarray(1), (codecPrivate[0] ?? 0) + 1);
  const [identification = new Uint8Array(0), ...others] = headers;
  const decoder = await openVorbis(identification);
  for (const header of others) await decoder.decode(header);
  return decoder;
}

function noSoundTrack(): UnsupportedAudio {
  return new UnsupportedAudio("The WebM file has no sound track of Opus, Vorbis or FLAC.");
}
