import { BlockList, isIP } from "node:net";

/** Whose forwarded headers count. */
export interface TrustedProxies {
  /**
   * Where a request comes from: the connection's address, or, when that is a trusted proxy's, the last
   * address in `X-Forwarded-For` that no trusted proxy has. What stands before it anybody may write.
   */
  addressOf(connected: string, forwardedFor: string | null): string;
  isTrusted(address: string): boolean;
}

/** Hops that are looked at; a longer list is a proxy that goes in circles. */
const HOPS_MAX = 16;

/** Reads addresses and networks (`10.0.0.0/8`). Throws a RangeError for anything else. */
export function createTrustedProxies(entries: readonly string[]): TrustedProxies {
  const trusted = new BlockList();
  for (const [at, entry] of entries.entries()) {
    const [address = "", prefix] = entry.split("/");
    const family = familyOf(address);
    if (family === null || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) {
      throw new RangeError(`number ${at + 1} is no address or network`);
    }
    if (prefix === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(prefix), family);
  }

  const isTrusted = (address: string): boolean => {
    const family = familyOf(address);
    return family !== null && trusted.check(address, family);
  };

  return {
    isTrusted,
    addressOf: (connected, forwardedFor) => {
      if (forwardedFor === null || !isTrusted(connected)) return connected;
      const hops = forwardedFor.split(",").slice(-HOPS_MAX).map(plainAddress);
      let last = connected;
      for (const hop of hops.toReversed()) {
        // A proxy that hides its client, or writes nonsense, answers for it itself.
        if (familyOf(hop) === null) return last;
        last = hop;
        if (!isTrusted(hop)) return last;
      }
      return last;
    },
  };
}

function familyOf(address: string): "ipv4" | "ipv6" | null {
  const version = isIP(address);
  if (version === 0) return null;
  return version === 4 ? "ipv4" : "ipv6";
}

/** Some proxies write ports and brackets. */
function plainAddress(hop: string): string {
  const trimmed = hop.trim();
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1];
  return bracketed ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
}
