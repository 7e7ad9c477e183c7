import type { Caller, Identity } from "../../http/caller.ts";
import { firstCharacters } from "../../http/characters.ts";
import { Problem } from "../../http/problem.ts";
import type { Log } from "../../platform/log.ts";
import type { AccountStore } from "./account.store.ts";
import type { AuthSession, SignedIn } from "./model.ts";
import { foldName } from "./names.ts";
import type { Passwords } from "./passwords.ts";
import { makeRefreshToken, readRefreshToken } from "./refresh-tokens.ts";
import type { AuthSessionStore } from "./session.store.ts";
import type { Tries } from "./tries.ts";

/** Coming in, staying in and going. */
export interface SignIn {
  /**
   * Opens a session. Throws `unauthorized`, the same and after the same work for a wrong name and a
   * wrong password, `rate_limited` and `queue_full`.
   */
  login(request: LoginRequest): Promise<IssuedTokens>;
  /**
   * Gives the next tokens of a session. Throws `unauthorized`; a refresh token that was used before
   * ends its session, for it is not known which of the two who had it is the thief.
   */
  refresh(refreshToken: string): Promise<IssuedTokens>;
  /** Ends the session of a refresh token; one that is unknown or over is no error. */
  logout(refreshToken: string): Promise<void>;
  sessions(who: SignedIn): Promise<AuthSession[]>;
  /** Ends one of the account's sessions (throws `not_found`), or with null all of them. */
  end(who: SignedIn, sessionId: number | null): Promise<void>;
}

export interface LoginRequest {
  name: string;
  password: string;
  network: string;
  /** What the client calls itself. */
  userAgent: string;
}

export interface IssuedTokens {
  accessToken: string;
  expiresInS: number;
  refreshToken: string;
}

export interface SignInDependencies {
  accounts: AccountStore;
  sessions: AuthSessionStore;
  passwords: Passwords;
  tries: Tries;
  sign(identity: Identity): Promise<string>;
  /** Hears of sessions that are over. */
  onEnded(sessionIds: readonly number[]): void;
  /** Unix milliseconds. */
  now(): number;
  log: Log;
}

const ACCESS_S = 900;
/** A session that is not refreshed for so long is over. */
const SESSION_MS = 30 * 86_400_000;
const USER_AGENT_CHARACTERS_MAX = 120;

export function createSignIn(dependencies: SignInDependencies): SignIn {
  const { accounts, sessions, passwords, tries, sign, onEnded, now, log } = dependencies;

  const issue = async (
    caller: Caller,
    sessionId: number,
    refreshToken: string,
  ): Promise<IssuedTokens> => ({
    accessToken: await sign({ caller, expiresAt: now() + ACCESS_S * 1000, sessionId }),
    expiresInS: ACCESS_S,
    refreshToken,
  });

  return {
    login: async ({ name, password, network, userAgent }) => {
      const key = foldName(name);
      const account = await tries.login(key, network, async () => {
        const kept = await accounts.findByName(key);
        const isRight = await passwords.verify(password, kept?.passwordHash ?? null);
        return isRight ? kept : null;
      });
      if (account === null) throw wrong();
      const { token, ...hashes } = makeRefreshToken();
      const opened = await sessions.open({
        ...hashes,
        userId: account.id,
        passwordHash: account.passwordHash,
        at: now(),
        expiresAt: now() + SESSION_MS,
        userAgent: firstCharacters(printable(userAgent), USER_AGENT_CHARACTERS_MAX),
      });
      // Its password was changed, or it was closed, while the old one was compared.
      if (opened === null) throw wrong();
      onEnded(opened.ended);
      return issue(
        { userId: account.id, role: account.role, name: account.name },
        opened.id,
        token,
      );
    },
    refresh: async (refreshToken) => {
      const hashes = readRefreshToken(refreshToken);
      if (hashes === null) throw over();
      const next = makeRefreshToken(refreshToken);
      const rotated = await sessions.rotate({
        ...hashes,
        nextHash: next.tokenHash,
        at: now(),
        expiresAt: now() + SESSION_MS,
      });
      if (rotated === null) throw over();
      const { id, caller, reused } = rotated;
      if (reused) {
        onEnded([id]);
        log.warn(
          { user: caller.userId, session: id },
          "a refresh token came twice; its session ends",
        );
        throw over();
      }
      return issue(caller, id, next.token);
    },
    logout: async (refreshToken) => {
      const hashes = readRefreshToken(refreshToken);
      if (hashes !== null) onEnded(await sessions.endFamily(hashes.familyHash));
    },
    sessions: ({ userId }) => sessions.list(userId, now()),
    end: async ({ userId }, sessionId) => {
      const ended = await sessions.end(userId, sessionId);
      if (sessionId !== null && ended.length === 0) {
        throw new Problem("not_found", "There is no such session");
      }
      onEnded(ended);
    },
  };
}

/** Headers hold what their sender likes. */
function printable(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}]/gu, "");
}

/** The same whatever is wrong, so that nobody learns which names there are. */
function wrong(): Problem {
  return new Problem("unauthorized", "The name or the password is wrong");
}

function over(): Problem {
  return new Problem("unauthorized", "The session is over; log in again");
}
