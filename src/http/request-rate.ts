import { Elysia } from "elysia";
import type { Allowance } from "../platform/rate.ts";
import { type NetworkOf, isThisMachine } from "./address.ts";
import type { Attempts } from "./attempts.ts";
import { sentBearer, sentKeys } from "./credentials.ts";
import type { ApiKey, Keys } from "./keys.ts";
import { Problem } from "./problem.ts";

/** Requests of one network, and of one user wherever it is; past it 429. */
export const NETWORK_REQUESTS: Allowance = { burst: 1_000, everyMs: 5 };
export const USER_REQUESTS: Allowance = { burst: 500, everyMs: 10 };
/**
 * Requests of one API key; past it 429. A program sends posts one by one: 100,000 are an ordinary run,
 * which passes at any speed. In the long run it gets 5,000 a second, which leaves others something of
 * the 7,000 that two cores take in; who has more sends many at once, which is one request.
 */
export const KEY_REQUESTS: Allowance = { burst: 100_000, everyMs: 0.2 };

export interface RequestRateDependencies {
  networkOf: NetworkOf;
  keys: Pick<Keys, "verify">;
  /** Counts the requests of a network. */
  requests: Attempts;
  /** Counts those with a valid API key, by the key. */
  keyRequests: Attempts;
}

/**
 * Refuses the requests of a network that sends too many; this machine itself may send any number. What
 * comes with a valid API key, whatever it asks for, is counted for the key in the network's place: the
 * operator gave it to a program that is to send much.
 */
export function requestRate(dependencies: RequestRateDependencies) {
  const { networkOf, keys, requests, keyRequests } = dependencies;
  return new Elysia({ name: "request rate" }).onRequest(async ({ request, server }) => {
    const network = networkOf(request, server);
    if (isThisMachine(network)) return;
    const key = await keyOf(request, keys);
    if (key === null) await takeRequest(requests, network);
    else await takeRequest(keyRequests, String(key.userId));
  });
}

/** Counts one request. Throws `rate_limited`. */
export async function takeRequest(requests: Attempts, key: string): Promise<void> {
  const retryAfterMs = await requests.take(key);
  if (retryAfterMs === 0) return;
  throw new Problem("rate_limited", "Too many requests; try again later", { retryAfterMs });
}

async function keyOf(request: Request, keys: Pick<Keys, "verify">): Promise<ApiKey | null> {
  const [sent] = sentKeys(request);
  if (sent !== undefined) return keys.verify(sent);
  const bearer = sentBearer(request);
  // Most requests bring the token of a session, and those are not looked for among the keys.
  return bearer === null || isToken(bearer) ? null : keys.verify(bearer);
}

/** Whether it looks like a JWT: three parts, of which the first is an object's JSON in base64. */
function isToken(sent: string): boolean {
  return sent.startsWith("eyJ") && sent.split(".", 4).length === 3;
}
