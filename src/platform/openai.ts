import type { APIConnectionError, APIError, OpenAI } from "openai";

/** Where a service that speaks OpenAI's protocol is. */
export interface ServiceAddress {
  /** Null for OpenAI itself. */
  baseUrl: string | null;
  /** Null for a service that asks for none. */
  apiKey: string | null;
}

const OPENAI_URL = "https://api.openai.com/v1";
/** Local services ask for none, but the client does. */
const NO_KEY = "none";
/** Nobody waits longer, whatever a service says. */
const RETRY_AFTER_MS_MAX = 24 * 3_600_000;

/**
 * The official client, without retries of its own and with nothing from the environment. `fetchAnswer`
 * bounds what is read of an answer.
 */
export function createOpenAi(
  { baseUrl, apiKey }: ServiceAddress,
  fetchAnswer: (...request: Parameters<typeof fetch>) => Promise<Response>,
): OpenAI {
  return new (loadClient().OpenAI)({
    apiKey: apiKey ?? NO_KEY,
    baseURL: baseUrl ?? OPENAI_URL,
    // What is not said here the client would take from the environment.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: "off",
    maxRetries: 0,
    fetch: fetchAnswer,
    // A key is for the address that it was given for.
    fetchOptions: { redirect: "manual" },
  });
}

/** An error of the client's: what a service answered, or why it did not. */
export function isApiError(error: unknown): error is APIError {
  return error instanceof loadClient().APIError;
}

/** No answer came, or not in time. */
export function isConnectionError(error: unknown): error is APIConnectionError {
  return error instanceof loadClient().APIConnectionError;
}

/** Loaded when it is wanted: it is a quarter of what the server is made of, and most do without. */
function loadClient() {
  return require("openai") as typeof import("openai");
}

/**
 * How many milliseconds a service wants to be left alone, by the headers of its error: seconds or a
 * date (RFC 9110, section 10.2.3), which OpenAI says in milliseconds as well. Null when it says neither.
 */
export function retryAfterMs(headers: unknown): number | null {
  if (!(headers instanceof Headers)) return null;
  const exact = headers.get("retry-after-ms");
  const value = headers.get("retry-after");
  let ms = NaN;
  if (exact !== null && isNumber(exact)) ms = Number(exact);
  else if (value !== null)
    ms = isNumber(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  if (Number.isNaN(ms)) return null;
  return Math.min(RETRY_AFTER_MS_MAX, Math.max(0, Math.round(ms)));
}

function isNumber(text: string): boolean {
  return /^\s*\d+(\.\d+)?\s*$/.test(text);
}
