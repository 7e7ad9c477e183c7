import { isIPv4, isIPv6 } from "node:net";

/**
 * What an address is to a server that calls others: `public` is reached over the internet, `private`
 * only from this machine or its own network, and `never` is nobody's that should be asked over HTTP:
 * the services that clouds keep for their machines, groups, reserved blocks, and every form that
 * carries another address inside and so could hide one.
 */
export type Reach = "public" | "private" | "never";

type Block = readonly [address: string, bits: number];

// From the IANA special-purpose address registries (RFC 6890 and its updates).
const PRIVATE_IPV4: readonly Block[] = [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
];
const NEVER_IPV4: readonly Block[] = [
  ["0.0.0.0", 8],
  // Link-local: among them 169.254.169.254, where clouds hand out their machines' credentials.
  ["169.254.0.0", 16],
  // Where Alibaba's cloud does the same, within the block of carriers' own addresses.
  ["100.100.100.200", 32],
  // Azure's service for its machines, in the middle of the internet's addresses.
  ["168.63.129.16", 32],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  // Groups, what is reserved, and everybody at once.
  ["224.0.0.0", 3],
];
const PRIVATE_IPV6: readonly Block[] = [
  ["::1", 128],
  ["fc00::", 7],
];
/** All of IPv6 that is given out for the internet; whatever lies outside is something else. */
const GLOBAL_IPV6: Block = ["2000::", 3];
const NEVER_IPV6: readonly Block[] = [
  // Where Amazon's cloud hands out credentials, within the block of unique local addresses.
  ["fd00:ec2::254", 128],
  // And Google's.
  ["fd20:ce::254", 128],
  // Protocols' own, Teredo among them, whose addresses carry IPv4 inside.
  ["2001::", 23],
  ["2001:db8::", 32],
  // 6to4 carries IPv4 inside.
  ["2002::", 16],
  ["3fff::", 20],
];

const isWithin4 = within(PRIVATE_IPV4, bytesOfIPv4);
const isNever4 = within(NEVER_IPV4, bytesOfIPv4);
const isWithin6 = within(PRIVATE_IPV6, bytesOfIPv6);
const isNever6 = within(NEVER_IPV6, bytesOfIPv6);
const isGlobal6 = within([GLOBAL_IPV6], bytesOfIPv6);

/**
 * How far an address reaches. Only the plain forms are addresses: four decimal numbers without leading
 * zeros, or IPv6 without a zone; anything else, such as `0x7f.1`, `2130706433` or a name, is `never`.
 */
export function reachOf(address: string): Reach {
  if (isIPv4(address)) {
    const bytes = bytesOfIPv4(address);
    if (isNever4(bytes)) return "never";
    return isWithin4(bytes) ? "private" : "public";
  }
  if (!isIPv6(address) || address.includes("%")) return "never";
  const bytes = bytesOfIPv6(address);
  if (isNever6(bytes)) return "never";
  if (isWithin6(bytes)) return "private";
  return isGlobal6(bytes) ? "public" : "never";
}

/** Whether an address lies in one of `blocks`; their bytes are worked out once. */
function within(
  blocks: readonly Block[],
  bytesOf: (address: string) => number[],
): (bytes: readonly number[]) => boolean {
  const known = blocks.map(([address, bits]) => ({ prefix: bytesOf(address), bits }));
  return (bytes) => known.some(({ prefix, bits }) => sharesBits(bytes, prefix, bits));
}

function sharesBits(one: readonly number[], other: readonly number[], bits: number): boolean {
  return one.every((byte, at) => {
    const left = Math.min(8, bits - at * 8);
    if (left <= 0) return true;
    const mask = (0xff << (8 - left)) & 0xff;
    return (byte & mask) === ((other[at] ?? 0) & mask);
  });
}

function bytesOfIPv4(address: string): number[] {
  return address.split(".").map(Number);
}

/** The 16 bytes of an address in any of the forms of RFC 4291, section 2.2. */
function bytesOfIPv6(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const before = groupsOf(head);
  if (tail === undefined) return before;
  const after = groupsOf(tail);
  return [...before, ...Array<number>(16 - before.length - after.length).fill(0), ...after];
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return bytesOfIPv4(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
