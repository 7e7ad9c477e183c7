import { isThisMachine } from "../http/address.ts";
import type { Caller } from "../http/caller.ts";

/** Whom a socket is counted for; null for who is not counted. */
export interface SocketOwners {
  user: number | null;
  network: string | null;
}

/** Counts the sockets of this process by who has them. */
export interface SocketCounts {
  /** Counts one more; false when its user or network has as many as it may. */
  add(owners: SocketOwners): boolean;
  remove(owners: SocketOwners): void;
}

/** Sockets of one user, and of all behind one address: an office, or a mobile network's gateway. */
const USER_SOCKETS_MAX = 100;
const NETWORK_SOCKETS_MAX = 2_000;

export function createSocketCounts(): SocketCounts {
  const users = new Map<number, number>();
  const networks = new Map<string, number>();
  return {
    add: ({ user, network }) => {
      if (isFull(users, user, USER_SOCKETS_MAX)) return false;
      if (isFull(networks, network, NETWORK_SOCKETS_MAX)) return false;
      count(users, user, 1);
      count(networks, network, 1);
      return true;
    },
    remove: ({ user, network }) => {
      count(users, user, -1);
      count(networks, network, -1);
    },
  };
}

/** Guests are whoever is on this machine, and this machine may open any number. */
export function ownersOf({ userId, role }: Caller, network: string): SocketOwners {
  return {
    user: role === "guest" ? null : userId,
    network: isThisMachine(network) ? null : network,
  };
}

function isFull<Owner>(counts: Map<Owner, number>, owner: Owner | null, max: number): boolean {
  return owner !== null && (counts.get(owner) ?? 0) >= max;
}

function count<Owner>(counts: Map<Owner, number>, owner: Owner | null, change: number): void {
  if (owner === null) return;
  const sockets = (counts.get(owner) ?? 0) + change;
  if (sockets > 0) counts.set(owner, sockets);
  else counts.delete(owner);
}
