import { dlopen } from "bun:ffi";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { privateFolder } from "./private-folder.ts";

/** The part of `sherpa-onnx-node` that is used here. */
export interface Sherpa {
  OnlineRecognizer: new (config: object) => OnlineRecognizer;
  OfflineRecognizer: new (config: object) => OfflineRecognizer;
}

/** Native memory behind these is freed by the garbage collector, when the event loop turns. */
export interface OnlineStream {
  acceptWaveform(sound: { samples: Float32Array; sampleRate: number }): void;
  setOption(key: string, value: string): void;
}

export interface OnlineRecognizer {
  createStream(): OnlineStream;
  isReady(stream: OnlineStream): boolean;
  decode(stream: OnlineStream): void;
  /** All must be ready. */
  decodeStreams(streams: OnlineStream[]): void;
  isEndpoint(stream: OnlineStream): boolean;
  /** Begins a new utterance; sound that was not decoded yet stays. */
  reset(stream: OnlineStream): void;
  getResult(stream: OnlineStream): OnlineResult;
}

/** Times are seconds. */
export interface OnlineResult {
  text: string;
  tokens: string[];
  /** One a token, from the last reset. */
  timestamps: number[];
  /** One a token, natural logarithms, from transducers only. */
  ys_probs?: number[];
  /** Where the utterance began in all the sound that the stream took. */
  start_time?: number;
}

export interface OfflineStream {
  acceptWaveform(sound: { samples: Float32Array; sampleRate: number }): void;
}

export interface OfflineRecognizer {
  createStream(): OfflineStream;
  setConfig(config: object): void;
  decodeAsync(stream: OfflineStream): Promise<OfflineResult>;
}

export interface OfflineResult {
  text: string;
  tokens: string[];
  timestamps: number[];
  /** One a token, from some models. */
  durations?: number[];
  ys_log_probs?: number[];
  /** As `en` or `<|en|>`; empty when the model does not say. */
  lang?: string;
}

/** In the order in which they must be there: the second needs the first. */
const LIBRARY_NAMES = ["libonnxruntime.so", "libsherpa-onnx-c-api.so"] as const;

const READ_BYTES = 1024 * 1024;

/** Where a compiled binary keeps the files that were built into it. */
const EMBEDDED_PREFIX = "/$bunfs/";

/**
 * The folder of the native package for this machine, or, in a compiled binary, the place of the
 * libraries that were built into it. Null when there is none: the package is optional.
 */
export function locateSherpa(): string | null {
  if (isCompiled()) {
    const [library] = embeddedLibraries() ?? [];
    return library === undefined ? null : dirname(library);
  }
  const platform = process.platform === "win32" ? "win" : process.platform;
  try {
    const fromProject = createRequire(import.meta.url);
    const fromPackage = createRequire(fromProject.resolve("sherpa-onnx-node/package.json"));
    const native = `sherpa-onnx-${platform}-${process.arch}/package.json`;
    return dirname(fromPackage.resolve(native));
  } catch {
    return null;
  }
}

/** Loads the library into this process. Throws where `locateSherpa` finds none. */
export function loadSherpa(): Sherpa {
  if (isCompiled()) preloadLibraries();
  try {
    // A call that the bundler sees and follows; inside `try` it may be missing when it is built.
    return require("sherpa-onnx-node") as Sherpa;
  } catch (cause) {
    throw new Error("sherpa-onnx-node is not installed for this machine", { cause });
  }
}

function isCompiled(): boolean {
  return import.meta.dir.startsWith(EMBEDDED_PREFIX);
}

/**
 * The libraries that the addon needs. The bundler gives each as a path inside the binary and, since
 * the calls stand inside `try`, leaves out the packages of other machines. Null from source too.
 */
function embeddedLibraries(): string[] | null {
  if (process.platform !== "linux") return null;
  try {
    return process.arch === "arm64"
      ? [
          require("sherpa-onnx-linux-arm64/libonnxruntime.so") as string,
          require("sherpa-onnx-linux-arm64/libsherpa-onnx-c-api.so") as string,
        ]
      : [
          require("sherpa-onnx-linux-x64/libonnxruntime.so") as string,
          require("sherpa-onnx-linux-x64/libsherpa-onnx-c-api.so") as string,
        ];
  } catch {
    return null;
  }
}

/**
 * Writes the embedded libraries out and loads them. The addon asks for the second by its name, and
 * the loader takes the one that is in memory; that one finds the first in its own folder.
 */
function preloadLibraries(): void {
  const libraries = embeddedLibraries();
  if (libraries === null) throw new Error("sherpa-onnx was not built into this binary");
  const folder = writeLibraries(libraries.map((path) => readFileSync(path)));
  dlopen(join(folder, LIBRARY_NAMES[1]), {
    SherpaOnnxGetVersionStr: { args: [], returns: "cstring" },
  });
}

/** Many workers and processes may do this at once; they come to share the same files. */
function writeLibraries(libraries: Buffer[]): string {
  const digests = libraries.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  const folder = privateFolder(`sherpa-${digests.map((digest) => digest.slice(0, 8)).join("")}`);
  for (const [at, bytes] of libraries.entries()) {
    const path = join(folder, LIBRARY_NAMES[at] ?? "");
    const found = digestOfFile(path);
    if (found === digests[at]) continue;
    // What is there but differs was damaged.
    const isBroken = found !== null;
    const draft = `${path}.${crypto.randomUUID()}`;
    writeFileSync(draft, bytes, { mode: 0o700 });
    try {
      // A link never replaces the file that another worker has put there and loaded meanwhile.
      if (isBroken) renameSync(draft, path);
      else linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
  return folder;
}

/** Null when there is no such file. Reads it piece by piece: it is large, and workers are many. */
function digestOfFile(path: string): string | null {
  if (!existsSync(path)) return null;
  const file = openSync(path, "r");
  try {
    const hash = createHash("sha256");
    const piece = Buffer.alloc(READ_BYTES);
    for (let read = -1; read !== 0;) {
      read = readSync(file, piece);
      hash.update(piece.subarray(0, read));
    }
    return hash.digest("hex");
  } finally {
    closeSync(file);
  }
}
