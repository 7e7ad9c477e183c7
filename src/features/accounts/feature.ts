import type { Attempts } from "../../http/attempts.ts";
import type { Identity } from "../../http/caller.ts";
import type { FindHolder } from "../../http/tokens.ts";
import type { Bus } from "../../platform/bus.ts";
import type { Database } from "../../platform/database.ts";
import type { Log } from "../../platform/log.ts";
import type { Allowance } from "../../platform/rate.ts";
import type { Gateway } from "../../realtime/gateway.ts";
import { createAccountStore } from "./account.store.ts";
import { createAccounts } from "./accounts.ts";
import type { Account } from "./model.ts";
import type { AllBelongings } from "./belongings.ts";
import { createErasure } from "./erasure.ts";
import { createOpenSockets } from "./open-sockets.ts";
import { createPasswords } from "./passwords.ts";
import type { AccountRoutesDependencies } from "./routes.ts";
import { createAuthSessionStore } from "./session.store.ts";
import { createSignIn } from "./sign-in.ts";
import { createTries } from "./tries.ts";

/** Accounts, where they are signed in, and what becomes of them, joined. */
export interface AccountsFeature {
  routes: Omit<AccountRoutesDependencies, "guard" | "keys" | "networkOf">;
  /** Waits for the erasure that is under way, no longer than that: a later start goes on with it. */
  close(withinMs: number): Promise<void>;
}

export interface AccountsFeatureDependencies {
  database: Database;
  bus: Bus;
  gateway: Gateway;
  sign(identity: Identity): Promise<string>;
  /** Whether anybody may register. */
  isRegistrationOpen: boolean;
  /** A counter of what has that name. */
  count(name: string, allowance: Allowance): Attempts;
  /** What accounts own in other features. */
  belongings: AllBelongings;
  now(): number;
  log: Log;
}

/** Finds who holds the session of a token. */
export function createHolders(database: Database, now: () => number): FindHolder {
  const store = createAuthSessionStore(database);
  return (sessionId) => store.holder(sessionId, now());
}

/** Finds what somebody is now; who has no account is a user as any other. */
export function createRoles(database: Database): (userId: number) => Promise<Account["role"]> {
  const store = createAccountStore(database);
  return async (userId) => (await store.get(userId))?.role ?? "user";
}

export function createAccountsFeature(dependencies: AccountsFeatureDependencies): AccountsFeature {
  const { database, bus, gateway, sign, isRegistrationOpen, count } = dependencies;
  const { belongings, now, log } = dependencies;
  const store = createAccountStore(database);
  const sessions = createAuthSessionStore(database);
  const passwords = createPasswords();
  const tries = createTries(count);
  const sockets = createOpenSockets({
    bus,
    sessions: gateway.sessions,
    endSockets: gateway.endSessions,
    overAmong: (ids) => sessions.overAmong(ids, now()),
    log,
  });
  const erasure = createErasure({ store, belongings, now, log });
  const onEnded = sockets.end;
  return {
    routes: {
      accounts: createAccounts({
        store,
        passwords,
        isOpen: isRegistrationOpen,
        tries,
        onEnded,
        now,
      }),
      signIn: createSignIn({
        accounts: store,
        sessions,
        passwords,
        tries,
        sign,
        onEnded,
        now,
        log,
      }),
      erase: erasure.erase,
      belongings,
    },
    close: async (withinMs) => {
      sockets.close();
      await erasure.close(withinMs);
    },
  };
}
