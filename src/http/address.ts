import type { Server } from "bun";
import type { TrustedProxies } from "./proxies.ts";

/** Which network a request comes from, to count by: an IPv4 address, or the first half of an IPv6 one. */
export type NetworkOf = (
  request: Request,
  server: Pick<Server<unknown>, "requestIP"> | null,
) => string;

/** Groups of an IPv6 address that name a network; one customer has all addresses behind them. */
const NETWORK_GROUPS = 4;
/** The network of `::1`. */
const OWN_IPV6 = "0:0:0:0";

export function createNetworkOf(proxies: TrustedProxies): NetworkOf {
  return (request, server) => {
    const connected = server?.requestIP(request)?.address ?? "unknown";
    return networkOfAddress(proxies.addressOf(connected, request.headers.get("x-forwarded-for")));
  };
}

/** Whether that is this machine itself: who is there need not ask us to stop it. */
export function isThisMachine(network: string): boolean {
  return network.startsWith("127.") || network === OWN_IPV6;
}

function networkOfAddress(address: string): string {
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
