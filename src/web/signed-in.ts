import { type KeptStorage, readJson } from "./storage.ts";

/** Who uses the app. */
export interface Person {
  id: number;
  name: string;
  role: "guest" | "user" | "admin";
}

export interface Tokens {
  access: string;
  refresh: string;
  /** Unix milliseconds, by this machine's clock. */
  expiresAt: number;
  /** How long the access token was good for when it came. */
  lifeMs: number;
}

/** An account that has signed in here; without tokens its session is over, and it may come back. */
export interface SignedIn {
  person: Person;
  tokens: Tokens | null;
}

export const SIGNED_IN_KEY = "earshot.signed-in";
export const GUEST_KEY = "earshot.guest";
/** Guests' ids are above every account's. */
const GUEST_ID_MIN = 2 ** 40;
const GUEST_ID_SPAN = 2 ** 46;
/** A token is renewed so long before it expires. */
const EARLY_MS = 60_000;

/** Null for nobody, and for what is no such thing. */
export function loadSignedIn(storage: KeptStorage): SignedIn | null {
  const kept = readJson(storage, SIGNED_IN_KEY) as Partial<SignedIn> | null | undefined;
  if (!isPerson(kept?.person)) return null;
  return { person: kept.person, tokens: isTokens(kept.tokens) ? kept.tokens : null };
}

export function saveSignedIn(storage: KeptStorage, next: SignedIn | null): void {
  if (next === null) storage.removeItem(SIGNED_IN_KEY);
  else storage.setItem(SIGNED_IN_KEY, JSON.stringify(next));
}

/** The guest of this browser, made when there is none. */
export function loadGuest(storage: KeptStorage): Person {
  const kept = readJson(storage, GUEST_KEY);
  if (isPerson(kept)) return { id: kept.id, name: kept.name, role: "guest" };
  const id = GUEST_ID_MIN + Math.floor(Math.random() * GUEST_ID_SPAN);
  const guest: Person = { id, name: nameOfGuest(id), role: "guest" };
  storage.setItem(GUEST_KEY, JSON.stringify(guest));
  return guest;
}

/** Whether a name is the one that a guest was given rather than chose. */
export function isNameMade({ id, name, role }: Person): boolean {
  return role === "guest" && name === nameOfGuest(id);
}

/** Whether a token has to be renewed before it is used. */
export function isOld({ expiresAt, lifeMs }: Tokens, now: number): boolean {
  const leftMs = expiresAt - now;
  // More is left than there ever was: the clock was set back, and nobody knows how much is.
  return leftMs < EARLY_MS || leftMs > lifeMs;
}

function nameOfGuest(id: number): string {
  return `Guest ${1_000 + (id % 9_000)}`;
}

function isPerson(kept: unknown): kept is Person {
  const { id, name, role } = (kept ?? {}) as Partial<Person>;
  return (
    Number.isSafeInteger(id) &&
    Number(id) >= 0 &&
    typeof name === "string" &&
    (role === "guest" || role === "user" || role === "admin")
  );
}

function isTokens(kept: unknown): kept is Tokens {
  const { access, refresh, expiresAt, lifeMs } = (kept ?? {}) as Partial<Tokens>;
  return (
    typeof access === "string" &&
    typeof refresh === "string" &&
    typeof expiresAt === "number" &&
    typeof lifeMs === "number"
  );
}
