import OpenAI from "openai";
import { AnswerUnusable } from "./answers.ts";

/** Where a service that speaks OpenAI's protocol is. */
export interface ServiceAddress {
  /** Null for OpenAI itself. */
  baseUrl: string | null;
  /** Null for a service that asks for none. */
  apiKey: string | null;
}

/** Longer answers are dropped on the way; each streamed word comes in some 300 bytes. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
/** A longer line is no event; whoever reads lines would collect it. */
const LINE_BYTES_MAX = 2 * 1024 * 1024;

const OPENAI_URL = "https://api.openai.com/v1";
/** Local services ask for none, but the client does. */
const NO_KEY = "none";
const NEWLINE = 10;

/** The official client, without retries of its own and with nothing from the environment. */
export function createOpenAi({ baseUrl, apiKey }: ServiceAddress): OpenAI {
  return new OpenAI({
    apiKey: apiKey ?? NO_KEY,
    baseURL: baseUrl ?? OPENAI_URL,
    // What is not said here the client would take from the environment.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: "off",
    maxRetries: 0,
    fetch: fetchBounded,
    // A key is for the address that it was given for.
    fetchOptions: { redirect: "manual" },
  });
}

/** Fetches answers up to a size, and of failures nothing but the status and the headers. */
async function fetchBounded(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
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
