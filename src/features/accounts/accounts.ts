import { Problem } from "../../http/problem.ts";
import type { AccountStore, ListedAccount } from "./account.store.ts";
import type { Account, SignedIn } from "./model.ts";
import { checkName, foldName } from "./names.ts";
import { type Passwords, checkPassword } from "./passwords.ts";
import type { Tries } from "./tries.ts";

/** Accounts and their passwords. Every password is hashed or compared in turn: `queue_full`. */
export interface Accounts {
  /**
   * Makes an account for whoever asks. Throws `forbidden` when accounts are made by the operator only,
   * `invalid`, `rate_limited`, and `conflict` for a name that is taken.
   */
  register(name: string, password: string, network: string): Promise<Account>;
  /** Throws `forbidden` when the session's account is gone. */
  get(who: SignedIn): Promise<Account>;
  /** Throws `invalid`, `rate_limited` and `conflict`. */
  rename(who: SignedIn, name: string): Promise<Account>;
  /** Ends all other sessions. Throws `invalid`, `rate_limited`, and `forbidden` for a wrong password. */
  changePassword(who: SignedIn, password: string, newPassword: string): Promise<Account>;
  /** Closes the account for good, with all sessions. Throws as `changePassword` does. */
  close(who: SignedIn, password: string): Promise<void>;
}

/** What an operator does with accounts. */
export interface AccountAdministration {
  /** Throws `invalid` and `conflict`. */
  add(name: string, password: string, role: Account["role"]): Promise<Account>;
  /** Throws `not_found`. */
  find(name: string): Promise<Account>;
  /** Ends all sessions. Throws `invalid` and `not_found`. */
  setPassword(name: string, newPassword: string): Promise<Account>;
  list(): Promise<ListedAccount[]>;
}

export interface AdministrationDependencies {
  store: AccountStore;
  passwords: Passwords;
  /** Unix milliseconds. */
  now(): number;
}

export interface AccountsDependencies extends AdministrationDependencies {
  /** Whether anybody may register. */
  isOpen: boolean;
  tries: Tries;
  /** Hears of sessions that are over. */
  onEnded(sessionIds: readonly number[]): void;
}

export function createAccounts(dependencies: AccountsDependencies): Accounts {
  const { store, passwords, isOpen, tries, onEnded, now } = dependencies;
  const { add } = createAdministration(dependencies);

  const mustGet = async ({ userId }: SignedIn) => {
    const kept = await store.get(userId);
    if (kept === null) throw gone();
    return kept;
  };

  /** The hash of the account's password, if this is the password. */
  const checkOwn = async (who: SignedIn, password: string): Promise<string> => {
    const { passwordHash } = await mustGet(who);
    const checked = await tries.password(who.userId, async () =>
      (await passwords.verify(password, passwordHash)) ? passwordHash : null,
    );
    if (checked === null) throw new Problem("forbidden", "The password is wrong");
    return checked;
  };

  return {
    register: async (name, password, network) => {
      if (!isOpen) {
        throw new Problem("forbidden", "Accounts are made by the operator of this server");
      }
      const { key } = checkName(name);
      checkPassword(password);
      await tries.register(network);
      if ((await store.findByName(key)) !== null) throw taken();
      return add(name, password, "user");
    },
    get: mustGet,
    rename: async ({ userId }, name) => {
      const checked = checkName(name);
      await tries.rename(userId);
      const renamed = await store.rename(userId, checked);
      if (renamed === "taken") throw taken();
      if (renamed === "gone") throw gone();
      return renamed;
    },
    changePassword: async (who, password, newPassword) => {
      checkPassword(newPassword);
      const was = await checkOwn(who, password);
      const hash = await passwords.hash(newPassword);
      const { userId: id, sessionId: exceptSession } = who;
      const ended = await store.setPassword({ id, was, hash, exceptSession });
      if (ended === null) throw new Problem("conflict", "The password was changed meanwhile");
      onEnded(ended);
      return mustGet(who);
    },
    close: async (who, password) => {
      const was = await checkOwn(who, password);
      const ended = await store.close(who.userId, was, now());
      if (ended === null) throw new Problem("conflict", "The password was changed meanwhile");
      onEnded(ended);
    },
  };
}

export function createAdministration({
  store,
  passwords,
  now,
}: AdministrationDependencies): AccountAdministration {
  const find = async (name: string) => {
    const kept = await store.findByName(foldName(name));
    if (kept === null) throw new Problem("not_found", "There is no account of that name");
    return kept;
  };

  return {
    find,
    add: async (given, password, role) => {
      const checked = checkName(given);
      checkPassword(password);
      const passwordHash = await passwords.hash(password);
      const account = await store.add({ ...checked, passwordHash, role, at: now() });
      if (account === null) throw taken();
      return account;
    },
    setPassword: async (name, newPassword) => {
      checkPassword(newPassword);
      const hash = await passwords.hash(newPassword);
      for (;;) {
        const kept = await find(name);
        const { id, passwordHash: was } = kept;
        // Changed between the two: this one is later.
        const ended = await store.setPassword({ id, was, hash, exceptSession: null });
        if (ended !== null) return kept;
      }
    },
    list: store.list,
  };
}

function taken(): Problem {
  return new Problem("conflict", "There is an account of that name");
}

function gone(): Problem {
  return new Problem("forbidden", "The account is closed");
}
