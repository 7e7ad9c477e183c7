import { Elysia } from "elysia";
import { isLoopback } from "../config.ts";
import { isForwarded } from "./address.ts";
import { Problem } from "./problem.ts";

export interface OriginDependencies {
  /** Where the server listens; with the door open, only its own names are answered. */
  host: string;
  auth: "open" | "required";
  /** Other origins whose pages may use this server. */
  corsOrigins: readonly string[];
  /** Proxies that the operator knows of. */
  trustedProxies: readonly string[];
}

const ALLOWED_METHODS = "GET, POST, PATCH, DELETE";
const ALLOWED_HEADERS = "access_token, authorization, content-type, if-match, x-api-key";
/** What pages may read of an answer besides its body. */
const EXPOSED_HEADERS = "age, etag, link, retry-after, x-cache, x-request-id";
const PREFLIGHT_S = "600";

/**
 * Keeps other sites' pages out: a browser sends the origin of the page, and only this server's own
 * and the allowed ones may change anything or open a socket. With the door open the `Host` is checked
 * too, since a name that is made to point here (DNS rebinding) would pass for the server's own, and
 * what a proxy passes on is refused.
 */
export function originCheck(dependencies: OriginDependencies) {
  const { host, auth, corsOrigins, trustedProxies } = dependencies;
  const allowedHosts = new Set(corsOrigins.map((origin) => new URL(origin).host));

  const check = (request: Request): void => {
    const asked = request.headers.get("host") ?? "";
    // Whom a proxy lets in is not on this machine, and the open door is for those who are.
    if (auth === "open" && trustedProxies.length === 0 && isForwarded(request)) {
      throw new Problem("forbidden", "With AUTH=open this server is for its own machine only");
    }
    if (auth === "open" && !isOwnName(asked, host) && !allowedHosts.has(asked)) {
      throw new Problem("forbidden", "This server does not answer to that host name");
    }
    const origin = request.headers.get("origin");
    if (origin === null || isSafe(request) || corsOrigins.includes(origin)) return;
    if (URL.parse(origin)?.host === asked) return;
    throw new Problem("forbidden", "Pages of that origin may not use this server");
  };

  return new Elysia({ name: "origin" }).onRequest(({ request, set }) => {
    check(request);
    const origin = request.headers.get("origin");
    if (origin === null || !corsOrigins.includes(origin)) return;
    set.headers["access-control-allow-origin"] = origin;
    set.headers["access-control-allow-credentials"] = "true";
    set.headers["access-control-expose-headers"] = EXPOSED_HEADERS;
    set.headers["vary"] = "origin";
    if (request.method !== "OPTIONS") return;
    set.headers["access-control-allow-methods"] = ALLOWED_METHODS;
    set.headers["access-control-allow-headers"] = ALLOWED_HEADERS;
    set.headers["access-control-max-age"] = PREFLIGHT_S;
    set.status = 204;
    return "";
  });
}

/** Reading is left to the browser's own rule: without our headers the page does not get the answer. */
function isSafe(request: Request): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(request.method) && !request.headers.has("upgrade");
}

function isOwnName(asked: string, host: string): boolean {
  const name = URL.parse(`http://${asked}`)?.hostname.replace(/^\[|\]$/g, "") ?? "";
  return name === host || isLoopback(name) || name.endsWith(".localhost");
}
