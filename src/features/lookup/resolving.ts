import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { reachOf } from "./addresses.ts";
import { type Source, SourceFailed } from "./model.ts";

/** All addresses of a host name, as the system knows them. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export async function resolveHost(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}

/**
 * The addresses that a source's host may be reached at, IPv4 first: many machines have an IPv6 address
 * that leads nowhere. One that must not be asked spoils them all, since a name that points inwards as
 * well as outwards is no honest one. Throws `SourceFailed`.
 */
export async function checkedAddresses(
  source: Source,
  host: string,
  resolve: Resolve,
): Promise<string[]> {
  const bare = host.replace(/^\[|\]$/g, "");
  const addresses = isIP(bare) === 0 ? await resolved(bare, resolve) : [bare];
  if (addresses.length === 0) throw new SourceFailed("has no address", true);
  for (const address of addresses) {
    const reach = reachOf(address);
    if (reach === "never" || (reach === "private" && !source.isPrivate)) {
      throw new SourceFailed("leads to an address that may not be asked", true);
    }
  }
  return addresses.toSorted((one, other) => isIP(one) - isIP(other));
}

async function resolved(host: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    return await resolve(host);
  } catch (error) {
    throw new SourceFailed("could not be found by its name", true, null, error);
  }
}
