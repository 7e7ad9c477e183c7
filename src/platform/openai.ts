import OpenAI from "openai";

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

/**
 * The official client, without retries of its own and with nothing from the environment. `fetchAnswer`
 * bounds what is read of an answer.
 */
export function createOpenAi(
  { baseUrl, apiKey }: ServiceAddress,
  fetchAnswer: (...request: Parameters<typeof fetch>) => Promise<Response>,
): OpenAI {
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
    fetch: fetchAnswer,
    // A key is for the address that it was given for.
    fetchOptions: { redirect: "manual" },
  });
}
