import type { Server } from "bun";

/** Groups of an IPv6 address that name a network; one customer has all addresses behind them. */
const NETWORK_GROUPS = 4;

/** Which network a request comes from, to count by: an IPv4 address, or the first half of an IPv6 one. */
export function networkOf(
  request: Request,
  server: Pick<Server<unknown>, "requestIP"> | null,
): string {
  const address = server?.requestIP(request)?.address ?? "unknown";
  // An IPv4 address as a socket for both kinds writes it.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [before = "", after] = address.split("::");
  const start = before === "" ? [] : before.split(":");
  const end = after === undefined || after === "" ? [] : after.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - start.length - end.length) }, () => "0");
  return [...start, ...zeros, ...end].slice(0, NETWORK_GROUPS).join(":");
}
