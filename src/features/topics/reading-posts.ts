import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Static } from "elysia";
import { hasMoreCharacters } from "../../http/characters.ts";
import { parseJsonText } from "../../http/json-text.ts";
import { Problem } from "../../http/problem.ts";
import {
  CONTENT_CHARACTERS_MAX,
  NAME_CHARACTERS_MAX,
  type NewPost,
  isSaidHere,
  postBody,
} from "./model.ts";
import { RECORD_BYTES_MAX } from "./records.ts";

/** Values in one record; one with more is refused before anything is made of it. Ours have five. */
const RECORD_VALUES_MAX = 1_000;

/** Why a post is not taken; `detail` repeats nothing of it. */
export interface Refusal {
  code: "invalid" | "too_large";
  detail: string;
}

const shape = TypeCompiler.Compile(postBody);

/** Checks one record of a stream. */
export function readRecord(json: string | null): NewPost | Refusal {
  if (json === null) return tooLarge(`a record may have ${RECORD_BYTES_MAX} bytes`);
  // What is no JSON at all costs the most to find out, and least to write.
  if (!json.trimStart().startsWith("{")) return invalid("it is no JSON object");
  try {
    const sent = parseJsonText(json, RECORD_VALUES_MAX);
    // What is wrong is not told of each, and finding that out takes ten times as long.
    return shape.Check(sent) ? readFields(sent) : invalid("it is not as described in /docs");
  } catch (error) {
    if (!(error instanceof Problem)) return invalid("it is no JSON");
    return error.code === "too_large" ? tooLarge(error.message) : invalid(error.message);
  }
}

/** Checks what somebody sent as a post. */
export function readPost(sent: unknown): NewPost | Refusal {
  if (!shape.Check(sent)) {
    const first = shape.Errors(sent).First();
    const where = first === undefined || first.path === "" ? "a post" : first.path.slice(1);
    return invalid(`${where}: ${first?.message ?? "is not as described in /docs"}`);
  }
  return readFields(sent);
}

/** What the shape cannot say of a post that has it. */
function readFields(sent: Static<typeof postBody>): NewPost | Refusal {
  const { content, published_at: time = null, external_id: externalId = null } = sent;
  if (hasMoreCharacters(content, CONTENT_CHARACTERS_MAX)) {
    return tooLarge(`content may have ${CONTENT_CHARACTERS_MAX} characters`);
  }
  const publication = sent.publication.trim();
  for (const [field, text] of Object.entries({ content, publication, external_id: externalId })) {
    if (text === null) continue;
    if (text.trim() === "") return invalid(`${field} must not be empty`);
    if (field !== "content" && hasMoreCharacters(text, NAME_CHARACTERS_MAX)) {
      return invalid(`${field} may have ${NAME_CHARACTERS_MAX} characters`);
    }
  }
  if (publication === "." || publication === "..") {
    return invalid("publication: no address can name that");
  }
  if (isSaidHere(publication)) {
    return invalid("publication: that name is kept for what is said here");
  }
  const publishedAt = time === null ? null : readTime(time);
  if (Number.isNaN(publishedAt)) return invalid("published_at is no time");
  return { content, publication, externalId, publishedAt };
}

export function isRefusal(read: NewPost | Refusal): read is Refusal {
  return "code" in read;
}

/** Unix milliseconds; NaN when it is no time. What names no zone is in UTC. */
export function readTime(time: Exclude<Static<typeof postBody>["published_at"], null | undefined>) {
  if (typeof time === "number") return time;
  if (!isDate(time)) return Number.NaN;
  const isZoned = /^\d{4}-\d{2}-\d{2}$|(?:Z|[+-]\d{2}:?\d{2})$/i.test(time);
  const at = Date.parse(isZoned ? time : `${time.replace(" ", "T")}Z`);
  return at < 0 ? Number.NaN : at;
}

/** Whether a time begins with a day that there is: parsers take February 30 for March 2. */
function isDate(time: string): boolean {
  const [day] = /^\d{4}-\d{2}-\d{2}/.exec(time) ?? [];
  const at = Date.parse(`${day}T00:00Z`);
  return day !== undefined && !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

function tooLarge(detail: string): Refusal {
  return { code: "too_large", detail };
}

function invalid(detail: string): Refusal {
  return { code: "invalid", detail };
}
