/** A record of a CSV file; `line` is where it begins. */
export interface CsvRecord {
  line: number;
  values: string[];
}

export interface CsvParser {
  /** The records that a further piece of the text completes. Throws for an endless one. */
  push(text: string): CsvRecord[];
  /** What stood behind the last line break. Throws when a quotation mark was never closed. */
  end(): CsvRecord[];
}

/** A longer field is most likely one whose quotation mark was never closed: reading ends there. */
const FIELD_CHARACTERS_MAX = 8 * 1024 * 1024;
const QUOTE = 34;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/**
 * Reads CSV (RFC 4180) piece by piece, with any separator. Quotation marks inside a field that has
 * none around it are part of it; empty lines are left out.
 */
export function createCsvParser(separator = ","): CsvParser {
  const between = separator.charCodeAt(0);
  let values: string[] = [];
  let field = "";
  // `closing`: behind a quotation mark that ends a field, or is the first of two that stand for one.
  let state: "start" | "plain" | "quoted" | "closing" = "start";
  let line = 1;
  let firstLine = 1;
  let isAfterReturn = false;

  const endRecord = (records: CsvRecord[]): void => {
    values.push(field);
    if (values.length > 1 || field !== "") records.push({ line: firstLine, values });
    values = [];
    field = "";
    state = "start";
  };

  const push = (text: string): CsvRecord[] => {
    const records: CsvRecord[] = [];
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (state === "quoted") {
        if (code === LINE_FEED) line++;
        if (code !== QUOTE) continue;
        field += text.slice(from, at);
        state = "closing";
        continue;
      }
      if (code === LINE_FEED && isAfterReturn) {
        isAfterReturn = false;
        continue;
      }
      isAfterReturn = false;
      if (code === QUOTE && (state === "closing" || state === "start")) {
        // The second of two is part of the field.
        from = state === "closing" ? at : at + 1;
        state = "quoted";
        continue;
      }
      if (state !== "plain") from = at;
      state = "plain";
      if (code !== between && code !== LINE_FEED && code !== CARRIAGE_RETURN) continue;
      field += text.slice(from, at);
      if (code === between) {
        values.push(field);
        field = "";
        state = "start";
        continue;
      }
      endRecord(records);
      isAfterReturn = code === CARRIAGE_RETURN;
      firstLine = ++line;
    }
    if (state === "plain" || state === "quoted") field += text.slice(from);
    if (field.length > FIELD_CHARACTERS_MAX) {
      throw new Error(`The record at line ${firstLine} does not end. Is a quotation mark missing?`);
    }
    return records;
  };

  return {
    push,
    end: () => {
      if (state === "quoted") {
        throw new Error(`A quotation mark of the record at line ${firstLine} is never closed.`);
      }
      const records: CsvRecord[] = [];
      endRecord(records);
      return records;
    },
  };
}

/** What separates the columns of a file whose first line this is. */
export function separatorOf(header: string): string {
  const counts = [",", ";", "\t"].map((separator) => ({
    separator,
    count: header.split(separator).length,
  }));
  return counts.reduce((best, each) => (each.count > best.count ? each : best)).separator;
}
