import { Elysia } from "elysia";
import { Problem } from "./problem.ts";

/** The largest body; one that says it is larger is refused before it is read. */
export const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** Refuses requests that announce too much. */
export function bodyLimit() {
  return new Elysia({ name: "limits" }).onRequest(({ request }) => {
    const bytes = Number(request.headers.get("content-length") ?? 0);
    if (bytes <= BODY_BYTES_MAX) return;
    throw new Problem("too_large", `A body may have ${BODY_BYTES_MAX} bytes`);
  });
}
