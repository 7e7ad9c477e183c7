import { type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";

// `fetch` would resolve the name again, follow redirects, unpack without a limit and go through a
// proxy of the environment; node:http does nothing that it is not told.

export interface ConnectionRequest {
  url: URL;
  /** Where the connection is made to, whatever the host's name means by now. */
  address: string;
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Certificates to believe instead of the system's. */
  ca?: string | undefined;
}

/**
 * Sends one GET to `address` over a connection of its own; the name stands in the `Host` header, and
 * for https the certificate must be the name's. Rejects with the connection's error.
 */
export function get(wanted: ConnectionRequest): Promise<IncomingMessage> {
  const { url, address, headers, signal, ca } = wanted;
  const isSecure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const options: RequestOptions = {
    host: address,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { ...headers, host: url.host, "accept-encoding": "gzip" },
    agent: false,
    signal,
  };
  // An address has no server name in TLS (RFC 6066, section 3).
  const tls = {
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
    rejectUnauthorized: true,
  };
  return new Promise((resolve, reject) => {
    const request = isSecure ? requestHttps({ ...options, ...tls }) : requestHttp(options);
    request.on("response", resolve);
    request.on("error", reject);
    request.end();
  });
}
