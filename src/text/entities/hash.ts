/** Names of feature kinds are mixed in as seeds, so that equal words of different kinds differ. */
const FNV_PRIME = 0x01000193;

/** A 32-bit hash of a text's UTF-16 code units (FNV-1a, then Murmur3's finaliser). */
export function hashText(text: string, seed: number): number {
  let hash = seed | 0;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  }
  return finish(hash);
}

/** The hash of two hashes in that order. */
export function hashPair(one: number, other: number): number {
  return finish(Math.imul(one, 31) ^ Math.imul(other, 0x9e3779b1));
}

/** The hash of a kind of feature and the two or three hashes that it joins. */
export function hashJoint(kind: number, one: number, other: number, third: number): number {
  let hash =
    Math.imul(one, 0x9e3779b1) + Math.imul(other, 0x85ebca77) + Math.imul(third, 0xc2b2ae3d);
  hash = Math.imul((hash + kind) ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Continues a hash by one UTF-16 code unit; `finish` ends it. */
export function extendHash(hash: number, code: number): number {
  return Math.imul(hash ^ code, FNV_PRIME);
}

/** Spreads a hash over all its bits (Murmur3's finaliser). */
export function finish(mixed: number): number {
  let hash = mixed ^ (mixed >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
