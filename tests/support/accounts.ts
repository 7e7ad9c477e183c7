import { join } from "node:path";
import { createAccountStore } from "../../src/features/accounts/account.store.ts";
import { createAdministration } from "../../src/features/accounts/accounts.ts";
import { createPasswords } from "../../src/features/accounts/passwords.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { type TestApp, postJson } from "./app.ts";

export const PASSWORD = "correct horse";

/** What a hash costs in tests; a password is compared at the cost that its hash says. */
export const CHEAP = { memoryKib: 8, passes: 1 };

/** Makes an account in the database of a running app, as another process would; answers its id. */
export async function addAccount(
  app: TestApp,
  name: string,
  role: "user" | "admin" = "user",
): Promise<number> {
  const database = openDatabase(join(app.folder, "earshot.db"));
  const store = createAccountStore(database);
  const passwords = createPasswords(CHEAP);
  const { id } = await createAdministration({ store, passwords, now: Date.now }).add(
    name,
    PASSWORD,
    role,
  );
  await database.close();
  return id;
}

/** What a login answers, and the header that goes with its access token. */
export interface LoggedIn {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  headers: { authorization: string };
}

export async function login(
  app: { url: string },
  name: string,
  password = PASSWORD,
): Promise<LoggedIn> {
  const response = await postJson(`${app.url}/v1/auth/login`, { name, password });
  if (response.status !== 200) throw new Error(`the login was answered ${response.status}`);
  const tokens = (await response.json()) as Omit<LoggedIn, "headers">;
  return { ...tokens, headers: { authorization: `Bearer ${tokens.access_token}` } };
}
