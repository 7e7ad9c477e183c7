import { parseArgs } from "node:util";
import { type Config, readConfig } from "../config.ts";
import { type KeptKey, createKeyStore } from "../http/keys.store.ts";
import { type Keys, createKeys } from "../http/keys.ts";
import { Problem } from "../http/problem.ts";
import { WritesFull, isLocked } from "../platform/commit.ts";
import { type Database, openDatabase } from "../platform/database.ts";

const USAGE = "usage: earshot keys create NAME | list [--json] | revoke ID|NAME…";

/**
 * Makes, lists and revokes API keys in the database of `DATABASE_URL`; a server that runs on it goes
 * by what it finds there from the next request on.
 */
export async function keys(args: string[]): Promise<number> {
  let config;
  let parsed;
  try {
    config = readConfig(process.env);
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false } },
    });
  } catch (error) {
    // A setting or an argument that cannot be used; either says so in one line.
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  const command = commandOf(parsed.positionals, parsed.values.json);
  if (command === null) {
    console.error(USAGE);
    return 2;
  }
  if (config.databasePath === ":memory:") {
    console.error("DATABASE_URL names a database in memory, which no other process can see");
    return 2;
  }
  return withKeys(config, command);
}

type Command = (keys: Keys) => Promise<number>;

/** Null for wrong usage. */
function commandOf([verb, ...names]: string[], isJson: boolean): Command | null {
  const [name] = names;
  if (verb === "list" && name === undefined) return (held) => list(held, isJson);
  if (name === undefined || isJson) return null;
  if (verb === "create" && names.length === 1) return (held) => create(held, name);
  if (verb === "revoke") return (held) => revoke(held, names);
  return null;
}

async function withKeys({ databasePath }: Config, command: Command): Promise<number> {
  let database: Database;
  try {
    database = openDatabase(databasePath);
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(`cannot open ${databasePath}: ${error.message}`);
    return 1;
  }
  try {
    const store = createKeyStore(database);
    return await command(createKeys({ store, configured: [], now: Date.now }));
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(
      isLocked(error) || error instanceof WritesFull
        ? "the database is busy; try again"
        : `cannot use ${databasePath}: ${error.message}`,
    );
    return 1;
  } finally {
    await database.close();
  }
}

/** The key alone goes to standard output, so that a script can take it from there. */
async function create(held: Keys, name: string): Promise<number> {
  try {
    const { key, kept } = await held.create(name);
    console.log(key);
    console.error(`created key ${kept.id}, ${kept.name}; it is shown only this once`);
    return 0;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(error.message);
    return error.code === "invalid" ? 2 : 1;
  }
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
function asJson({ id, name, hint, createdAt, usedAt, revokedAt }: KeptKey) {
  return { id, name, hint, created_at: createdAt, used_at: usedAt, revoked_at: revokedAt };
}

/** The keys for people, in columns; times are UTC. */
function asTable(all: readonly KeptKey[]): string {
  if (all.length === 0) return "there are no keys; earshot keys create NAME makes one";
  const rows = all.map(({ id, name, hint, createdAt, usedAt, revokedAt }) => [
    String(id),
    name,
    `${hint}…`,
    minuteOf(createdAt),
    usedAt === null ? "never" : minuteOf(usedAt),
    revokedAt === null ? "" : minuteOf(revokedAt),
  ]);
  const table = [["ID", "NAME", "KEY", "CREATED", "LAST USED", "REVOKED"], ...rows];
  const widths = table[0]?.map((_, column) =>
    Math.max(...table.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  return table
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat((widths?.[column] ?? 0) - Bun.stringWidth(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Such as `2026-02-03 04:05Z`. */
function minuteOf(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace("T", " ").concat("Z");
}

/** What went wrong outside: the disk, its rights, other processes. */
function isExpected(error: unknown): error is Error {
  return error instanceof WritesFull || (error instanceof Error && "code" in error);
}
