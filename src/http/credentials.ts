/** Where a key is looked for; the second is what other services' clients send. */
const KEY_HEADERS = ["x-api-key", "access_token"];
const PROTOCOL_BEARER = "bearer.";

/** What a request has in the headers for API keys, whatever it is worth. */
export function sentKeys({ headers }: Request): string[] {
  return KEY_HEADERS.flatMap((name) => headers.get(name) ?? []);
}

/**
 * The token of `Authorization: Bearer …`, or of the subprotocol `bearer.…` that browsers can send. Null
 * when neither was sent, or the header is of another kind.
 */
export function sentBearer({ headers }: Request): string | null {
  const header = headers.get("authorization");
  if (header !== null) return /^Bearer +(\S+)$/i.exec(header)?.[1] ?? null;
  const protocols = headers.get("sec-websocket-protocol")?.split(",") ?? [];
  const offered = protocols.map((one) => one.trim()).find((one) => one.startsWith(PROTOCOL_BEARER));
  return offered === undefined ? null : offered.slice(PROTOCOL_BEARER.length);
}
