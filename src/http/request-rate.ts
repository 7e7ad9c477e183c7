import { Elysia } from "elysia";
import { type NetworkOf, isThisMachine } from "./address.ts";
import type { Allowance, Attempts } from "./attempts.ts";
import { Problem } from "./problem.ts";

/** Requests of one network, and of one user wherever it is; past it 429. */
export const NETWORK_REQUESTS: Allowance = { burst: 1_000, everyMs: 5 };
export const USER_REQUESTS: Allowance = { burst: 500, everyMs: 10 };

export interface RequestRateDependencies {
  networkOf: NetworkOf;
  /** Counts the requests of a network. */
  requests: Attempts;
}

/** Refuses the requests of a network that sends too many; this machine itself may send any number. */
export function requestRate({ networkOf, requests }: RequestRateDependencies) {
  return new Elysia({ name: "request rate" }).onRequest(async ({ request, server }) => {
    const network = networkOf(request, server);
    if (!isThisMachine(network)) await takeRequest(requests, network);
  });
}

/** Counts one request. Throws `rate_limited`. */
export async function takeRequest(requests: Attempts, key: string): Promise<void> {
  const retryAfterMs = await requests.take(key);
  if (retryAfterMs === 0) return;
  throw new Problem("rate_limited", "Too many requests; try again later", { retryAfterMs });
}
