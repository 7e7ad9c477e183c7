import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../platform/error-code.ts";
import type { Log } from "../../platform/log.ts";
import { createTrouble } from "../../platform/trouble.ts";

/**
 * The sound of one session that has no words yet, so that neither a worker's nor a process's death
 * loses any. Positions are bytes from the start of the session's sound.
 */
export interface Spool {
  append(bytes: Uint8Array): void;
  /** From `from`, or from the first byte that is still there, to the end. */
  read(from: number): Uint8Array;
  /** What lies before `position` is not needed any more. */
  settle(position: number): void;
  /** The first byte that is still there. */
  begin(): number;
  /** The position after the last byte. */
  end(): number;
  /**
   * Lets go of it and leaves the sound to whoever opens it next; nothing can be written or read here
   * any more.
   */
  close(): void;
  remove(): void;
}

/** Where sessions' sound waits. */
export interface Spools {
  /** An empty spool that begins at `position`. */
  create(name: string, generation: number, position: number): Spool;
  /** The spool of an earlier generation under a new number; an empty one at `position` when it is gone. */
  adopt(name: string, generation: number, position: number): Spool;
  remove(name: string): void;
  /** The names of all that are there. */
  names(): string[];
}

/** Settled sound is cut off when there is so much of it. */
const SETTLED_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES = 8;
const EXTENSION = ".sound";
/** What is being written takes its place when it is whole. */
const UNFINISHED = ".new";

/**
 * Spools in a folder beside the database file; in memory for a database that is nowhere. `log` is told
 * when sound cannot be written down, and when it is again.
 */
export function createSpools(databasePath: string, log?: Log): Spools {
  if (databasePath === ":memory:") return memorySpools();
  const folder = join(dirname(databasePath), `${basename(databasePath)}-spool`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });

  /** Runs what writes to the disk, and tells when that begins to fail and when it is over. */
  const teller = (failing: string, over: string): (<T>(write: () => T) => T) => {
    const trouble = log && createTrouble({ log, level: "error" });
    return (write) => {
      try {
        const written = write();
        trouble?.end(over);
        return written;
      } catch (error) {
        trouble?.begin({ folder, code: codeOf(error) }, failing);
        throw error;
      }
    };
  };

  // Apart: with too many open files none can be made, while those that are open take more.
  const making = teller(
    "sound of new sessions cannot be kept: their speakers are sent away until it can",
    "sound of new sessions is kept again",
  );
  const appending = teller(
    "sound cannot be kept: its speakers are sent away until it can",
    "sound is kept again",
  );

  const watched = (make: () => Spool): Spool => {
    const spool = making(make);
    return { ...spool, append: (bytes) => appending(() => spool.append(bytes)) };
  };

  const pathOf = (name: string, generation: number): string =>
    join(folder, `${name}.${generation}${EXTENSION}`);

  /** Every file of a session. */
  const filesOf = (name: string): string[] =>
    readdirSync(folder).filter((file) => file.startsWith(`${name}.`));

  const generationOf = (name: string, file: string): number =>
    Number(file.slice(name.length + 1, -EXTENSION.length));

  const newest = (name: string): string | null => {
    const whole = filesOf(name).filter((file) => file.endsWith(EXTENSION));
    whole.sort((a, b) => generationOf(name, b) - generationOf(name, a));
    return whole[0] ?? null;
  };

  return {
    create: (name, generation, position) =>
      watched(() => createFile(pathOf(name, generation), position, new Uint8Array(0))),
    adopt: (name, generation, position) => {
      const path = pathOf(name, generation);
      const older = filesOf(name).filter((file) => join(folder, file) !== path);
      const file = newest(name);
      const before = file === null ? null : openFile(join(folder, file));
      const at = Math.max(position, before?.begin() ?? 0);
      const spool = watched(() => createFile(path, at, before?.read(at) ?? new Uint8Array(0)));
      before?.close();
      for (const one of older) rmSync(join(folder, one), { force: true });
      return spool;
    },
    names: () => [
      ...new Set(readdirSync(folder).map((file) => file.slice(0, Math.max(0, file.indexOf("."))))),
    ],
    remove: (name) => {
      for (const file of filesOf(name)) rmSync(join(folder, file), { force: true });
    },
  };
}

