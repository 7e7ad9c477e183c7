import type { Server } from "bun";
import { Elysia } from "elysia";
import type { RootLog } from "../platform/log.ts";
import type { TrustedProxies } from "./proxies.ts";

export interface RequestIdDependencies {
  log: Pick<RootLog, "within" | "scope">;
  proxies: Pick<TrustedProxies, "isTrusted">;
  newId(): string;
}

/** What a trusted proxy may call a request; anything else gets a new id. */
const ID = /^[A-Za-z0-9._-]{1,128}$/;
const HEADER = "x-request-id";

/**
 * Gives every request an id, or keeps the one that a trusted proxy has given it. It is told in
 * `X-Request-Id`, and every line of the log that is written for the request says it.
 */
export function requestIds({ log, proxies, newId }: RequestIdDependencies) {
  const isTrusted = (given: string, request: Request, server: Server<unknown> | null): boolean =>
    ID.test(given) && proxies.isTrusted(server?.requestIP(request)?.address ?? "");
  return new Elysia({ name: "request ids" })
    .wrap(
      (handle: (request: Request) => unknown) => (request: Request) =>
        log.within({ request: newId() }, handle, request),
    )
    .onRequest(({ request, server, set }) => {
      // A `return` in here would have the framework look for an answer.
      const scope = log.scope();
      if (scope !== null) {
        const given = request.headers.get(HEADER);
        if (given !== null && isTrusted(given, request, server)) scope.request = given;
        set.headers[HEADER] = scope.request;
      }
    });
}
