import { TAGS } from "./labels.ts";
import { type Lexicon, openLexicon } from "./lexicon.ts";
import { type Reader, createReader, createWriter } from "./model-bytes.ts";
import { openNames, readNames, writeNames } from "./names.ts";
import type { Weights } from "./training.ts";

/**
 * A trained model in one piece of shared memory, as it is posted to workers: nobody writes to it.
 * The memory holds the scores of pairs of tags, the lexicon and the table of weights.
 */
export interface SharedModel {
  memory: SharedArrayBuffer;
  tableBits: number;
  /** What one step of the table's numbers is worth. */
  scale: number;
  lexiconCount: number;
  nameCount: number;
}

/** Views into a model's memory. */
export interface Model {
  /** A row a feature: its weights, as squares of levels with their signs, in steps of `scale`. */
  table: Int16Array;
  /** Indexed as decoding wants them. */
  pairs: Float32Array;
  lexicon: Lexicon;
  scale: number;
  shared: SharedModel;
}

/** A file that is no model, is cut short, or is of another version. */
export class BadModel extends Error {
  override name = "BadModel";
}

/** Numbers a row, of which the last is not used: so a row lies in one line of the cache. */
export const STRIDE = 8;

/** Weights under this share of the largest are dropped: they decide nothing and cost bytes. */
const KEPT_SHARE_MIN = 0.000_5;

/** A bigger table than this is not read. */
const TABLE_BITS_MAX = 22;

/** Unpacked files beyond this are refused. */
const FILE_BYTES_MAX = 64 * 2 ** 20;

const MAGIC = 0x32_47_54_45;
const COMPRESSION_LEVEL = 19;
const LEVEL_MAX = 127;
const WIDTH = TAGS.length;
const PAIRS = (WIDTH + 1) * WIDTH;

/** Opens the views of a model that another thread has shared. */
export function openModel(shared: SharedModel): Model {
  const { memory, tableBits, scale, lexiconCount, nameCount } = shared;
  const keysAt = PAIRS * 4;
  const entriesAt = keysAt + lexiconCount * 4;
  const namesAt = entriesAt + lexiconCount * 4;
  const kindsAt = namesAt + nameCount * 4;
  return {
    pairs: new Float32Array(memory, 0, PAIRS),
    lexicon: openLexicon(
      new Uint32Array(memory, keysAt, lexiconCount),
      new Uint32Array(memory, entriesAt, lexiconCount),
      openNames(
        new Uint32Array(memory, namesAt, nameCount),
        new Uint8Array(memory, kindsAt, nameCount),
      ),
    ),
    table: new Int16Array(memory, tableAt(lexiconCount, nameCount), STRIDE << tableBits),
    scale,
    shared,
  };
}

/** Where the table begins: on a row's boundary. */
function tableAt(lexiconCount: number, nameCount: number): number {
  return Math.ceil((PAIRS * 4 + lexiconCount * 8 + nameCount * 5) / 64) * 64;
}

function createModel(tableBits: number, scale: number, lexicon: Lexicon): Model {
  const lexiconCount = lexicon.keys.length;
  const nameCount = lexicon.names.keys.length;
  const memory = new SharedArrayBuffer(
    tableAt(lexiconCount, nameCount) + ((STRIDE * 2) << tableBits),
  );
  const shared = { memory, tableBits, scale, lexiconCount, nameCount };
  const model = openModel(shared);
  model.lexicon.keys.set(lexicon.keys);
  model.lexicon.entries.set(lexicon.entries);
  model.lexicon.names.keys.set(lexicon.names.keys);
  model.lexicon.names.kinds.set(lexicon.names.kinds);
  model.lexicon.names.starts.set(lexicon.names.starts);
  return model;
}

/**
 * Turns trained weights into a model: every weight becomes one of 255 levels, at the squares of
 * -127 to 127, because small weights are many and large ones few.
 */
