import { Readable, pipeline } from "node:stream";
import { CsvError, type Info, parse } from "csv-parse";
import type { FileRecord } from "./file-source.ts";
import { type BadLine, UnreadableSource } from "./source.ts";

/** A longer record is most likely one whose quotation mark was never closed: reading ends there. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024;

/** What the parser says of its mistakes, in the words of a person. */
const REASONS: Readonly<Record<string, string>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: "not as many fields as the header",
  CSV_QUOTE_NOT_CLOSED: "a quotation mark is never closed",
};

/**
 * Reads CSV (RFC 4180) whose first line names the columns. Quotation marks inside a field that has
 * none around it are part of it. Line numbers are those of a record's end, which a field with line
 * breaks has further down than its beginning. Throws `UnreadableSource` for an endless record.
 */
export async function* readCsv(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<FileRecord, void, undefined> {
  let bad: BadLine[] = [];
  const parser = parse({
    bom: true,
    info: true,
    max_record_size: RECORD_BYTES_MAX,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });
  parser.on("skip", (error: CsvError) => {
    const line = Number(error["lines"]);
    if (error.code === "CSV_MAX_RECORD_SIZE") {
      // The parser stops there without a word.
      parser.destroy(
        new UnreadableSource(
          `the record that ends or is under way at line ${line} is longer than ${RECORD_BYTES_MAX} bytes; ` +
            "is a quotation mark missing?",
        ),
      );
      return;
    }
    bad.push({ line, reason: REASONS[error.code] ?? error.message });
  });
  // Errors come out of the parser.
  pipeline(Readable.from(bytes, { objectMode: false }), parser, () => undefined);
  let names: string[] | null = null;
  for await (const item of parser) {
    const { record, info } = item as { record: string[]; info: Info };
    if (names === null) {
      names = record.map((name) => name.trim());
      continue;
    }
    // The parser is ahead with bad lines: they come at once, and records one by one.
    const passed = bad.filter(({ line }) => line < info.lines);
    bad = bad.slice(passed.length);
    yield* passed;
    const columns = names;
    const fields = Object.fromEntries(record.map((value, at) => [columns[at] ?? "", value]));
    yield { line: info.lines, fields };
  }
  yield* bad;
}
