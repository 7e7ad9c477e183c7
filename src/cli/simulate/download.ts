import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { download } from "../../speech/models/download.ts";
import { takeLock } from "../../speech/models/lock.ts";
import { removePart } from "../../speech/models/part.ts";
import { ModelFailure } from "../../speech/models/refusal.ts";
import { UnreadableSource } from "./source.ts";

export interface KeptDependencies {
  /** A web address; `#sha256=…` says what has to come of it. */
  address: string;
  /** Where files are kept. */
  folder: string;
  /** The first pause before a retry, and the longest silence of a connection. */
  retryMs: number;
  idleMs: number;
  onProgress(doneBytes: number, totalBytes: number | null): void;
  onRetry(reason: string): void;
}

const Receipt = t.Object({
  bytes: t.Integer({ minimum: 0 }),
  sha256: t.String(),
});

const NAME_CHARACTERS_MAX = 80;

/**
 * Downloads a file once and says where it is kept; from then on no network is needed. A break is
 * resumed, also by a later call. The file appears complete or not at all. Throws `UnreadableSource`
 * when it cannot be had or is not the file it should be, and errors of the disk.
 */
export async function keepDownloaded(dependencies: KeptDependencies): Promise<string> {
  const { folder, retryMs, idleMs, onProgress, onRetry } = dependencies;
  const { address, sha256 } = readAddress(dependencies.address);
  const name = nameOf(address);
  const path = join(folder, name);
  await mkdir(folder, { recursive: true });
  try {
    const lock = await takeLock(folder, name);
    try {
      const kept = await readReceipt(path);
      if (kept !== null && (sha256 === null || kept.sha256 === sha256)) return path;
      const part = `${path}.part`;
      const got = await download({
        address,
        part,
        isChecked: sha256 !== null,
        retryMs,
        idleMs,
        signal: new AbortController().signal,
        onProgress,
        onRetry,
      });
      if (sha256 !== null && got.sha256 !== sha256) {
        await removePart(part);
        throw new UnreadableSource(`sha256 of the file is ${got.sha256}, and not ${sha256}`);
      }
      // The receipt first: it says nothing of a file of another length.
      await writeFile(receiptPath(path), JSON.stringify(got));
      await rename(part, path);
      await removePart(part);
      return path;
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw error instanceof ModelFailure ? new UnreadableSource(error.message) : error;
  }
}

function readAddress(given: string): { address: string; sha256: string | null } {
  const url = new URL(given);
  const said = url.hash.slice(1);
  url.hash = "";
  const [, sha256 = null] = /^sha256=([0-9a-f]{64})$/i.exec(said) ?? [];
  if (said !== "" && sha256 === null) {
    throw new UnreadableSource("after # only sha256= and 64 hexadecimal digits may follow");
  }
  return { address: url.href, sha256: sha256?.toLowerCase() ?? null };
}

/** Two addresses never share a name; its end is that of the address, for people who look. */
function nameOf(address: string): string {
  const last = new URL(address).pathname.split("/").at(-1) ?? "";
  const shown = last.replace(/[^\w.-]/g, "_").slice(-NAME_CHARACTERS_MAX);
  return `${createHash("sha256").update(address).digest("hex").slice(0, 16)}-${shown}`;
}

/** Null when there is no complete file. */
async function readReceipt(path: string): Promise<Static<typeof Receipt> | null> {
  try {
    const receipt: unknown = JSON.parse(await readFile(receiptPath(path), "utf8"));
    const { size } = await stat(path);
    return Value.Check(Receipt, receipt) && receipt.bytes === size ? receipt : null;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing || error instanceof SyntaxError) return null;
    throw error;
  }
}

function receiptPath(path: string): string {
  return `${path}.json`;
}
