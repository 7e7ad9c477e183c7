import { type PostColumn, millisecondsOf, usualColumn } from "../../client/post-columns.ts";
import { readTime } from "../../features/topics/reading-posts.ts";
import { type BadLine, type SourcePost, UnknownColumns } from "./source.ts";

/** Columns as they were named on the command line. */
export type ColumnWishes = Partial<Record<PostColumn, string>>;

/** The names of columns in a file; null where a post has to do without. */
export interface ChosenColumns {
  content: string;
  publication: string;
  id: string | null;
  published: string | null;
}

/** A header with more columns is not told in full. */
const TOLD_COLUMNS_MAX = 30;

/**
 * Chooses columns by what was wished for, else by their usual names, whatever their case. `a.b` is
 * field b of an object in field a. Throws `UnknownColumns` naming the columns there are.
 */
export function chooseColumns(
  fields: Record<string, unknown>,
  wishes: ColumnWishes,
): ChosenColumns {
  const names = Object.keys(fields);
  const choose = (column: PostColumn): string | null => {
    const wish = wishes[column];
    if (wish === undefined) return usualColumn(names, column);
    const exact = [wish, ...names.filter((name) => name.toLowerCase() === wish.toLowerCase())];
    const found = exact.find((name) => valueAt(fields, name) !== undefined);
    if (found !== undefined) return found;
    throw new UnknownColumns(`there is no column ${JSON.stringify(wish)}; ${told(names)}`);
  };
  const needed = (column: "content" | "publication"): string => {
    const found = choose(column);
    if (found !== null) return found;
    throw new UnknownColumns(
      `no column looks like the ${column}: name it with --${column}; ${told(names)}`,
    );
  };
  return {
    content: needed("content"),
    publication: needed("publication"),
    id: choose("id"),
    published: choose("published"),
  };
}

function told(names: readonly string[]): string {
  const shown = names.slice(0, TOLD_COLUMNS_MAX).map((name) => JSON.stringify(name));
  const more = names.length > TOLD_COLUMNS_MAX ? ", …" : "";
  return `the columns are ${shown.join(", ")}${more}`;
}

/**
 * Makes what turns a record into a post. Without an id a post is known by a hash of what it says, so
 * that the same post of the same publication and time is one, however often it is sent.
 */
export function createPostReader(
  columns: ChosenColumns,
): (fields: Record<string, unknown>, line: number) => SourcePost | BadLine {
  return (fields, line) => {
    const content = textAt(fields, columns.content);
    if (content === null) return { line, reason: `${columns.content} has no text` };
    const publication = textAt(fields, columns.publication)?.trim() ?? null;
    if (publication === null) return { line, reason: `${columns.publication} is empty` };
    const publishedAt = columns.published === null ? null : timeAt(fields, columns.published);
    if (Number.isNaN(publishedAt)) return { line, reason: `${columns.published} is no time` };
    const id = columns.id === null ? null : textAt(fields, columns.id);
    const externalId = id ?? hashOf([publication, content, publishedAt]);
    return { content, publication, externalId, publishedAt };
  };
}

function hashOf(parts: readonly unknown[]): string {
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify(parts)).digest("hex");
  return `text-${hash.slice(0, 32)}`;
}

/** Null for what is missing, empty or no text; numbers are written out. */
function textAt(fields: Record<string, unknown>, name: string): string | null {
  const value = valueAt(fields, name);
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value.trim() === "") return null;
  return value.toWellFormed();
}

/** Unix milliseconds; null when there is none, NaN when it is no time. */
function timeAt(fields: Record<string, unknown>, name: string): number | null {
  const value = valueAt(fields, name) ?? "";
  const text = typeof value === "string" ? value.trim() : value;
  if (text === "") return null;
  if (typeof text === "number" || (typeof text === "string" && /^\d+(?:\.\d+)?$/.test(text))) {
    return millisecondsOf(Number(text));
  }
  if (typeof text !== "string") return Number.NaN;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) return readTime(text);
  // Without a year anything short is a date to it.
  return /\d{4}/.test(text) ? Date.parse(text) : Number.NaN;
}

function valueAt(fields: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  let value: unknown = fields;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
