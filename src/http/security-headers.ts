import { Elysia } from "elysia";

/**
 * What pages of this server may do: nothing from elsewhere, no inline scripts, in nobody's frame.
 * The API's explorer places its parts by style attributes.
 */
const CONTENT_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": CONTENT_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Tells browsers with every answer what its page may not do, and what may not be done with it. */
export function securityHeaders() {
  return new Elysia({ name: "security headers" }).onRequest(({ set }) => {
    Object.assign(set.headers, HEADERS);
  });
}
