import { Elysia } from "elysia";
import { firstCharacters } from "./characters.ts";
import type { Caller, Identity } from "./caller.ts";
import { Problem } from "./problem.ts";
import type { Tokens } from "./tokens.ts";

export interface GuardDependencies {
  auth: "open" | "required";
  tokens: Tokens;
  /** A new guest's id: an integer that no account will ever have. */
  guestId(): number;
}

/** Who came in, and whether this is the first time. */
export interface Visitor extends Identity {
  /** Set for a guest that was made just now: its token, so that it can come back as the same one. */
  guestToken: string | null;
}

/** `isKeyIgnored`: with the door open, a token that is not one of ours says nothing. */
export type Identify = (request: Request, isKeyIgnored?: boolean) => Promise<Visitor>;

const PROTOCOL_BEARER = "bearer.";
const NAME_CHARACTERS_MAX = 100;

/**
 * Finds out who a request comes from: by its token, or, when the door is open, by what it says of
 * itself (`?user_id=&name=`), or as a new guest. Throws `unauthorized`.
 */
export function createIdentify({ auth, tokens, guestId }: GuardDependencies): Identify {
  return async (request, isKeyIgnored = false) => {
    const token = bearerOf(request);
    const identity = token === null ? null : await tokens.verify(token);
    const isForeign = identity === null && isKeyIgnored && auth === "open";
    if (token !== null && !isForeign) {
      // A guest's token opens nothing once accounts are required, though the same key signed it.
      if (identity === null || (auth === "required" && identity.caller.role === "guest")) {
        throw new Problem("unauthorized", "The token is not valid or has expired");
      }
      const stated = new URL(request.url).searchParams.get("user_id");
      const { userId, role } = identity.caller;
      if (role === "user" && stated !== null && Number(stated) !== userId) {
        throw new Problem("forbidden", "user_id must be your own");
      }
      return { ...identity, guestToken: null };
    }
    if (auth === "required") {
      throw new Problem("unauthorized", "This needs a token: Authorization: Bearer <token>");
    }
    return openVisitor(request, tokens, guestId);
  };
}

/**
 * Routes marked `signedIn: true` know their `caller`; nobody else gets in, not even to a 422. Those
 * marked `signedInOrKey: true` are for clients of other services, which must send some key even
 * where nobody has to sign in.
 */
export function guard(identify: Identify) {
  const visitors = new WeakMap<Request, Visitor>();
  const resolve = ({ request }: { request: Request }): { caller: Caller; visitor: Visitor } => {
    const visitor = visitors.get(request);
    if (visitor === undefined) throw new Problem("unauthorized", "Sign in first");
    return { caller: visitor.caller, visitor };
  };
  const detail = { security: [{ bearer: [] }] };
  return new Elysia({ name: "guard" }).macro({
    signedIn: {
      detail,
      // Before validation, so that a stranger learns nothing about a route's fields.
      transform: async ({ request }: { request: Request }) => {
        visitors.set(request, await identify(request));
      },
      resolve,
    },
    signedInOrKey: {
      detail,
      transform: async ({ request }: { request: Request }) => {
        visitors.set(request, await identify(request, true));
      },
      resolve,
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
  if (userId !== null && !isUserId(Number(userId))) {
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

function isUserId(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The token of `Authorization: Bearer …`, or of the subprotocol `bearer.…` that browsers can send. */
function bearerOf(request: Request): string | null {
  const header = request.headers.get("authorization");
  if (header !== null) {
    const match = /^Bearer +(\S+)$/i.exec(header);
    if (match?.[1] === undefined)
      throw new Problem("unauthorized", "Authorization must be a Bearer token");
    return match[1];
  }
  const protocols = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  const offered = protocols.map((one) => one.trim()).find((one) => one.startsWith(PROTOCOL_BEARER));
  return offered === undefined ? null : offered.slice(PROTOCOL_BEARER.length);
}
