import { createHash, randomBytes } from "node:crypto";

/** A refresh token as it is kept: hashes, which tell nobody what the token is. */
export interface RefreshHashes {
  /** SHA-256, hexadecimal, of the part that all tokens of a session share. */
  familyHash: string;
  /** The same of the part that only this one has. */
  tokenHash: string;
}

/** A refresh token as its client gets it, and as it is kept. */
export interface RefreshToken extends RefreshHashes {
  token: string;
}

/** By this, people and programs that look for leaked secrets know one of these. */
const PREFIX = "er_";
const PART_BYTES = 32;
const PARTS = /^er_([\w-]{43})\.([\w-]{43})$/;

/** The first token of a session, or, after one of its tokens, the next. */
export function makeRefreshToken(after?: string): RefreshToken {
  const family = (after && PARTS.exec(after)?.[1]) ?? randomPart();
  const own = randomPart();
  return {
    token: `${PREFIX}${family}.${own}`,
    familyHash: hashOf(family),
    tokenHash: hashOf(own),
  };
}

/**
 * Null for what is no token. Who knows the family's part has had a token of that session: if it is
 * not the latest, somebody uses one for the second time.
 */
export function readRefreshToken(token: string): RefreshHashes | null {
  const [, family, own] = PARTS.exec(token) ?? [];
  if (family === undefined || own === undefined) return null;
  return { familyHash: hashOf(family), tokenHash: hashOf(own) };
}

function randomPart(): string {
  return randomBytes(PART_BYTES).toString("base64url");
}

/** Nobody guesses 256 random bits, so no slow hash is needed. */
function hashOf(part: string): string {
  return createHash("sha256").update(part).digest("hex");
}
