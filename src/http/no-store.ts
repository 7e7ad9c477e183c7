import { Elysia } from "elysia";

/** Where the path of an address begins at the earliest: behind `http://` and a host. */
const PATH_AT = 8;

/**
 * Keeps what is answered at addresses that begin with one of `paths` out of every cache, also refusals:
 * who somebody is, and what opens doors, is for whoever asked and for once.
 */
export function noStore(paths: readonly string[]) {
  return new Elysia({ name: "no store" }).onRequest(({ request: { url }, set }) => {
    const at = url.indexOf("/", PATH_AT);
    if (paths.some((path) => url.startsWith(path, at))) set.headers["cache-control"] = "no-store";
  });
}
