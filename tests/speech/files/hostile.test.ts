import { describe, expect, test } from "bun:test";
import { UnsupportedAudio } from "../../../src/speech/audio.ts";
import { createCrc } from "../../../src/speech/files/crc.ts";
import { openSoundFile } from "../../../src/speech/files/open.ts";
import { decode, soundFile } from "./sound-files.ts";

const PICTURE_BYTES = 5 * 1024 * 1024;
const crc8 = createCrc(8, 0x07);
const crc16 = createCrc(16, 0x8005);
const crc32 = createCrc(32, 0x04c11db7);

function picture(bytes = PICTURE_BYTES): Uint8Array {
  // A picture is full of what looks like the start of a frame.
  return Uint8Array.from({ length: bytes }, (_, at) => (at % 9 === 0 ? 0xff : (at * 7) & 0xff));
}

function id3(bytes: number): Uint8Array {
  const size = [21, 14, 7, 0].map((shift) => (bytes >> shift) & 0x7f);
  return Buffer.concat([
    Buffer.from("ID3\x04\0\0", "latin1"),
    Uint8Array.from(size),
    picture(bytes),
  ]);
}

/** A FLAC frame of 65,535 samples of silence in each channel: 13 bytes for one, 34 for eight. */
function silentFrame(channels = 8): Uint8Array {
  const head = Uint8Array.of(0xff, 0xf8, 0x79, ((channels - 1) << 4) | 8, 0, 0xff, 0xfe);
  const silent = Buffer.concat([head, Uint8Array.of(crc8(head, 0)), new Uint8Array(channels * 3)]);
  const sum = crc16(silent, 0);
  return Buffer.concat([silent, Uint8Array.of(sum >> 8, sum & 0xff)]);
}

function flacStart(...blocks: Uint8Array[]): Uint8Array {
  const info = new Uint8Array(4 + 34);
  info.set([blocks.length === 0 ? 0x80 : 0, 0, 0, 34, 0xff, 0xff, 0xff, 0xff]);
  new DataView(info.buffer).setUint32(14, ((44_100 << 12) >>> 0) | (7 << 9) | (15 << 4));
  return Buffer.concat([Buffer.from("fLaC"), info, ...blocks]);
}

function pagesOf(ogg: Uint8Array): Uint8Array[] {
  const starts: number[] = [];
  const bytes = Buffer.from(ogg);
  for (let at = bytes.indexOf("OggS"); at !== -1; at = bytes.indexOf("OggS", at + 1))
    starts.push(at);
  return starts.map((start, index) => bytes.subarray(start, starts[index + 1]));
}

/** The same page of another stream or place. */
function readdress(page: Uint8Array, serial: number, sequence: number): Uint8Array {
  const copy = new Uint8Array(page);
  const view = new DataView(copy.buffer);
  view.setUint32(14, serial, true);
  view.setUint32(18, sequence, true);
  view.setUint32(22, 0, true);
  view.setUint32(22, crc32(copy, 0), true);
  return copy;
}

async function lengthOf(bytes: Uint8Array): Promise<number> {
  return (await decode(bytes)).samples.length;
}

describe("what stands around the sound", () => {
  test("tags with pictures before, between and behind MP3 frames change nothing of the sound", async () => {
    const mp3 = soundFile("speech.mp3");
    const tags = Buffer.concat([
      Buffer.from("APETAGEX".padEnd(500, "x")),
      Buffer.from("TAG".padEnd(128)),
    ]);
    const length = await lengthOf(mp3);
    expect(await lengthOf(Buffer.concat([id3(PICTURE_BYTES), id3(9), mp3, tags]))).toBe(length);
    expect(await lengthOf(Buffer.concat([new Uint8Array(2000), mp3]))).toBe(length);
    expect(await lengthOf(Buffer.concat([mp3, id3(PICTURE_BYTES), mp3]))).toBeGreaterThan(
      length * 1.9,
    );
    expect(await lengthOf(Buffer.concat([mp3, picture(5000), mp3]))).toBeGreaterThan(length * 1.9);
  });

  test("a tag or a picture before FLAC frames changes nothing of the sound", async () => {
    const flac = soundFile("speech-stereo.flac");
    const { samples } = await decode(flac);
    expect((await decode(Buffer.concat([id3(1000), flac]))).samples).toEqual(samples);
    const block = Buffer.concat([Uint8Array.of(6, 0x50, 0, 0), picture(0x50_0000)]);
    const pictured = Buffer.concat([flac.subarray(0, 42), block, flac.subarray(42)]);
    expect((await decode(pictured)).samples).toEqual(samples);
  });

  test("of two Ogg streams side by side the first that is known is read", async () => {
    const pages = pagesOf(soundFile("speech.opus"));
    const beside = pagesOf(soundFile("speech.ogg"));
    const mixed = pages.flatMap((page, at) => {
      const other = beside[at];
      return other === undefined ? [page] : [page, readdress(other, 99, at)];
    });
    const { samples } = await decode(soundFile("speech.opus"));
    expect((await decode(Buffer.concat(mixed))).samples).toEqual(samples);
  });

  test("Ogg streams one behind the other are read on, unless the rate changes", async () => {
    const opus = soundFile("speech.opus");
    const again = pagesOf(opus).map((page, at) => readdress(page, 7, at));
    const length = await lengthOf(opus);
    expect(await lengthOf(Buffer.concat([opus, ...again]))).toBe(2 * length);
    const mixed = Buffer.concat([opus, soundFile("speech.ogg")]);
    expect(decode(mixed)).rejects.toThrow("The sample rate changes in the middle of the file.");
  });

  test("MP3 streams of another rate one behind the other are refused", () => {
    const mp3 = soundFile("speech.mp3");
    const other = mp3.slice();
    for (let at = 0; at < other.length - 1; at += 1) {
      // From 16 kHz to 24 kHz: frames become shorter, so what is left of each is passed over.
      if (other[at] === 0xff && other[at + 1] === 0xf3) other[at + 2] = (other[at + 2] ?? 0) & 0xf3;
    }
    const frame = Uint8Array.from({ length: 48 }, (_, at) => [0xff, 0xf3, 0x24, 0xc4][at] ?? 0);
    const another = Buffer.concat(Array.from({ length: 20 }, () => frame));
    expect(decode(Buffer.concat([mp3, another]))).rejects.toThrow("changes");
  });
});

