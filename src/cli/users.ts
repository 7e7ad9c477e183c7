import { parseArgs } from "node:util";
import { type ListedAccount, createAccountStore } from "../features/accounts/account.store.ts";
import { type AccountAdministration, createAdministration } from "../features/accounts/accounts.ts";
import { checkName } from "../features/accounts/names.ts";
import { createPasswords } from "../features/accounts/passwords.ts";
import { inColumns, minuteOf } from "./columns.ts";
import { readCommand, unlessRefused, withDatabase } from "./command.ts";
import { NoPassword, askNewPassword } from "./password.ts";

const USAGE = "usage: earshot users add NAME [--admin] | passwd NAME | list [--json]";

/**
 * Makes accounts, gives them new passwords and lists them, in the database of `DATABASE_URL`; a server
 * that runs on it goes by what it finds there from the next request on.
 */
export async function users(args: string[]): Promise<number> {
  const read = readCommand(() =>
    parseArgs({
      args,
      allowPositionals: true,
      options: {
        admin: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }),
  );
  if (read === null) return 2;
  const { positionals, values } = read.parsed;
  const command = commandOf(positionals, values.admin, values.json);
  if (command === null) {
    console.error(USAGE);
    return 2;
  }
  return withDatabase(read.config, (database) =>
    unlessRefused(async () => {
      const store = createAccountStore(database);
      try {
        return await command(
          createAdministration({ store, passwords: createPasswords(), now: Date.now }),
        );
      } catch (error) {
        if (!(error instanceof NoPassword)) throw error;
        console.error(error.message);
        return 1;
      }
    }),
  );
}

type Command = (accounts: AccountAdministration) => Promise<number>;

/** Null for wrong usage. */
function commandOf([verb, ...names]: string[], isAdmin: boolean, isJson: boolean): Command | null {
  const [name] = names;
  if (verb === "list" && name === undefined && !isAdmin) return (held) => list(held, isJson);
  if (name === undefined || names.length > 1 || isJson) return null;
  if (verb === "add") return (held) => add(held, name, isAdmin);
  if (verb === "passwd" && !isAdmin) return (held) => setPassword(held, name);
  return null;
}

async function add(held: AccountAdministration, given: string, isAdmin: boolean): Promise<number> {
  // Before anybody types a password for nothing.
  checkName(given);
  const password = await askNewPassword();
  const { id, name, role } = await held.add(given, password, isAdmin ? "admin" : "user");
  console.log(`added ${role} ${id}, ${name}`);
  return 0;
}

async function setPassword(held: AccountAdministration, given: string): Promise<number> {
  await held.find(given);
  const { id, name } = await held.setPassword(given, await askNewPassword());
  console.log(`user ${id}, ${name}, has a new password; its sessions are ended`);
  return 0;
}

async function list(held: AccountAdministration, isJson: boolean): Promise<number> {
  const all = await held.list();
  console.log(isJson ? JSON.stringify(all.map(asJson), null, 2) : asTable(all));
  return 0;
}

/** Times are Unix milliseconds, as everywhere in the API. */
function asJson({ id, name, role, createdAt, sessions, usedAt }: ListedAccount) {
  return { id, name, role, created_at: createdAt, sessions, used_at: usedAt };
}

/** The accounts for people; times are UTC. */
function asTable(all: readonly ListedAccount[]): string {
  if (all.length === 0) return "there are no users; earshot users add NAME makes one";
  const rows = all.map(({ id, name, role, createdAt, sessions, usedAt }) => [
    String(id),
    name,
    role,
    minuteOf(createdAt),
    String(sessions),
    usedAt === null ? "" : minuteOf(usedAt),
  ]);
  return inColumns([["ID", "NAME", "ROLE", "CREATED", "SESSIONS", "LAST SEEN"], ...rows]);
}
