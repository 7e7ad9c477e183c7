import { jwt } from "@elysiajs/jwt";
import { firstCharacters } from "./characters.ts";
import type { Caller, Identity } from "./caller.ts";

/** Signed statements of who somebody is. */
export interface Tokens {
  sign(identity: Identity): Promise<string>;
  /**
   * Null when the token is forged, expired, meant for another service, of a session that is over, or
   * no token at all.
   */
  verify(token: string): Promise<Identity | null>;
}

/** Who holds a session of an account now; null when it is over. */
export type FindHolder = (sessionId: number) => Promise<Caller | null>;

const ISSUER = "earshot";
const ALGORITHM = "HS256";
/** A token names its end; one without is refused, so this is for those that need none, like guests'. */
const GUEST_DAYS = 30;
const DAY_MS = 86_400_000;
const NAME_CHARACTERS_MAX = 100;
const TOKEN_CHARACTERS_MAX = 4_096;

/**
 * Tokens are JWTs: HS256, issuer and audience `earshot`, `sub` the user's id, `exp`, `role`, `name`,
 * and `sid` where they belong to a session. Such a session is looked for each time, so that whatever
 * ends it, or changes its account, counts at once and in every process; who its holder is then is for
 * the database to say. A token without one, which whoever knows the secret may sign, stands for itself.
 */
export function createTokens(
  secret: string,
  now: () => number,
  findHolder: FindHolder = () => Promise.resolve(null),
): Tokens {
  const { jwt: signer } = jwt({
    name: "jwt",
    secret,
    alg: ALGORITHM,
    iss: ISSUER,
    aud: ISSUER,
  }).decorator;
  return {
    sign: ({ caller, expiresAt, sessionId }) => {
      const endsAt = expiresAt ?? now() + GUEST_DAYS * DAY_MS;
      return signer.sign({
        sub: String(caller.userId),
        role: caller.role,
        name: caller.name,
        exp: Math.floor(endsAt / 1000),
        ...(sessionId === undefined ? {} : { sid: sessionId }),
      });
    },
    verify: async (token) => {
      if (token.length > TOKEN_CHARACTERS_MAX) return null;
      const claims = await signer.verify(token, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: ISSUER,
        requiredClaims: ["exp", "sub"],
        currentDate: new Date(now()),
      });
      if (claims === false) return null;
      const { sub, role, name, exp, sid } = claims as Record<string, unknown>;
      // Digits only: as a number, an empty text would be the user 0.
      const userId = typeof sub === "string" && /^\d+$/.test(sub) ? Number(sub) : Number.NaN;
      if (!Number.isSafeInteger(userId) || typeof exp !== "number") return null;
      if (role !== "user" && role !== "admin" && role !== "guest") return null;
      if (sid !== undefined) {
        if (!Number.isSafeInteger(sid)) return null;
        const sessionId = Number(sid);
        const caller = await findHolder(sessionId);
        if (caller?.userId !== userId) return null;
        return { caller, expiresAt: exp * 1000, sessionId };
      }
      const shown = typeof name === "string" && name !== "" ? name : `user ${userId}`;
      return {
        caller: { userId, role, name: firstCharacters(shown.toWellFormed(), NAME_CHARACTERS_MAX) },
        expiresAt: exp * 1000,
      };
    },
  };
}
