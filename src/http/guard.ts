import { Elysia } from "elysia";
import { firstCharacters } from "./characters.ts";
import type { Caller, Identity, KeyCaller } from "./caller.ts";
import { sentBearer, sentKeys } from "./credentials.ts";
import { ADMIN, KEYED, SIGNED_IN, SIGNED_IN_OR_KEY, WATCHER } from "./entry.ts";
import type { KeyScope } from "./keys.store.ts";
import type { ApiKey, Keys } from "./keys.ts";
import { Problem } from "./problem.ts";
import { takeRequest } from "./request-rate.ts";
import type { Attempts } from "./attempts.ts";
import type { Tokens } from "./tokens.ts";

export interface GuardDependencies {
  auth: "open" | "required";
  tokens: Tokens;
  keys: Pick<Keys, "verify" | "anyExist">;
  /** Counts the requests of a user, and of a key where people come as well. */
  requests: Attempts;
  /** A new guest's id: an integer that no account will ever have. */
  guestId(): number;
}

/** Who came in, and whether this is the first time. */
export interface Visitor extends Identity {
  /** Set for a guest that was made just now: its token, so that it can come back as the same one. */
  guestToken: string | null;
}

/** Who a request comes from, by the mark of its route; each throws `unauthorized`. */
export interface Identify {
  signedIn(request: Request): Promise<Visitor>;
  /** Throws `forbidden` as well, as the others below. */
  admin(request: Request): Promise<Visitor>;
  signedInOrKey(request: Request): Promise<Caller | KeyCaller>;
  keyed(request: Request): Promise<Caller | KeyCaller>;
  /** Whether it may watch; that is all that is asked of it. */
  watcher(request: Request): Promise<void>;
}

const NAME_CHARACTERS_MAX = 100;

/**
 * Finds out who a request comes from: by its key or token, or, when the door is open, by what it says
 * of itself (`?user_id=&name=`), or as a new guest. Throws `rate_limited` for a user who asks too often.
 */
export function createIdentify(dependencies: GuardDependencies): Identify {
  const { auth, tokens, keys, requests, guestId } = dependencies;

  /** A guest's token opens nothing once accounts are required, though the same secret signed it. */
  const identityOf = async (token: string): Promise<Identity | null> => {
    const identity = await tokens.verify(token);
    return auth === "required" && identity?.caller.role === "guest" ? null : identity;
  };

  const stranger = (request: Request): Promise<Visitor> => {
    if (auth === "required") {
      throw new Problem("unauthorized", "This needs a token: Authorization: Bearer <token>");
    }
    return openVisitor(request, tokens, guestId);
  };

  const signedIn = async (request: Request): Promise<Visitor> => {
    const token = bearerOf(request);
    if (token === null) return stranger(request);
    const identity = await identityOf(token);
    if (identity === null) {
      throw new Problem("unauthorized", "The token is not valid or has expired");
    }
    const stated = new URL(request.url).searchParams.get("user_id");
    const { userId, role } = identity.caller;
    if (role === "user" && stated !== null && Number(stated) !== userId) {
      throw new Problem("forbidden", "user_id must be your own");
    }
    // Guests are whoever is on this machine.
    if (role !== "guest") await takeRequest(requests, String(userId));
    return { ...identity, guestToken: null };
  };

  const admin = async (request: Request): Promise<Visitor> => {
    const visitor = await signedIn(request);
    if (visitor.caller.role === "admin") return visitor;
    throw new Problem("forbidden", "Only an admin may do this");
  };

  const signedInOrKey = async (request: Request): Promise<Caller | KeyCaller> => {
    const token = bearerOf(request);
    const key = token === null ? null : await keys.verify(token);
    if (key !== null) {
      const caller = keyCaller(key, "audio");
      await takeRequest(requests, String(caller.userId));
      return caller;
    }
    // Clients of other services must send some key: with the door open, one of theirs says nothing.
    const isForeign = token !== null && auth === "open" && (await identityOf(token)) === null;
    return (await (isForeign ? stranger(request) : signedIn(request))).caller;
  };

  // Keys are not counted here: posts come one by one and fast, and `requestRate` has them counted.
  const keyed = async (request: Request): Promise<Caller | KeyCaller> => {
    const sent = sentKeys(request);
    if (sent.length > 0) {
      const [key = null, ...others] = await Promise.all(sent.map(keys.verify));
      if (key === null || others.includes(null)) throw refused();
      // What else was sent, such as a proxy's own Authorization, is not for us.
      return keyCaller(key, "posts");
    }
    const token = bearerOf(request);
    const key = token === null ? null : await keys.verify(token);
    if (key !== null) return keyCaller(key, "posts");
    const identity = token === null ? null : await identityOf(token);
    if (token !== null && identity === null) throw refused();
    if (identity?.caller.role === "admin") {
      await takeRequest(requests, String(identity.caller.userId));
      return identity.caller;
    }
    if (auth === "open" && !(await keys.anyExist())) return (await signedIn(request)).caller;
    if (identity?.caller.role === "user") {
      throw new Problem("forbidden", "Only an API key or an admin may do this");
    }
    throw new Problem("unauthorized", "This needs an API key: X-API-Key: <key>");
  };

  // With the door open whoever watches is on this machine, and a key would only be in its way.
  const watcher = async (request: Request): Promise<void> => {
    if (auth === "open") return;
    const token = bearerOf(request);
    const sent = [...sentKeys(request), ...(token === null ? [] : [token])];
    if (sent.length === 0) {
      throw new Problem("unauthorized", "This needs an API key: X-API-Key: <key>");
    }
    const found = await Promise.all(sent.map(keys.verify));
    if (found.some((key) => key !== null)) return;
    const identity = token === null ? null : await identityOf(token);
    if (identity === null) throw refused();
    await takeRequest(requests, String(identity.caller.userId));
    if (identity.caller.role !== "admin") {
      throw new Problem("forbidden", "Only an API key or an admin may do this");
    }
  };

  return { signedIn, admin, signedInOrKey, keyed, watcher };
}

