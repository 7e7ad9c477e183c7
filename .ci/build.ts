import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { VOSK_MODEL_FOLDER, voskLibraryFor } from "../src/speech/vosk.ts";
import { PACKED_LIBRARY, PACKED_MODEL, PACKED_PREFIX } from "../src/speech/packed.ts";

// Builds the program as one file: `bun .ci/build.ts [--target linux-x64|linux-arm64] [--outfile FILE]`.
// The recogniser's library and small model go into it where there is a library for the target.

const root = resolve(import.meta.dir, "..");
const target = argument("--target") ?? `${process.platform}-${process.arch}`;
const outfile = resolve(argument("--outfile") ?? join(root, "dist/earshot"));
const ENTRIES = [
  "src/main.ts",
  "src/speech/worker.ts",
  "src/text/worker.ts",
  "src/reading.worker.ts",
];
/** More saves a few per cent and takes a minute. */
const ZSTD_LEVEL = 9;

const dist = join(root, "dist");
mkdirSync(dist, { recursive: true });
// Another build may be going on.
const folder = mkdtempSync(join(dist, "build-"));
const packed = await packRecogniser();
const build = Bun.spawnSync(
  [
    process.execPath,
    "build",
    "--compile",
    `--target=bun-${target}`,
    "--bytecode",
    "--format=esm",
    "--sourcemap",
    "--root=src",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    `--define=EARSHOT_COMMIT=${JSON.stringify(commit())}`,
    ...ENTRIES,
    ...(packed === null ? [] : [relative(root, packed)]),
    `--outfile=${outfile}`,
  ],
  { cwd: root, stdout: "inherit", stderr: "inherit" },
);
rmSync(folder, { recursive: true });
if (build.exitCode !== 0) process.exit(1);
const { size } = Bun.file(outfile);
console.log(
  `${relative(root, outfile)} for ${target}, ${Math.round(size / 1e6)} MB, ` +
    (packed === null
      ? "without a recogniser: there is none for this machine"
      : "with its recogniser"),
);

/** Writes library and model into one archive; null where either is not to be had. */
async function packRecogniser(): Promise<string | null> {
  const library = voskLibraryFor(target);
  const model = join(root, "node_modules", VOSK_MODEL_FOLDER);
  if (library === null || !existsSync(model)) return null;
  const libraryPath = join(root, "node_modules", library);
  if (!existsSync(libraryPath)) return null;
  const files: Record<string, Uint8Array> = {
    [PACKED_LIBRARY]: await Bun.file(libraryPath).bytes(),
  };
  const names = [...new Bun.Glob("**/*").scanSync(model)].sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) {
    files[`${PACKED_MODEL}/${name}`] = await Bun.file(join(model, name)).bytes();
  }
  const tar = withoutTimes(await new Bun.Archive(files).bytes());
  const path = join(folder, `${PACKED_PREFIX}.zst`);
  await Bun.write(path, Bun.zstdCompressSync(tar, { level: ZSTD_LEVEL }));
  return path;
}

/**
 * The same files make the same archive, whenever it is built: a new version then uses what the last one
 * has unpacked. Headers are as POSIX has them (ustar): octal numbers, and their sum at 148.
 */
function withoutTimes(tar: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1");
  const write = (at: number, digits: string) => tar.set(new TextEncoder().encode(digits), at);
  for (let at = 0; tar[at] !== 0;) {
    const bytes = Number.parseInt(text.decode(tar.subarray(at + 124, at + 136)), 8);
    write(at + 136, "00000000000");
    write(at + 148, " ".repeat(8));
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    write(at + 148, `${sum.toString(8).padStart(6, "0")}\0 `);
    at += 512 * (1 + Math.ceil(bytes / 512));
  }
  return tar;
}

/** What `--version` says it was built from; where there is no repository, EARSHOT_COMMIT says it. */
function commit(): string {
  const { EARSHOT_COMMIT } = process.env;
  if (EARSHOT_COMMIT !== undefined) return EARSHOT_COMMIT;
  const { exitCode, stdout } = Bun.spawnSync(["git", "rev-parse", "--short=10", "HEAD"], {
    cwd: root,
  });
  if (exitCode !== 0) return "";
  const changed = Bun.spawnSync(["git", "status", "--porcelain"], { cwd: root }).stdout.toString();
  return stdout.toString().trim() + (changed.trim() === "" ? "" : "+");
}

function argument(name: string): string | null {
  const at = process.argv.indexOf(name);
  return at < 0 ? null : (process.argv[at + 1] ?? null);
}