describe("the end of the sound", () => {
  test("is read where the last FLAC frame is shorter than a header can be", async () => {
    const short = silentFrame(1);
    const frames = [silentFrame(), short, short];
    expect(await lengthOf(Buffer.concat([flacStart(), ...frames]))).toBe(3 * 65_535);
  });
});

describe("a hole in the sound", () => {
  test("costs an Ogg file no more than the pages that it hits", async () => {
    const pages = pagesOf(soundFile("speech.opus")).map((page) => new Uint8Array(page));
    const length = await lengthOf(soundFile("speech.opus"));
    pages.at(-2)?.fill(0x55, 40, 60);
    const rest = await lengthOf(Buffer.concat(pages));
    expect(rest).toBeGreaterThan(length / 2);
    expect(rest).toBeLessThan(length);
  });

  test("costs a FLAC file no more than the frames that it hits", async () => {
    const flac = soundFile("speech-stereo.flac");
    const length = await lengthOf(flac);
    flac.fill(0x55, 3000, 3050);
    const rest = await lengthOf(flac);
    expect(length - rest).toBeGreaterThan(0);
    expect(length - rest).toBeLessThanOrEqual(2 * 576);
  });

  test("costs a FLAC file one frame where the frame can be told but not decoded", async () => {
    const bad = silentFrame();
    bad[8] = 0x7e;
    const sum = crc16(bad.subarray(0, -2), 0);
    bad.set([sum >> 8, sum & 0xff], bad.length - 2);
    const good = silentFrame();
    expect(await lengthOf(Buffer.concat([flacStart(), good, bad, good, good]))).toBe(3 * 65_535);
  });

  test("costs a WebM file no more than the clusters that it hits", async () => {
    const webm = soundFile("speech.webm");
    const whole = await decode(webm);
    const at = Buffer.from(webm).indexOf(Buffer.from([0x1f, 0x43, 0xb6, 0x75]));
    const cluster = webm.subarray(at);
    const broken = Buffer.concat([webm, new Uint8Array(100), cluster]);
    expect(await lengthOf(broken)).toBeGreaterThan(whole.samples.length * 1.9);
  });
});

describe("a file that unfolds to far more than its size", () => {
  test("comes in pieces that are decoded as they are fetched", async () => {
    const frame = silentFrame();
    const frames = 100;
    const bytes = Buffer.concat([flacStart(), ...Array.from({ length: frames }, () => frame)]);
    const file = openSoundFile();
    let samples = 0;
    let largest = 0;
    for await (const piece of file.push(bytes)) {
      samples += piece.samples.length;
      largest = Math.max(largest, piece.samples.length);
    }
    for await (const piece of file.end()) samples += piece.samples.length;
    file.free();
    expect(samples).toBe(frames * 65_535);
    expect(largest).toBe(65_535);
  });

  test("can be left in the middle", async () => {
    const bytes = Buffer.concat([flacStart(), ...Array.from({ length: 50 }, () => silentFrame())]);
    const file = openSoundFile();
    const first = await file.push(bytes).next();
    expect(first.value?.samples.length).toBe(65_535);
    file.free();
  });

  test("keeps none of a metadata block that never ends", async () => {
    const endless = Uint8Array.of(4, 0xff, 0xff, 0xff);
    const start = flacStart(endless, endless, endless);
    const error = await decode(start).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnsupportedAudio);
  });

  test("is searched in linear time when it is full of false beginnings", async () => {
    const head = silentFrame().subarray(0, 8);
    const dense = Buffer.concat([flacStart(), ...Array.from({ length: 20_000 }, () => head)]);
    expect(decode(dense)).rejects.toThrow(UnsupportedAudio);
    const page = Buffer.concat([
      Buffer.from("OggS\0\0"),
      new Uint8Array(20),
      new Uint8Array(256).fill(255),
    ]);
    const pages = Buffer.concat(Array.from({ length: 2000 }, () => page));
    expect(decode(pages)).rejects.toThrow(UnsupportedAudio);
  });
});
