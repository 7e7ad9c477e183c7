import { ModelFailure } from "./refusal.ts";

/** A release page leads to its storage in one step; more than a few are a circle. */
const REDIRECTS_MAX = 5;

/** The connection failed; asking again may help. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

/**
 * Sends one GET and follows redirects, to https and http only and never from https to http. The
 * body comes as it is sent, never unpacked on the way. Throws `ConnectionLost`, and `ModelFailure`
 * for a redirect that is not followed.
 */
export async function get(
  address: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  let url = new URL(address);
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const response = await send(url, headers, signal);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = URL.parse(location, url.href);
    if (next === null || !/^https?:$/.test(next.protocol)) {
      throw new ModelFailure(`${shown(url)} leads to something that is no web address`);
    }
    if (url.protocol === "https:" && next.protocol === "http:") {
      throw new ModelFailure(`${shown(url)} leads from https to plain http, to ${next.host}`);
    }
    url = next;
  }
  throw new ModelFailure(`${shown(new URL(address))} leads in circles`);
}

/** An address as it may be shown and kept: without name, password and query. */
export function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** What a failed connection says of itself, in few words. */
export function connectionError(error: unknown): ConnectionLost {
  return new ConnectionLost(error instanceof Error ? error.message : String(error));
}

async function send(
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(url.href, {
      headers: { ...headers, "accept-encoding": "identity" },
      redirect: "manual",
      decompress: false,
      signal,
    });
  } catch (error) {
    throw connectionError(error);
  }
}
