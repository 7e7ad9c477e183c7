import { BrokenArchive } from "./refusal.ts";

const PART_BYTES_MAX = 255;
const DEPTH_MAX = 16;

/** Decides where an entry of an archive may go. */
export interface NameCheck {
  /**
   * The parts of the path below the folder that is unpacked into, or null for what is to be passed
   * over. Throws `BrokenArchive` for a name that would leave the folder, that not every file system
   * can hold, or that came before (also in capitals).
   */
  check(name: string, kind: "file" | "folder"): string[] | null;
}

/** One check for one archive: it remembers the names. */
export function createNameCheck(): NameCheck {
  /** By the name in small letters: how it was written first, and what it is. */
  const known = new Map<string, { written: string; kind: "file" | "folder" }>();

  function remember(path: string, kind: "file" | "folder", isParent: boolean): void {
    const key = path.normalize("NFC").toLowerCase();
    const before = known.get(key);
    if (before === undefined) {
      known.set(key, { written: path, kind });
      return;
    }
    const isSameFolder = before.kind === "folder" && kind === "folder" && before.written === path;
    if (!isSameFolder) {
      const what = isParent ? "two entries share the name" : "the archive holds twice";
      throw refusal(`${what}, capitals aside,`, path);
    }
  }

  function check(name: string, kind: "file" | "folder"): string[] | null {
    checkCharacters(name);
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw refusal("the archive holds a path that leads upwards", name);
    if (parts.length === 0) {
      if (kind === "folder") return null;
      throw refusal("the archive holds a file without a name", name);
    }
    if (parts.length > DEPTH_MAX) throw refusal("the archive holds a path that is too deep", name);
    if (parts.some((part) => Buffer.byteLength(part) > PART_BYTES_MAX)) {
      throw refusal("the archive holds a name that is too long", name);
    }
    if (isFinderFile(parts)) return null;
    for (const [index] of parts.entries()) {
      const isParent = index < parts.length - 1;
      remember(parts.slice(0, index + 1).join("/"), isParent ? "folder" : kind, isParent);
    }
    return parts;
  }

  return { check };
}

function checkCharacters(name: string): void {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    throw refusal("the archive holds a name with control characters", name);
  }
  if (name.includes("\\")) throw refusal("the archive holds a name with a backslash", name);
  if (name.startsWith("/")) throw refusal("the archive holds an absolute path", name);
  if (/(^|\/)[A-Za-z]:/.test(name)) throw refusal("the archive holds a name with a drive", name);
}

/** What macOS adds to archives beside each file; it would pass for a second top folder. */
function isFinderFile(parts: string[]): boolean {
  const last = parts.at(-1) ?? "";
  return parts[0] === "__MACOSX" || last.startsWith("._") || last === ".DS_Store";
}

function refusal(what: string, name: string): BrokenArchive {
  return new BrokenArchive(`${what} (${JSON.stringify(name.slice(0, 200))})`);
}