/** A spool that ends with this process: for sound that is not to be kept. */
export function createMemorySpool(position = 0, onRemove = (): void => {}): Spool {
  let pieces: Uint8Array[] = [];
  let begin = position;
  let end = position;
  return {
    append: (bytes) => {
      // A copy: whoever gave it may write into it again.
      pieces.push(bytes.slice());
      end += bytes.length;
    },
    read: (from) => Buffer.concat(pieces).subarray(Math.max(0, from - begin)),
    settle: (upTo) => {
      for (
        let [first] = pieces;
        first !== undefined && begin + first.length <= upTo;
        [first] = pieces
      ) {
        pieces.shift();
        begin += first.length;
      }
    },
    begin: () => begin,
    end: () => end,
    close: () => {},
    remove: () => {
      pieces = [];
      begin = end;
      onRemove();
    },
  };
}

function memorySpools(): Spools {
  const spools = new Map<string, Spool>();
  const create = (name: string, _generation: number, position: number): Spool => {
    const spool = createMemorySpool(position, () => spools.delete(name));
    spools.set(name, spool);
    return spool;
  };
  return {
    create,
    adopt: (name, generation, position) => spools.get(name) ?? create(name, generation, position),
    remove: (name) => void spools.delete(name),
    names: () => [...spools.keys()],
  };
}

/** The file holds the position of its first byte of sound, then the sound. */
function createFile(path: string, position: number, sound: Uint8Array): Spool {
  const file = writeFile(path, position, sound);
  return spoolOf(path, file, position, position + sound.length);
}

/** The file is whole or not there, whenever this process dies. */
function writeFile(path: string, position: number, sound: Uint8Array): number {
  const file = openSync(path + UNFINISHED, "w+", 0o600);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(position));
  writeAll(file, header, 0);
  writeAll(file, sound, HEADER_BYTES);
  renameSync(path + UNFINISHED, path);
  return file;
}

function openFile(path: string): Spool {
  const file = openSync(path, "r+");
  const header = Buffer.alloc(HEADER_BYTES);
  const isWhole = readSync(file, header, 0, HEADER_BYTES, 0) === HEADER_BYTES;
  const begin = isWhole ? Number(header.readBigUInt64LE()) : 0;
  return spoolOf(path, file, begin, begin + Math.max(0, fstatSync(file).size - HEADER_BYTES));
}

function spoolOf(path: string, opened: number, first: number, last: number): Spool {
  let file: number | null = opened;
  let begin = first;
  let end = last;

  // Its number may be another file's by now.
  const openedFile = (): number => {
    if (file === null) throw new Error("the spool is closed");
    return file;
  };

  const read = (from: number): Uint8Array => {
    const at = Math.max(from, begin);
    const bytes = new Uint8Array(Math.max(0, end - at));
    return bytes.subarray(0, readAll(openedFile(), bytes, HEADER_BYTES + at - begin));
  };

  const close = (): void => {
    if (file !== null) closeSync(file);
    file = null;
  };

  return {
    append: (bytes) => {
      const into = openedFile();
      try {
        writeAll(into, bytes, HEADER_BYTES + end - begin);
      } catch (error) {
        // Half a piece would move everything behind it.
        ftruncateSync(into, HEADER_BYTES + end - begin);
        throw error;
      }
      end += bytes.length;
    },
    read,
    settle: (position) => {
      const at = Math.min(position, end);
      if (at - begin < SETTLED_BYTES_MAX) return;
      const shorter = writeFile(path, at, read(at));
      close();
      file = shorter;
      begin = at;
    },
    begin: () => begin,
    end: () => end,
    close,
    remove: () => {
      close();
      rmSync(path, { force: true });
    },
  };
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(file, bytes, written, bytes.length - written, at + written);
  }
}

/** Returns how many bytes there were: fewer than asked for when the file ends before. */
function readAll(file: number, bytes: Uint8Array, at: number): number {
  for (let taken = 0; ;) {
    const now = readSync(file, bytes, taken, bytes.length - taken, at + taken);
    taken += now;
    if (now === 0 || taken === bytes.length) return taken;
  }
}
