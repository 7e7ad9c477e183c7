import { type PostColumn, millisecondsOf, usualColumn } from "../../client/post-columns.ts";
import { createSha256 } from "./sha256.ts";

/** Which column holds what; null for what the file has not. */
export interface Columns {
  content: string | null;
  publication: string | null;
  id: string | null;
  published: string | null;
  /** The publication of all posts when no column says it. */
  publicationName: string;
}

/** A post as the server takes it. */
export interface FilePost {
  content: string;
  publication: string;
  external_id: string;
  published_at: number | null;
}

export interface BadLine {
  line: number;
  reason: string;
}

/** So much of a hash keeps texts apart. */
const HASH_CHARACTERS = 32;

/** Chooses columns by their usual names, whatever their case. */
export function guessColumns(names: readonly string[]): Columns {
  const find = (column: PostColumn): string | null => usualColumn(names, column);
  return {
    content: find("content"),
    publication: find("publication"),
    id: find("id"),
    published: find("published"),
    publicationName: "",
  };
}

/** Whether a post can be made of these columns. */
export function areEnough({ content, publication, publicationName }: Columns): boolean {
  return content !== null && (publication !== null || publicationName.trim() !== "");
}

/**
 * Makes what turns a record into a post. Without an id a post is known by a hash of what it says, the
 * same that `earshot simulate` makes: a file may be sent again, by either, and counts once.
 */
export function createPostReader(
  columns: Columns,
): (fields: Record<string, unknown>, line: number) => FilePost | BadLine {
  const sha256 = createSha256();
  return (fields, line) => {
    const content = textAt(fields, columns.content);
    if (content === null) return { line, reason: `${columns.content} has no text` };
    const publication =
      columns.publication === null ? columns.publicationName : textAt(fields, columns.publication);
    if (publication === null) return { line, reason: `${columns.publication} is empty` };
    const publishedAt = columns.published === null ? null : timeOf(fields[columns.published]);
    if (Number.isNaN(publishedAt)) return { line, reason: `${columns.published} is no time` };
    const named = publication.trim();
    const id =
      textAt(fields, columns.id) ??
      `text-${sha256(JSON.stringify([named, content, publishedAt])).slice(0, HASH_CHARACTERS)}`;
    return { content, publication: named, external_id: id, published_at: publishedAt };
  };
}

export function isBad(read: object): read is BadLine {
  return "reason" in read;
}

/** Null for what is missing, empty or no text; numbers are written out. */
function textAt(fields: Record<string, unknown>, name: string | null): string | null {
  const text = name === null ? null : textOf(fields[name]);
  return text === null || text.trim() === "" ? null : text.toWellFormed();
}

function textOf(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value : null;
}

/** Unix milliseconds; null when there is none, NaN when it is no time. Without a zone it is UTC. */
function timeOf(value: unknown): number | null {
  const text = textOf(value)?.trim() ?? "";
  if (text === "") return null;
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    return millisecondsOf(Number(text));
  }
  const [day] = /^\d{4}-\d{2}-\d{2}/.exec(text) ?? [];
  // Without a year anything short is a date to the parser.
  if (day === undefined) return /\d{4}/.test(text) ? Date.parse(text) : Number.NaN;
  const midnight = Date.parse(`${day}T00:00Z`);
  // Parsers take February 30 for March 2.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day))
    return Number.NaN;
  const isZoned = /^\d{4}-\d{2}-\d{2}$|(?:Z|[+-]\d{2}:?\d{2})$/i.test(text);
  const at = Date.parse(isZoned ? text : `${text.replace(" ", "T")}Z`);
  return at < 0 ? Number.NaN : at;
}
