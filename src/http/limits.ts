import { Elysia } from "elysia";
import { Problem } from "./problem.ts";

/** The largest body; one that says it is larger is refused before it is read, others on the way. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

const JSON_TYPE = "application/json";

/**
 * Refuses bodies that are too large. Routes are given their JSON parsed; a body of any other kind is
 * left unread for the route that wants it, and that reads it with `limitedBody`. `largerAt` says
 * which addresses take more, in bytes; theirs are left unread whatever they are.
 */
export function bodyLimit(largerAt: Readonly<Record<string, number>> = {}) {
  return new Elysia({ name: "limits" })
    .onRequest(({ request }) => {
      const bytes = Number(request.headers.get("content-length") ?? 0);
      if (bytes <= BODY_BYTES_MAX) return;
      const bytesMax = largerAt[new URL(request.url).pathname] ?? BODY_BYTES_MAX;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
    })
    .onParse({ as: "global" }, ({ request }, contentType) => {
      if (contentType === "") return undefined;
      if (contentType !== JSON_TYPE || new URL(request.url).pathname in largerAt) return null;
      // One that told its length is as long as it said, and the server's own parser is quicker.
      return isLengthTold(request) ? undefined : parseJson(request);
    });
}

/** The bytes of a body as they come. Throws `too_large` when there are more than `bytesMax`. */
export async function* limitedBody(
  request: Request,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (request.body === null) return;
  let bytes = 0;
  for await (const piece of request.body) {
    bytes += piece.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield piece;
  }
}

async function parseJson(request: Request): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of limitedBody(request, BODY_BYTES_MAX)) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
}

function isLengthTold({ headers }: Request): boolean {
  return headers.has("content-length") && !headers.has("transfer-encoding");
}

function tooLarge(bytesMax: number): Problem {
  return new Problem("too_large", `A body may have ${bytesMax} bytes`);
}
