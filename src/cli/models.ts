import { parseArgs } from "node:util";
import { readConfig } from "../config.ts";
import { ConfigError } from "../environment.ts";
import { CATALOGUE, type CatalogueEntry } from "../speech/models/catalogue.ts";
import { isModelName, listInstalled, removeModel } from "../speech/models/installed.ts";
import { type PullWatcher, type Pulled, entryNamed, pullModel } from "../speech/models/pull.ts";
import { ModelFailure } from "../speech/models/refusal.ts";
import { UNPACK_LIMITS } from "../speech/models/unpack.ts";
import { asTable, rowsOf } from "./models-table.ts";
import { type Progress, createProgress } from "./progress.ts";

const USAGE = "usage: earshot models list [--json] | pull NAME | rm NAME";
/** Signals this close together are one. */
const TWIN_SIGNALS_MS = 25;
const RETRY_MS = 500;
const IDLE_MS = 30_000;

/** What the command works with; tests have a catalogue of their own. */
export interface ModelsDependencies {
  catalogue: readonly CatalogueEntry[];
  modelsDir: string;
  mirror: string | null;
  /** The first pause before a retry. */
  retryMs: number;
}

/** Lists, pulls and removes speech models. */
export async function models(args: string[]): Promise<number> {
  let config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 2;
  }
  const { modelsDir, modelsMirror: mirror } = config;
  return runModels({ catalogue: CATALOGUE, modelsDir, mirror, retryMs: RETRY_MS }, args);
}

/** The command itself. */
export async function runModels(dependencies: ModelsDependencies, args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: "boolean", default: false } },
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  const { positionals, values } = parsed;
  const [verb, name, ...others] = positionals;
  try {
    if (verb === "list" && name === undefined) return list(dependencies, values.json);
    const isNamed = name !== undefined && others.length === 0 && !values.json;
    if (isNamed && (verb === "pull" || verb === "rm")) {
      if (isModelName(name)) return await change(dependencies, verb, name);
      console.error(`${JSON.stringify(name)} is no model's name`);
      return 2;
    }
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(explain(error, dependencies.modelsDir));
    return 1;
  }
  console.error(USAGE);
  return 2;
}

async function change(
  dependencies: ModelsDependencies,
  verb: "pull" | "rm",
  name: string,
): Promise<number> {
  if (verb === "pull") return pull(dependencies, name);
  await removeModel(dependencies.modelsDir, name);
  console.log(`removed ${name}`);
  return 0;
}

async function pull(dependencies: ModelsDependencies, name: string): Promise<number> {
  const { catalogue, modelsDir, mirror, retryMs } = dependencies;
  const entry = entryNamed(catalogue, name);
  const wish = onSignal();
  const watcher = createWatcher(entry);
  try {
    const pulled = await pullModel({
      entry,
      modelsDir,
      mirror,
      limits: UNPACK_LIMITS,
      retryMs,
      idleMs: IDLE_MS,
      now: Date.now,
      signal: wish.signal,
      watcher,
    });
    watcher.end();
    console.log(summary(pulled));
    return 0;
  } catch (error) {
    watcher.end();
    if (!wish.signal.aborted) throw error;
    console.error(`stopped; "earshot models pull ${name}" goes on from there`);
    return 1;
  } finally {
    wish.close();
  }
}

function summary({ manifest, folder, checksum, isNew }: Pulled): string {
  if (!isNew) return `${manifest.name} is installed already, in ${folder}`;
  const said = {
    published: `sha256 as published`,
    same: `no published checksum; sha256 as at the first pull`,
    recorded: `no published checksum; recorded sha256 ${manifest.sha256}`,
  };
  return `installed ${manifest.name} in ${folder} (${said[checksum]})`;
}

/** One bar after the other on standard error: the download, then the unpacking. */
function createWatcher(entry: CatalogueEntry): PullWatcher & { end(): void } {
  const stream = process.stderr;
  const now = (): number => performance.now();
  let phase: "download" | "unpack" | null = null;
  let progress: Progress | null = null;
  const inPhase = (next: "download" | "unpack"): Progress => {
    if (progress === null || phase !== next) {
      progress?.end(null);
      const isDownload = next === "download";
      progress = createProgress({
        label: `${isDownload ? "downloading" : "unpacking"} ${entry.name}`,
        total: isDownload ? entry.bytes : null,
        unit: isDownload ? "bytes" : "share",
        stream,
        now,
      });
      phase = next;
    }
    return progress;
  };
  return {
    onDownload: (done, total) => inPhase("download").update(done, total ?? entry.bytes),
    onRetry: (reason) => inPhase("download").note(`${reason}: trying again`),
    onUnpack: (done, total) => inPhase("unpack").update(done, total),
    end: () => progress?.end(null),
  };
}

/** The first signal asks for an orderly end, the next one ends at once. */
function onSignal(): { signal: AbortSignal; close(): void } {
  const wish = new AbortController();
  let askedAt = 0;
  const ask = (): void => {
    if (!wish.signal.aborted) {
      askedAt = performance.now();
      wish.abort();
    } else if (performance.now() - askedAt > TWIN_SIGNALS_MS) {
      process.exit(1);
    }
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  return {
    signal: wish.signal,
    close: () => {
      process.off("SIGINT", ask);
      process.off("SIGTERM", ask);
    },
  };
}

function list({ catalogue, modelsDir }: ModelsDependencies, isJson: boolean): number {
  const rows = rowsOf(catalogue, listInstalled(modelsDir));
  console.log(isJson ? JSON.stringify(rows, null, 2) : asTable(rows));
  return 0;
}

/** What went wrong outside: the network, an archive, the disk. */
function isExpected(error: unknown): error is Error {
  return error instanceof ModelFailure || (error instanceof Error && "code" in error);
}

const DISK_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
  ENOTDIR: "it is no folder",
  EEXIST: "it is no folder",
};

function explain(error: Error, modelsDir: string): string {
  const said = "code" in error ? DISK_ERRORS[String(error.code)] : undefined;
  return said === undefined ? error.message : `cannot write to ${modelsDir}: ${said}`;
}
