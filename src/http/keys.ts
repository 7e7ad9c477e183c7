import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  KEY_SCOPES,
  type KeptKey,
  type KeyScope,
  type KeyStore,
  type Revoked,
} from "./keys.store.ts";
import { Problem } from "./problem.ts";

/** A key that opens something now. */
export interface ApiKey {
  /** Below zero and the key's own: no account, guest or other key has it. */
  userId: number;
  name: string;
  scopes: readonly KeyScope[];
}

/** Keys that programs send instead of signing in. */
export interface Keys {
  /** Null when it is no valid key; why, nobody is told. */
  verify(key: string): Promise<ApiKey | null>;
  /** Whether there is a valid key, kept or configured. */
  anyExist(): Promise<boolean>;
  /**
   * Makes a key for some scopes, or for all, and keeps its hash; this is the only time that the key
   * itself is told. Throws `invalid` for a name that keys cannot have and `conflict` for that of
   * another valid key.
   */
  create(name: string, scopes?: readonly KeyScope[]): Promise<{ key: string; kept: KeptKey }>;
  /** All kept ones, the oldest first, revoked ones among them. */
  list(): Promise<KeptKey[]>;
  /**
   * Revokes by id (a text of digits) or by name, from the next request on and for good; one that was
   * revoked before stays as it is. Throws `not_found`.
   */
  revoke(idOrName: string): Promise<Revoked>;
}

export interface KeysDependencies {
  store: KeyStore;
  /** Keys of the settings, which are valid as long as this process runs. */
  configured: readonly string[];
  /** Unix milliseconds. */
  now(): number;
}

/** By this, people and programs that look for leaked secrets know one of these keys. */
const PREFIX = "ek_";
const KEY_BYTES = 32;
/** So much of a key is kept readable; what is left of it has more than 200 bits. */
const HINT_CHARACTERS = 8;
/** A longer one is no key, whatever it holds. */
const KEY_CHARACTERS_MAX = 1_024;
const NAME_CHARACTERS_MAX = 100;
/** When a key was used is known to this. */
const USED_EVERY_MS = 60_000;

/**
 * Keys are 32 random bytes, so their SHA-256 is all that is kept: a slow hash makes passwords hard to
 * guess, and there is nothing to guess in 256 random bits. Each verification asks the database, by
 * the index over the hashes, so that a revoked key is refused at the next request in every process.
 * What that takes may depend on the hash, but who chooses keys does not choose their hashes.
 */
export function createKeys({ store, configured, now }: KeysDependencies): Keys {
  const settings = configured.map(digestOf);
  /** When each kept key was last written down as used; as many entries as keys that were sent here. */
  const touchedAt = new Map<number, number>();

  /** The one of the settings' keys that this is; all are compared, each in constant time. */
  const placeInSettings = (digest: Buffer): number =>
    settings.reduce((found, one, place) => (timingSafeEqual(one, digest) ? place : found), -1);

  /** Nobody waits for it, and one that fails is made up for by a later use. */
  const touch = ({ id, usedAt }: KeptKey): void => {
    const at = now();
    const since = at - USED_EVERY_MS;
    if (Math.max(usedAt ?? 0, touchedAt.get(id) ?? 0) > since) return;
    touchedAt.set(id, at);
    store.touch(id, at, since).catch(() => undefined);
  };

  return {
    verify: async (key) => {
      if (key.length > KEY_CHARACTERS_MAX) return null;
      const digest = digestOf(key);
      const place = placeInSettings(digest);
      // Odd numbers are those of the settings, even ones those of the database.
      if (place >= 0) {
        return { userId: -(2 * place + 1), name: "a key of the settings", scopes: KEY_SCOPES };
      }
      const kept = await store.find(digest.toString("hex"));
      if (kept === null) return null;
      touch(kept);
      return { userId: -2 * kept.id, name: kept.name, scopes: kept.scopes };
    },
    anyExist: async () => settings.length > 0 || store.anyExist(),
    create: async (given, scopes = KEY_SCOPES) => {
      const name = checkedName(given);
      const key = PREFIX + randomBytes(KEY_BYTES).toString("base64url");
      const hash = digestOf(key).toString("hex");
      const hint = key.slice(0, HINT_CHARACTERS);
      const kept = await store.add({ name, hash, hint, scopes, at: now() });
      if (kept === null) throw new Problem("conflict", "Another valid key has that name");
      return { key, kept };
    },
    list: store.list,
    revoke: async (idOrName) => {
      const wanted = isDigits(idOrName) ? Number(idOrName) : idOrName.trim();
      const revoked = await store.revoke(wanted, now());
      if (revoked === null) throw new Problem("not_found", "There is no such key");
      return revoked;
    },
  };
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** Throws `invalid`. A name of digits would be taken for an id, and one with control characters for lines. */
function checkedName(given: string): string {
  const name = given.trim();
  const characters = Array.from(name).length;
  if (characters < 1 || characters > NAME_CHARACTERS_MAX) {
    throw new Problem("invalid", `A key's name has 1 to ${NAME_CHARACTERS_MAX} characters`);
  }
  if (!name.isWellFormed() || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new Problem("invalid", "A key's name is one line of well-formed text");
  }
  if (isDigits(name)) {
    throw new Problem("invalid", "A key's name needs more than digits, which would be an id");
  }
  return name;
}

function isDigits(text: string): boolean {
  return /^\d+$/.test(text);
}
