import { parseArgs } from "node:util";
import { KEY_SCOPES, type KeptKey, type KeyScope, createKeyStore } from "../http/keys.store.ts";
import { type Keys, createKeys } from "../http/keys.ts";
import { Problem } from "../http/problem.ts";
import { inColumns, minuteOf } from "./columns.ts";
import { readCommand, unlessRefused, withDatabase } from "./command.ts";

const USAGE =
  "usage: earshot keys create NAME [--scopes posts,audio] | list [--json] | revoke ID|NAME…";

/**
 * Makes, lists and revokes API keys in the database of `DATABASE_URL`; a server that runs on it goes
 * by what it finds there from the next request on.
 */
export async function keys(args: string[]): Promise<number> {
  const read = readCommand(() =>
    parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, scopes: { type: "string" } },
    }),
  );
  if (read === null) return 2;
  const { positionals, values } = read.parsed;
  const command = commandOf(positionals, values.json, values.scopes);
  if (command === null) {
    console.error(USAGE);
    return 2;
  }
  return withDatabase(read.config, (database) =>
    command(createKeys({ store: createKeyStore(database), configured: [], now: Date.now })),
  );
}

type Command = (keys: Keys) => Promise<number>;

/** Null for wrong usage. */
function commandOf(
  [verb, ...names]: string[],
  isJson: boolean,
  scopesText: string | undefined,
): Command | null {
  const [name] = names;
  if (verb === "create" && name !== undefined && names.length === 1 && !isJson) {
    const scopes = scopesOf(scopesText ?? KEY_SCOPES.join());
    return scopes === null ? null : (held) => create(held, name, scopes);
  }
  if (scopesText !== undefined) return null;
  if (verb === "list" && name === undefined) return (held) => list(held, isJson);
  if (verb === "revoke" && name !== undefined && !isJson) return (held) => revoke(held, names);
  return null;
}

/** Null unless all of them are scopes. */
function scopesOf(text: string): KeyScope[] | null {
  const parts = text.split(",").map((part) => part.trim());
  const scopes = KEY_SCOPES.filter((scope) => parts.includes(scope));
  return parts.every((part) => KEY_SCOPES.some((scope) => scope === part)) ? scopes : null;
}

/** The key alone goes to standard output, so that a script can take it from there. */
function create(held: Keys, name: string, scopes: readonly KeyScope[]): Promise<number> {
  return unlessRefused(async () => {
    const { key, kept } = await held.create(name, scopes);
    console.log(key);
    console.error(`created key ${kept.id}, ${kept.name}; it is shown only this once`);
    return 0;
  });
}

async function list(held: Keys, isJson: boolean): Promise<number> {
  const all = await held.list();
  console.log(isJson ? JSON.stringify(all.map(asJson), null, 2) : asTable(all));
  return 0;
}

/** One that is not there does not keep the others from being revoked. */
async function revoke(held: Keys, idsOrNames: readonly string[]): Promise<number> {
  let code = 0;
  for (const idOrName of idsOrNames) {
    try {
      const { kept, isNew } = await held.revoke(idOrName);
      console.log(
        isNew
          ? `revoked key ${kept.id}, ${kept.name}`
          : `key ${kept.id}, ${kept.name}, was revoked already`,
      );
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      console.error(`there is no valid key ${JSON.stringify(idOrName)}`);
      code = 1;
    }
  }
  return code;
}

/** Times are Unix milliseconds, as everywhere in the API. */
function asJson({ id, name, hint, scopes, createdAt, usedAt, revokedAt }: KeptKey) {
  return { id, name, hint, scopes, created_at: createdAt, used_at: usedAt, revoked_at: revokedAt };
}

/** The keys for people; times are UTC. */
function asTable(all: readonly KeptKey[]): string {
  if (all.length === 0) return "there are no keys; earshot keys create NAME makes one";
  const rows = all.map(({ id, name, hint, scopes, createdAt, usedAt, revokedAt }) => [
    String(id),
    name,
    `${hint}…`,
    scopes.join(),
    minuteOf(createdAt),
    usedAt === null ? "never" : minuteOf(usedAt),
    revokedAt === null ? "" : minuteOf(revokedAt),
  ]);
  return inColumns([["ID", "NAME", "KEY", "SCOPES", "CREATED", "LAST USED", "REVOKED"], ...rows]);
}
