import { Elysia } from "elysia";
import { Problem } from "./problem.ts";

/** The largest body; one that says it is larger is refused before it is read, others on the way. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** A body may keep us waiting so long, and a second more for every so many bytes. */
const BODY_WAIT_MS = 30_000;
const BODY_BYTES_A_SECOND_MIN = 1_024;
const REQUEST_TIMEOUT = 408;

const JSON_TYPE = "application/json";

/**
 * Refuses bodies that are too large. Routes are given their JSON parsed; a body of any other kind is
 * left unread for the route that wants it, and that reads it with `limitedBody`. `largerAt` says
 * which addresses take more, in bytes; theirs are left unread whatever they are. A body that comes too
 * slowly is answered 408.
 */
export function bodyLimit(
  largerAt: Readonly<Record<string, number>> = {},
  waitMs: number = BODY_WAIT_MS,
) {
  return new Elysia({ name: "limits" })
    .onRequest(({ request }) => {
      const bytes = Number(request.headers.get("content-length") ?? 0);
      if (bytes <= BODY_BYTES_MAX) return;
      const bytesMax = largerAt[pathOf(request)] ?? BODY_BYTES_MAX;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
    })
    .onParse({ as: "global" }, ({ request }, contentType) => {
      if (contentType === "") return undefined;
      if (contentType !== JSON_TYPE || pathOf(request) in largerAt) return null;
      // One that told its length is as long as it said.
      return isLengthTold(request) ? parseTold(request, waitMs) : parseJson(request, waitMs);
    });
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

async function parseJson(request: Request, waitMs: number): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of limitedBody(request, BODY_BYTES_MAX, waitMs)) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
}

/**
 * The JSON of a body whose length was told, by the server's own parser, which is quicker but tells
 * nothing of how far it is: a body has the time of one that is all there. That is less than the minute
 * after which the server cuts silent connections without an answer, unless 30 KB or more were told.
 */
function parseTold(request: Request, waitMs: number): Promise<unknown> {
  const ms = allowedMsFor(Number(request.headers.get("content-length")), waitMs);
  // By hand, and not by `within`: every request that brings JSON comes by here.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooSlow()), ms);
    request.json().then(
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