/**
 * Routes marked `signedIn: true` know their `caller`; nobody else gets in, not even to a 422. Those
 * marked `admin: true` are for admins, also where the door is open. Those marked `signedInOrKey: true`
 * are for clients of other services: an API key with the scope `audio` may stand in the token's place,
 * and where nobody has to sign in any text may. Those marked `keyed: true` are for an API key with the
 * scope `posts` or an admin; with the door open they are for everyone until there is a key. Those marked
 * `watcher: true` are for any API key or an admin, and with the door open for everyone.
 */
export function guard(identify: Identify) {
  const visitors = new WeakMap<Request, Visitor>();
  const callers = new WeakMap<Request, Caller | KeyCaller>();
  const resolve = ({ request }: { request: Request }): { caller: Caller | KeyCaller } => {
    const caller = callers.get(request);
    if (caller === undefined) throw new Problem("unauthorized", "Sign in first");
    return { caller };
  };
  const known = ({ request }: { request: Request }): { caller: Caller; visitor: Visitor } => {
    const visitor = visitors.get(request);
    if (visitor === undefined) throw new Problem("unauthorized", "Sign in first");
    return { caller: visitor.caller, visitor };
  };
  // All of them before validation, so that a stranger learns nothing about a route's fields.
  return new Elysia({ name: "guard" }).macro({
    signedIn: {
      detail: SIGNED_IN,
      transform: async ({ request }: { request: Request }) => {
        visitors.set(request, await identify.signedIn(request));
      },
      resolve: known,
    },
    admin: {
      detail: ADMIN,
      transform: async ({ request }: { request: Request }) => {
        visitors.set(request, await identify.admin(request));
      },
      resolve: known,
    },
    signedInOrKey: {
      detail: SIGNED_IN_OR_KEY,
      transform: async ({ request }: { request: Request }) => {
        callers.set(request, await identify.signedInOrKey(request));
      },
      resolve,
    },
    keyed: {
      detail: KEYED,
      transform: async ({ request }: { request: Request }) => {
        callers.set(request, await identify.keyed(request));
      },
      resolve,
    },
    watcher: {
      detail: WATCHER,
      transform: ({ request }: { request: Request }) => identify.watcher(request),
    },
  });
}

async function openVisitor(
  request: Request,
  tokens: Tokens,
  guestId: () => number,
): Promise<Visitor> {
  const stated = new URL(request.url).searchParams;
  const name = stated.get("name");
  const userId = stated.get("user_id");
  if (userId !== null && !(/^\d+$/.test(userId) && isUserId(Number(userId)))) {
    throw new Problem("invalid", "user_id must be a whole number");
  }
  const id = userId === null ? guestId() : Number(userId);
  const shown = name === null || name.trim() === "" ? `guest ${id % 10_000}` : name.trim();
  const caller: Caller = {
    userId: id,
    role: "guest",
    name: firstCharacters(shown.toWellFormed(), NAME_CHARACTERS_MAX),
  };
  const isNew = userId === null && request.headers.has("upgrade");
  return {
    caller,
    expiresAt: null,
    guestToken: isNew ? await tokens.sign({ caller, expiresAt: null }) : null,
  };
}

/** Throws `forbidden` for a key that may not do what the scope stands for. */
function keyCaller({ userId, name, scopes }: ApiKey, scope: KeyScope): KeyCaller {
  if (!scopes.includes(scope)) throw new Problem("forbidden", `The key lacks the scope ${scope}`);
  return { userId, role: "key", name };
}

/** The same for keys that never were, that were revoked, and for tokens. */
function refused(): Problem {
  return new Problem("unauthorized", "The key or token is not valid or has expired");
}

function isUserId(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Throws `unauthorized` for a header that is of no use here. */
function bearerOf(request: Request): string | null {
  const token = sentBearer(request);
  if (token === null && request.headers.has("authorization")) {
    throw new Problem("unauthorized", "Authorization must be a Bearer token");
  }
  return token;
}
