import { isThisMachine } from "../http/address.ts";
import type { Caller } from "../http/caller.ts";

/** Whom a socket is counted for; null for who is not counted. */
export interface SocketOwners {
  user: number | null;
  network: string | null;
}

/** Counts sockets by who has them. */
export interface SocketCounts {
  /** Counts one more; false when its user or network has as many as it may. */
  add(owners: SocketOwners): Promise<boolean>;
  /** Counts one less. Never rejects. */
  remove(owners: SocketOwners): Promise<void>;
  /** Gives back the places of this process. Never rejects. */
  close(): Promise<void>;
}

/** One of whom sockets are counted for: its name, and how many it may have. */
export interface SocketOwner {
  name: string;
  max: number;
}

/** Sockets of one user, and of all behind one address: an office, or a mobile network's gateway. */
export const USER_SOCKETS_MAX = 100;
export const NETWORK_SOCKETS_MAX = 2_000;

/** How many sockets each owner has in this process. */
export interface LocalCounts {
  /** Counts one more of each; false, and nothing is counted, when one of them has as many as it may. */
  add(owners: readonly SocketOwner[]): boolean;
  remove(owners: readonly SocketOwner[]): void;
  of(name: string): number;
  /** All that have sockets. */
  names(): string[];
}

export function createLocalCounts(): LocalCounts {
  const counts = new Map<string, number>();
  const change = (owners: readonly SocketOwner[], by: number): void => {
    for (const { name } of owners) {
      const sockets = (counts.get(name) ?? 0) + by;
      if (sockets > 0) counts.set(name, sockets);
      else counts.delete(name);
    }
  };
  return {
    add: (owners) => {
      if (owners.some(({ name, max }) => (counts.get(name) ?? 0) >= max)) return false;
      change(owners, 1);
      return true;
    },
    remove: (owners) => change(owners, -1),
    of: (name) => counts.get(name) ?? 0,
    names: () => [...counts.keys()],
  };
}

/** Counts the sockets of this process alone. */
export function createMemorySocketCounts(): SocketCounts {
  const counts = createLocalCounts();
  return {
    add: (owners) => Promise.resolve(counts.add(countedOf(owners))),
    remove: (owners) => Promise.resolve(counts.remove(countedOf(owners))),
    close: () => Promise.resolve(),
  };
}

/** Guests are whoever is on this machine, and this machine may open any number. */
export function ownersOf({ userId, role }: Caller, network: string): SocketOwners {
  return {
    user: role === "guest" ? null : userId,
    network: isThisMachine(network) ? null : network,
  };
}

/** Those of a socket's owners who are counted. */
export function countedOf({ user, network }: SocketOwners): SocketOwner[] {
  const owners: SocketOwner[] = [];
  if (user !== null) owners.push({ name: `user ${user}`, max: USER_SOCKETS_MAX });
  if (network !== null) owners.push({ name: `network ${network}`, max: NETWORK_SOCKETS_MAX });
  return owners;
}
