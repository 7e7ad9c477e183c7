import { type ReadonlySignal, computed, signal } from "@preact/signals";
import {
  GUEST_KEY,
  type Person,
  SIGNED_IN_KEY,
  type SignedIn,
  type Tokens,
  isOld,
  loadGuest,
  loadSignedIn,
  saveSignedIn,
} from "./signed-in.ts";
import type { KeptStorage } from "./storage.ts";
import type { InTurn } from "./turn.ts";

export type { Person } from "./signed-in.ts";

/** How a request or a socket says who it comes from. */
export interface Credentials {
  token: string | null;
  /** In open mode, where everybody says who they are. */
  stated: { userId: number; name: string } | null;
}

export interface Session {
  /** Whether accounts are needed here. */
  auth: "open" | "required";
  isRegistrationOpen: boolean;
  /** Null: nobody has signed in, and accounts are needed. In open mode a guest until one signs in. */
  person: ReadonlySignal<Person | null>;
  /** The server has ended the session of `person`, who has to sign in again; the page stays as it is. */
  isOver: ReadonlySignal<boolean>;
  /** Throws while `isOver`: nothing may be said as somebody else. */
  credentials(): Promise<Credentials>;
  /** Another token than `refused`, or than the present one; false when one has to sign in again. */
  renew(refused?: string | null): Promise<boolean>;
  /** Asks whether the session still holds, and who it is for; shows what has changed elsewhere. */
  check(): Promise<void>;
  /** Throws what the server answers. */
  signIn(name: string, password: string): Promise<void>;
  /** Makes an account and signs in. Throws what the server answers. */
  register(name: string, password: string): Promise<void>;
  /** Of every page of this browser. */
  signOut(): Promise<void>;
  /** Shows a new name; that of an account is changed at the server before. */
  rename(name: string): Promise<void>;
}

interface TokenAnswer {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export interface SessionDependencies {
  auth: "open" | "required";
  isRegistrationOpen: boolean;
  storage: KeptStorage;
  /** Only one page at a time may use a refresh token; a second use would end the session. */
  inTurn: InTurn;
  /** A request of its own, without credentials; throws what the server answers. */
  post(path: string, body: object): Promise<unknown>;
  /** Who a token is for; throws what the server answers. */
  whoIs(token: string): Promise<Person>;
}

export function createSession(dependencies: SessionDependencies): Session {
  const { auth, isRegistrationOpen, storage, inTurn, post, whoIs } = dependencies;
  const guest = signal(auth === "open" ? loadGuest(storage) : null);
  const signedIn = signal<SignedIn | null>(null);

  const keep = (next: SignedIn | null): void => {
    saveSignedIn(storage, next);
    signedIn.value = next;
  };

  /** Shows what is kept. A session that is over concerns only a page that was in it. */
  const adopt = (next: SignedIn | null): boolean => {
    const isHere = next?.person.id === signedIn.value?.person.id;
    signedIn.value = next?.tokens != null || isHere ? next : null;
    return next?.tokens != null;
  };

  /** `refused` is the token that did not work; another page may have renewed it since. */
  const renewFrom = (refused: string | null): Promise<boolean> =>
    inTurn(async () => {
      const current = loadSignedIn(storage);
      if (current?.tokens == null || current.tokens.access !== refused) return adopt(current);
      const { person, tokens } = current;
      const next = await refreshed(tokens);
      // Signed out, or in anew, while the server was asked: that is what counts.
      if (loadSignedIn(storage)?.tokens?.refresh !== tokens.refresh) {
        return adopt(loadSignedIn(storage));
      }
      keep({ person, tokens: next });
      return next !== null;
    });

  /** Null when the session is over: only the server's own no ends it, a break of the line does not. */
  const refreshed = async ({ refresh }: Tokens): Promise<Tokens | null> => {
    try {
      return tokensOf(await post("/v1/auth/refresh", { refresh_token: refresh }));
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  };

  const signIn = async (name: string, password: string): Promise<void> => {
    const tokens = tokensOf(await post("/v1/auth/login", { name, password }));
    keep({ tokens, person: await whoIs(tokens.access) });
  };

  // Of the account that is kept now, whatever this page knows: its tokens may be newer.
  const keepPerson = (id: number, changes: Partial<Person>): Promise<void> =>
    inTurn(async () => {
      const current = loadSignedIn(storage);
      if (current?.person.id !== id) return;
      const person = { ...current.person, ...changes };
      const isNew = person.name !== current.person.name || person.role !== current.person.role;
      if (isNew) keep({ ...current, person });
    });

  const readAgain = (): void => void adopt(loadSignedIn(storage));
  readAgain();
  // Another page has signed in or out, or was given another name; without a key all is gone.
  window.addEventListener("storage", ({ key }) => {
    if (key === SIGNED_IN_KEY || key === null) readAgain();
    if (auth === "open" && (key === GUEST_KEY || key === null)) guest.value = loadGuest(storage);
  });
  // A page that comes out of the browser's memory has heard of nothing meanwhile.
  window.addEventListener("pageshow", ({ persisted }) => persisted && readAgain());

  return {
    auth,
    isRegistrationOpen,
    person: computed(() => signedIn.value?.person ?? guest.value),
    isOver: computed(() => signedIn.value !== null && signedIn.value.tokens === null),
    credentials: async () => {
      const { value: before } = signedIn;
      if (before?.tokens != null && isOld(before.tokens, Date.now())) {
        await renewFrom(before.tokens.access).catch(() => false);
      }
      const { value: current } = signedIn;
      if (current !== null) {
        if (current.tokens === null) throw new Error("Your session is over; sign in again");
        return { token: current.tokens.access, stated: null };
      }
      const { value: person } = guest;
      return { token: null, stated: person && { userId: person.id, name: person.name } };
    },
    renew: (refused = signedIn.value?.tokens?.access ?? null) => renewFrom(refused),
    check: async () => {
      const access = signedIn.value?.tokens?.access;
      if (access === undefined) return;
      try {
        const person = await whoIs(access);
        await keepPerson(person.id, person);
      } catch (error) {
        // Whatever else went wrong says nothing about the session.
        if (isRefusal(error)) await renewFrom(access).catch(() => false);
      }
    },
    signIn,
    register: async (name, password) => {
      await post("/v1/auth/register", { name, password });
      await signIn(name, password);
    },
    signOut: async () => {
      const refresh = loadSignedIn(storage)?.tokens?.refresh;
      keep(null);
      if (refresh === undefined) return;
      // Gone from this browser in any case; the server forgets it by itself when it is out of reach.
      await post("/v1/auth/logout", { refresh_token: refresh }).catch(() => undefined);
    },
    rename: async (name) => {
      if (signedIn.value !== null) return keepPerson(signedIn.value.person.id, { name });
      if (guest.value === null) return;
      guest.value = { ...guest.value, name };
      storage.setItem(GUEST_KEY, JSON.stringify(guest.value));
    },
  };
}

function tokensOf(answer: unknown): Tokens {
  const { access_token: access, refresh_token: refresh, expires_in } = answer as TokenAnswer;
  const lifeMs = expires_in * 1_000;
  return { access, refresh, lifeMs, expiresAt: Date.now() + lifeMs };
}

function isRefusal(error: unknown): boolean {
  return (error as { status?: number } | null)?.status === 401;
}