export function quantiseWeights(weights: Weights, lexicon: Lexicon): Model {
  const { rows, tableBits } = weights;
  let largest = 1e-9;
  for (let at = 0; at < rows.length; at++) {
    largest = Math.max(largest, Math.abs(rows[at] as number));
  }
  const model = createModel(tableBits, largest / LEVEL_MAX ** 2, lexicon);
  model.pairs.set(weights.pairs);
  for (let at = 0; at < rows.length; at++) {
    const value = (rows[at] as number) / largest;
    if (Math.abs(value) < KEPT_SHARE_MIN) continue;
    const level = Math.sign(value) * Math.round(LEVEL_MAX * Math.sqrt(Math.abs(value)));
    model.table[Math.floor(at / WIDTH) * STRIDE + (at % WIDTH)] = squareOf(level);
  }
  return model;
}

function squareOf(level: number): number {
  return level * Math.abs(level);
}

function levelOf(square: number): number {
  return Math.sign(square) * Math.sqrt(Math.abs(square));
}

/** Writes a model's file: only rows that hold something, compressed. */
export function writeModel({ table, pairs, lexicon, scale, shared }: Model): Uint8Array {
  const rows: number[] = [];
  for (let row = 0; row < 1 << shared.tableBits; row++) {
    for (let tag = 0; tag < WIDTH; tag++) {
      if (table[row * STRIDE + tag] === 0) continue;
      rows.push(row);
      break;
    }
  }
  const writer = createWriter();
  for (const number of [MAGIC, WIDTH, shared.tableBits]) writer.uint32(number);
  writer.float64(scale);
  for (const pair of pairs) writer.float32(pair);
  writer.ascending(lexicon.keys);
  writer.planes(lexicon.entries);
  writeNames(writer, lexicon.names);
  writer.ascending(Uint32Array.from(rows));
  for (let tag = 0; tag < WIDTH; tag++) {
    writer.bytes(Uint8Array.from(rows, (row) => levelOf(table[row * STRIDE + tag] ?? 0) & 255));
  }
  return Bun.zstdCompressSync(writer.done(), { level: COMPRESSION_LEVEL });
}

/** Row by row, although the file has tag by tag: the table is larger than what processors keep at hand. */
function fillTable(table: Int16Array, reader: Reader): void {
  const rows = reader.ascending(table.length / STRIDE);
  const levels = reader.bytes(WIDTH * rows.length);
  const squares = Int16Array.from({ length: 256 }, (_, byte) =>
    squareOf(Math.max(-LEVEL_MAX, (byte << 24) >> 24)),
  );
  for (let at = 0; at < rows.length; at++) {
    const row = (rows[at] as number) * STRIDE;
    for (let tag = 0, from = at; tag < WIDTH; tag++, from += rows.length) {
      table[row + tag] = squares[levels[from] as number] as number;
    }
  }
}

/** Reads a model's file into shared memory, about 9 MB; throws BadModel. */
export function readModel(file: Uint8Array): Model {
  try {
    const unpacked = Bun.zstdDecompressSync(file);
    if (unpacked.length > FILE_BYTES_MAX) throw new RangeError("it is too long");
    const reader = createReader(unpacked);
    if (reader.uint32() !== MAGIC) throw new RangeError("it begins otherwise");
    if (reader.uint32() !== WIDTH) throw new RangeError("it has other tags");
    const tableBits = reader.uint32();
    if (tableBits > TABLE_BITS_MAX) throw new RangeError("its table is too big");
    const scale = reader.float64();
    const pairs = Float32Array.from({ length: PAIRS }, () => reader.float32());
    const keys = reader.ascending(2 ** 32);
    const entries = reader.planes(keys.length);
    const model = createModel(tableBits, scale, openLexicon(keys, entries, readNames(reader)));
    model.pairs.set(pairs);
    fillTable(model.table, reader);
    return model;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BadModel(`this is no model of the tagger: ${reason}`, { cause: error });
  }
}
