/** One record of a stream: its place from 1, and its JSON; null when it is longer than it may be. */
export interface StreamedRecord {
  line: number;
  json: string | null;
}

/** A longer record is passed over; JSON may write a character in twelve bytes. */
export const RECORD_BYTES_MAX = 2 * 1024 * 1024;
/** What is held for a record at first; it grows with the longest one. */
const RECORD_BYTES = 4 * 1024;

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENERS = [0x5b, 0x7b];
const CLOSERS = [0x5d, 0x7d];
const [ARRAY_OPEN] = OPENERS;
const [ARRAY_CLOSE] = CLOSERS;
const SPACES = [0x20, 0x09, 0x0a, 0x0d];
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** A stream that begins like a JSON array and does not go on like one. */
export class BrokenArray extends Error {
  override name = "BrokenArray";
}

/**
 * Cuts a stream of bytes into records as they come: the lines of NDJSON, or the elements of one JSON
 * array, whichever it begins like. Holds one record at a time. Throws BrokenArray.
 */
export async function* readRecords(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamedRecord, void, undefined> {
  let cutter: Cutter | null = null;
  let skipped = 0;
  let lines = 0;
  for await (const piece of stream) {
    let at = 0;
    if (cutter === null) {
      // Leading spaces and a byte order mark belong to nothing.
      while (at < piece.length && isLeading(piece[at], skipped)) {
        if (piece[at] === NEWLINE) lines++;
        at++;
        skipped++;
      }
      if (at === piece.length) continue;
      cutter = piece[at] === ARRAY_OPEN ? createArrayCutter() : createLineCutter(lines);
    }
    yield* cutter.cut(at === 0 ? piece : piece.subarray(at));
  }
  if (cutter !== null) yield* cutter.end();
}

interface Cutter {
  cut(piece: Uint8Array): Generator<StreamedRecord>;
  end(): Iterable<StreamedRecord>;
}

function isLeading(byte: number | undefined, index: number): boolean {
  return isSpace(byte) || BYTE_ORDER_MARK[index] === byte;
}

function isSpace(byte: number | undefined): boolean {
  return byte !== undefined && SPACES.includes(byte);
}

/** Gathers the bytes of one record over several pieces, however small these are. */
function createRecord() {
  let gathered = Buffer.allocUnsafe(RECORD_BYTES);
  let bytes = 0;
  return {
    /** The piece is copied: whoever gave it may write into it again. */
    add: (piece: Uint8Array): void => {
      const from = bytes;
      bytes += piece.length;
      if (bytes > RECORD_BYTES_MAX) return;
      if (bytes > gathered.length) {
        const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * gathered.length));
        larger.set(gathered.subarray(0, from));
        gathered = larger;
      }
      gathered.set(piece, from);
    },
    take: (): string | null => {
      const json = bytes > RECORD_BYTES_MAX ? null : gathered.toString("utf8", 0, bytes);
      bytes = 0;
      return json;
    },
  };
}

/** `linesBefore`: those that were passed over, being empty. */
function createLineCutter(linesBefore: number): Cutter {
  const record = createRecord();
  let line = linesBefore;
  function* finish(): Generator<StreamedRecord> {
    line++;
    const json = record.take();
    // Empty lines count, so that the numbers are those of an editor.
    if (json === null || json.trim() !== "") yield { line, json };
  }
  return {
    *cut(piece) {
      let from = 0;
      for (;;) {
        const end = piece.indexOf(NEWLINE, from);
        record.add(piece.subarray(from, end < 0 ? piece.length : end));
        if (end < 0) return;
        yield* finish();
        from = end + 1;
      }
    },
    end: finish,
  };
}

/** Follows only what is needed to see where an element ends; its own JSON is parsed by others. */
function createArrayCutter(): Cutter {
  const record = createRecord();
  let line = 0;
  let place: "before" | "inside" | "after" = "before";
  /** Brackets and braces that are open within an element. */
  let depth = 0;
  let isText = false;
  let isEscaped = false;
  /** Whether the element under way has shown anything but spaces. */
  let isBegun = false;
  /** Whether something must follow: a comma was there. */
  let isOwed = false;

  function* finish(isLast: boolean): Generator<StreamedRecord> {
    const json = record.take();
    if (isBegun) yield { line: ++line, json };
    else if (!isLast || isOwed)
      throw new BrokenArray(`element ${line + 1} of the array is missing`);
    isBegun = false;
    isOwed = !isLast;
  }

  return {
    *cut(piece) {
      let from = 0;
      for (let at = 0; at < piece.length; at++) {
        const byte = piece[at] as number;
        if (isText) {
          if (isEscaped) isEscaped = false;
          else if (byte === BACKSLASH) isEscaped = true;
          else if (byte === QUOTE) isText = false;
          continue;
        }
        if (isSpace(byte)) continue;
        if (place === "after") throw new BrokenArray("something follows the array");
        if (place === "before") {
          place = "inside";
          from = at + 1;
          continue;
        }
        const isClosing = CLOSERS.includes(byte);
        if (depth === 0 && (byte === COMMA || isClosing)) {
          if (isClosing && byte !== ARRAY_CLOSE) {
            throw new BrokenArray(`element ${line + 1} of the array closes what is not open`);
          }
          record.add(piece.subarray(from, at));
          yield* finish(isClosing);
          if (isClosing) place = "after";
          from = at + 1;
          continue;
        }
        isBegun = true;
        if (byte === QUOTE) isText = true;
        else if (OPENERS.includes(byte)) depth++;
        else if (isClosing) depth--;
      }
      if (place === "inside") record.add(piece.subarray(from));
    },
    end: () => {
      if (place === "inside") throw new BrokenArray(`the array breaks off after ${line} elements`);
      return [];
    },
  };
}
