import { Elysia } from "elysia";
import { parseJsonText } from "./json-text.ts";
import { Problem } from "./problem.ts";

/** The largest body; one that says it is larger is refused before it is read, others on the way. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** A body may keep us waiting so long, and a second more for every so many bytes. */
export const BODY_WAIT_MS = 30_000;
const BODY_BYTES_A_SECOND_MIN = 1_024;
const REQUEST_TIMEOUT = 408;

const JSON_TYPE = "application/json";

/** The field of a body that is not said to be JSON, as routes are given it. */
const NO_JSON_FIELD = "(not application/json)";

/**
 * What stands for such a body: no described one takes the field, so that it is refused also where none
 * is required, and nobody sees it where none is described.
 */
const NO_JSON = Object.freeze({ [NO_JSON_FIELD]: null });

/** Whether a body that was refused is none that was read. */
export function isNoJson(body: unknown): boolean {
  return typeof body === "object" && body !== null && NO_JSON_FIELD in body;
}

/**
 * Refuses bodies that are too large. Routes are given their JSON parsed; a body of any other kind is
 * left unread for the route that wants it, and that reads it with `limitedBody`. `largerAt` says
 * which addresses take more, in bytes; theirs are left unread whatever they are. `smallerAt` says
 * which take less. A body that comes too slowly is answered 408.
 */
export function bodyLimit(
  largerAt: Readonly<Record<string, number>> = {},
  waitMs: number = BODY_WAIT_MS,
  smallerAt: Readonly<Record<string, number>> = {},
) {
  const bytesMaxAt = { ...largerAt, ...smallerAt };
  const bytesMaxOf = (request: Request): number => bytesMaxAt[pathOf(request)] ?? BODY_BYTES_MAX;
  const least = Math.min(BODY_BYTES_MAX, ...Object.values(smallerAt));
  return new Elysia({ name: "limits" })
    .onRequest(({ request }) => {
      const bytes = Number(request.headers.get("content-length") ?? 0);
      if (bytes <= least) return;
      const bytesMax = bytesMaxOf(request);
      if (bytes > bytesMax) throw tooLarge(bytesMax);
    })
    .onParse({ as: "global" }, ({ request }, contentType) => {
      if (request.body === null) return undefined;
      if (!isJson(contentType) || pathOf(request) in largerAt) return NO_JSON;
      // One that told its length is as long as it said, and was looked at before.
      return isLengthTold(request)
        ? parseTold(request, waitMs)
        : parseStreamed(request, bytesMaxOf(request), waitMs);
    });
}

/** Whether a media type, without its parameters, is JSON's: in any case, with space around it. */
function isJson(contentType: string): boolean {
  return contentType === JSON_TYPE || contentType.trim().toLowerCase() === JSON_TYPE;
}

/**
 * The bytes of a body as they come. Throws `too_large` when there are more than `bytesMax`, and
 * `invalid` (408) when they come so slowly that they are only sent to hold the connection.
 */
export async function* limitedBody(
  request: Request,
  bytesMax: number,
  waitMs = BODY_WAIT_MS,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (request.body === null) return;
  const reader = request.body.getReader();
  let bytes = 0;
  let waitedMs = 0;
  try {
    for (;;) {
      const allowedMs = allowedMsFor(bytes, waitMs) - waitedMs;
      // What we take to use a piece is not the sender's time.
      const askedAt = performance.now();
      const read = await within(reader.read(), allowedMs);
      waitedMs += performance.now() - askedAt;
      if (read === null) throw tooSlow();
      if (read.done) return;
      bytes += read.value.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      yield read.value;
    }
  } finally {
    // Whoever stops reading wants no more of it; that the sender has gone is no news here.
    await reader.cancel().catch(() => undefined);
  }
}

/** How long a sender may keep us waiting for so many bytes. */
function allowedMsFor(bytes: number, waitMs: number): number {
  return waitMs + (bytes * 1_000) / BODY_BYTES_A_SECOND_MIN;
}

/** What a promise gives, or null when that takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), null);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The path as routes know it: they answer with a slash at its end as well. */
function pathOf({ url }: Request): string {
  return new URL(url).pathname.replace(/\/$/, "");
}

async function parseStreamed(request: Request, bytesMax: number, waitMs: number): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of limitedBody(request, bytesMax, waitMs)) pieces.push(piece);
  // As the server reads those of a told length: without the mark that some texts begin with.
  return parseJsonText(new TextDecoder().decode(Buffer.concat(pieces)));
}

/**
 * The JSON of a body whose length was told, read by the server itself, which is quicker but tells
 * nothing of how far it is: a body has the time of one that is all there. That is less than the minute
 * after which the server cuts silent connections without an answer, unless 30 KB or more were told.
 */
function parseTold(request: Request, waitMs: number): Promise<unknown> {
  const ms = allowedMsFor(Number(request.headers.get("content-length")), waitMs);
  // By hand, and not by `within`: every request that brings JSON comes by here.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooSlow()), ms);
    request
      .text()
      .then(parseJsonText)
      .then(
        (value: unknown) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: Error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
  });
}

function isLengthTold({ headers }: Request): boolean {
  return headers.has("content-length") && !headers.has("transfer-encoding");
}

function tooSlow(): Problem {
  return new Problem("invalid", "The body comes too slowly", { status: REQUEST_TIMEOUT });
}

function tooLarge(bytesMax: number): Problem {
  return new Problem("too_large", `A body may have ${bytesMax} bytes`);
}
