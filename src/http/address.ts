import { isIPv6 } from "node:net";
import type { Server } from "bun";
import type { TrustedProxies } from "./proxies.ts";

/** Which network a request comes from, to count by: an IPv4 address, or the first half of an IPv6 one. */
export type NetworkOf = (
  request: Request,
  server: Pick<Server<unknown>, "requestIP"> | null,
) => string;

/** The network of who is on this machine, and came here without a proxy. */
const THIS_MACHINE = "this machine";

/** Groups of an IPv6 address that name a network; one customer has all addresses behind them. */
const NETWORK_GROUPS = 4;

/** Groups that name a site: what one customer may be given at most, 65,536 networks (RFC 6177). */
const SITE_GROUPS = 3;

/** What proxies say of whom they speak for. */
const FORWARDING = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

export function createNetworkOf(proxies: TrustedProxies): NetworkOf {
  return (request, server) => {
    const connected = server?.requestIP(request)?.address ?? "unknown";
    const address = proxies.addressOf(connected, request.headers.get("x-forwarded-for"));
    const network = networkOfAddress(address);
    // A proxy here speaks for others, whether it says so or is only known to be one.
    const isDirect = !isForwarded(request) && !proxies.isTrusted(connected);
    return isDirect && (network.startsWith("127.") || address === "::1") ? THIS_MACHINE : network;
  };
}

/** Whether a network is this machine itself: who is there need not ask us to stop it. */
export function isThisMachine(network: string): boolean {
  return network === THIS_MACHINE;
}

/** The site that a network of `NetworkOf` is part of: its /48 with IPv6, else the network itself. */
export function siteOf(network: string): string {
  return network.includes(":") ? network.split(":").slice(0, SITE_GROUPS).join(":") : network;
}

/** Whether a proxy has passed a request on. */
export function isForwarded({ headers }: Request): boolean {
  return FORWARDING.some((name) => headers.has(name));
}

function networkOfAddress(address: string): string {
  if (!isIPv6(address)) return address;
  // Addresses have one spelling in URLs.
  const plain = new URL(`http://[${address.split("%")[0]}]`).hostname.slice(1, -1);
  const [before = "", after] = plain.split("::");
  const start = before === "" ? [] : before.split(":");
  const end = after === undefined || after === "" ? [] : after.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - start.length - end.length) }, () => "0");
  const groups = [...start, ...zeros, ...end];
  // An IPv4 address as a socket for both kinds writes it.
  if (groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff") return ipv4Of(groups.slice(6));
  return groups.slice(0, NETWORK_GROUPS).join(":");
}

function ipv4Of(groups: readonly string[]): string {
  return groups
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join(".");
}
