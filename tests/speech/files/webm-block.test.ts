import { describe, expect, test } from "bun:test";
import { readBlock } from "../../../src/speech/files/webm-block.ts";

const NO_LACING = 0x00;
const XIPH = 0x02;
const FIXED = 0x04;
const EBML = 0x06;

/** The packets of a block of track 1 whose body, after the head, is `body`. */
function packets(flags: number, ...body: number[]): number[][] {
  return readBlock(Uint8Array.of(0x81, 0, 0, flags, ...body)).map((packet) => [...packet]);
}

describe("a block", () => {
  test("without lacing is one packet", () => {
    expect(packets(NO_LACING, 5, 6, 7)).toEqual([[5, 6, 7]]);
  });

  test("is cut by the lengths that stand before its packets", () => {
    expect(packets(XIPH, 2, 1, 2, 9, 8, 8, 7, 7, 7)).toEqual([[9], [8, 8], [7, 7, 7]]);
    expect(packets(FIXED, 1, 1, 2, 3, 4)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    // The second length is written as the difference to the first one: two less.
    expect(packets(EBML, 2, 0x83, 0xbd, 9, 9, 9, 8, 7, 7)).toEqual([[9, 9, 9], [8], [7, 7]]);
  });

  test("knows lengths over 254 bytes", () => {
    const long = Array.from({ length: 300 }, () => 1);
    expect(packets(XIPH, 1, 255, 45, ...long, 2)).toEqual([long, [2]]);
  });

  test("has no packets where its lengths cannot be", () => {
    expect(packets(XIPH, 1, 9, 1, 2)).toEqual([]);
    expect(packets(XIPH, 3, 255, 255)).toEqual([]);
    expect(packets(FIXED, 1, 1, 2, 3)).toEqual([]);
    expect(packets(EBML, 2, 0x81, 0x80, 1, 1)).toEqual([]);
    expect(packets(EBML, 1)).toEqual([]);
    expect(readBlock(Uint8Array.of(0x81))).toEqual([new Uint8Array(0)]);
  });
});
