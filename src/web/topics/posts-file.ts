import { type CsvRecord, createCsvParser, separatorOf } from "./csv.ts";
import type { BadLine } from "./columns.ts";

/** What a line of a file holds, or why it cannot be read. */
export type FileRecord = { line: number; fields: Record<string, unknown> } | BadLine;

/** So much is looked at to see what a file is, and which columns it has. */
const HEAD_BYTES = 256 * 1024;
/** A longer line is no post: reading ends there. */
const LINE_CHARACTERS_MAX = 8 * 1024 * 1024;
const LITTLE_ENDIAN = [0xff, 0xfe];

/**
 * Reads a CSV or JSON-lines file piece by piece, never whole. What it is is seen from its beginning.
 * `onRead` hears how many bytes have been read. Throws in words when the file cannot be read on.
 */
export async function* readPostsFile(
  file: Blob,
  onRead: (bytes: number) => void,
): AsyncGenerator<FileRecord, void, undefined> {
  const beginning = await beginningOf(file);
  if (/^\s*\[/.test(beginning)) {
    throw new Error("This is one JSON array. Save it with one object a line (JSONL).");
  }
  const texts = textsOf(file, onRead);
  yield* /^\s*\{/.test(beginning) ? jsonRecords(texts) : csvRecords(texts, beginning);
}

/** The names of a file's columns. Throws in words when there are none. */
export async function columnNamesOf(file: Blob): Promise<string[]> {
  for await (const record of readPostsFile(file, () => undefined)) {
    if ("fields" in record) return Object.keys(record.fields);
  }
  throw new Error("There is no post in this file.");
}

async function beginningOf(file: Blob): Promise<string> {
  const head = file.slice(0, HEAD_BYTES);
  const bytes = new Uint8Array(await head.arrayBuffer());
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

/** Tables are saved as UTF-16 as well. */
function encodingOf(head: Uint8Array): string {
  return LITTLE_ENDIAN.every((byte, at) => head[at] === byte) ? "utf-16le" : "utf-8";
}

async function* textsOf(
  file: Blob,
  onRead: (bytes: number) => void,
): AsyncGenerator<string, void, undefined> {
  const reader = file.stream().getReader();
  let decoder: TextDecoder | null = null;
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      onRead(bytes);
      decoder ??= new TextDecoder(encodingOf(value));
      yield decoder.decode(value, { stream: true });
    }
    yield decoder?.decode() ?? "";
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function* csvRecords(
  texts: AsyncIterable<string>,
  beginning: string,
): AsyncGenerator<FileRecord, void, undefined> {
  const parser = createCsvParser(separatorOf(/^\s*([^\r\n]*)/.exec(beginning)?.[1] ?? ""));
  let names: string[] | null = null;
  const recordOf = ({ line, values }: CsvRecord): FileRecord | null => {
    if (names === null) {
      names = values.map((name) => name.trim());
      return null;
    }
    if (values.length !== names.length) {
      return { line, reason: "not as many fields as the header" };
    }
    const fields = Object.fromEntries(names.map((name, at) => [name, values[at]]));
    return { line, fields };
  };
  for await (const text of texts) {
    for (const found of parser.push(text)) {
      const record = recordOf(found);
      if (record !== null) yield record;
    }
  }
  for (const found of parser.end()) {
    const record = recordOf(found);
    if (record !== null) yield record;
  }
}

async function* jsonRecords(
  texts: AsyncIterable<string>,
): AsyncGenerator<FileRecord, void, undefined> {
  let rest = "";
  let line = 0;
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error(`Line ${line + 1} does not end.`);
    for (const each of lines) {
      line++;
      if (each.trim() !== "") yield jsonRecord(each, line);
    }
  }
  if (rest.trim() !== "") yield jsonRecord(rest, line + 1);
}

function jsonRecord(text: string, line: number): FileRecord {
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields === "object" && fields !== null && !Array.isArray(fields)) {
      return { line, fields: fields as Record<string, unknown> };
    }
  } catch {
    // Told below, as what is JSON and no object.
  }
  return { line, reason: "it is no JSON object" };
}
