import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { constants, copyFile, link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { makeWorkFolder } from "./folders.ts";
import { ModelFailure } from "./refusal.ts";

const Holder = t.Object({
  pid: t.Integer({ minimum: 1 }),
  /** Tells a process from a later one with the same number; null where that cannot be known. */
  begun: t.Union([t.String(), t.Null()]),
});
type Holder = Static<typeof Holder>;

/** Tries; more than one only when others take over from the same dead process at the same time. */
const TRIES = 20;
const PAUSE_MS = 10;
const GUARD_MS_MAX = 10_000;

/** What file systems without hard links answer. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** The right to change one model. */
export interface ModelLock {
  release(): Promise<void>;
}

/**
 * Takes the lock of model `name`: a file that says which process has it. One that a dead process
 * left is taken over. Throws `ModelFailure` naming the holder, and errors of the disk.
 */
export async function takeLock(modelsDir: string, name: string): Promise<ModelLock> {
  const folder = await makeWorkFolder(modelsDir);
  const path = join(folder, `${name}.lock`);
  const own: Holder = { pid: process.pid, begun: begunOf(process.pid) };
  const draft = join(folder, `${name}.lock-${randomUUID()}`);
  // Linked when it is complete, so that nobody ever reads half a lock.
  await writeFile(draft, JSON.stringify(own));
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      if (await tryLink(draft, path)) return { release: () => rm(path, { force: true }) };
      const holder = await readHolder(path);
      if (holder !== null && isAlive(holder)) throw held(name, holder);
      if (await tryReplace(draft, path)) return { release: () => rm(path, { force: true }) };
      await Bun.sleep(PAUSE_MS);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new ModelFailure(`${name} is being changed by others: try again`);
}

function held(name: string, { pid }: Holder): ModelFailure {
  return new ModelFailure(`${name} is being pulled or removed already, by process ${pid}`);
}

/**
 * Puts `draft` in the place of a dead process's lock. One process at a time may do so, and looks
 * again before it does; otherwise one could replace what another has just taken over.
 */
async function tryReplace(draft: string, path: string): Promise<boolean> {
  const guard = `${path}-taking`;
  if (!(await tryLink(draft, guard))) {
    await removeOld(guard);
    return false;
  }
  try {
    // A lock that was given back meanwhile is anyone's, and taken without a guard.
    if (!existsSync(path)) return false;
    const holder = await readHolder(path);
    if (holder !== null && isAlive(holder)) return false;
    await rename(draft, path);
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

/** Whoever held a guard for so long died in the one moment in which it is held. */
async function removeOld(guard: string): Promise<void> {
  const found = statSync(guard, { throwIfNoEntry: false });
  if (found !== undefined && Date.now() - found.mtimeMs > GUARD_MS_MAX) {
    await rm(guard, { force: true });
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    if (!NO_LINKS.some((code) => hasCode(error, code))) throw error;
  }
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Null for a file that is gone or that no lock is. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const found: unknown = JSON.parse(await readFile(path, "utf8"));
    return Value.Check(Holder, found) ? found : null;
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

function isAlive({ pid, begun }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process may not be asked, but is there.
    if (!hasCode(error, "EPERM")) return false;
  }
  const now = begunOf(pid);
  return begun === null || now === null || begun === now;
}

/** When a process began, in the kernel's own count; null where there is no `/proc`. */
function begunOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything; what begins the process is the 22nd field.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
