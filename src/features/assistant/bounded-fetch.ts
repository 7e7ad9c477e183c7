import { AnswerUnusable } from "./answers.ts";

/** Longer answers are dropped on the way; each streamed word comes in some 300 bytes. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
/** A longer line is no event; whoever reads lines would collect it. */
const LINE_BYTES_MAX = 2 * 1024 * 1024;

const NEWLINE = 10;

/** Fetches answers up to a size, and of failures nothing but the status and the headers. */
export async function fetchBounded(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(input, init);
  const { status, headers, body } = response;
  if (!response.ok) {
    await body?.cancel();
    return new Response(null, { status: Math.max(status, 300), headers });
  }
  let bytes = 0;
  let lineBytes = 0;
  const bounded = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      bytes += chunk.length;
      const newline = chunk.lastIndexOf(NEWLINE);
      lineBytes = newline < 0 ? lineBytes + chunk.length : chunk.length - newline;
      if (bytes > RESPONSE_BYTES_MAX || lineBytes > LINE_BYTES_MAX) {
        throw new AnswerUnusable("it is too long");
      }
      controller.enqueue(chunk);
    },
  });
  // Whatever type it claims to be of, it is to be JSON or events of JSON.
  return new Response(body?.pipeThrough(bounded) ?? null, {
    status,
    headers: { "content-type": "application/json" },
  });
}
