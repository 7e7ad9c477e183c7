import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const SRC = join(import.meta.dir, "../src");

/** From the ground up: a folder or file may import from those before it and from itself. */
const LAYERS: readonly (readonly string[])[] = [
  ["config.ts", "config.traces.ts", "environment.ts", "schema.ts", "version.ts"],
  ["platform"],
  ["speech", "text"],
  ["http"],
  ["realtime"],
  [
    "features/assistant",
    "features/accounts",
    "features/chat",
    "features/lookup",
    "features/topics",
    "features/transcription",
  ],
  ["api.ts"],
  ["workers.ts", "reading.ts", "reading.worker.ts"],
  ["ground.ts"],
  ["features.ts"],
  ["app.ts"],
  ["cli"],
  ["main.ts"],
];

/** Folders beside the house: who may import from them, and what they may import. */
const BROWSER = ["client", "web"];

interface Import {
  from: string;
  to: string;
  isType: boolean;
}

const files = [...new Bun.Glob("**/*.{ts,tsx}").scanSync(SRC)].filter(
  (file) => !file.endsWith(".d.ts"),
);

const imports: Import[] = files.flatMap((from) => {
  const source = readFileSync(join(SRC, from), "utf8");
  const statements = source.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+"(\.[^"]+)"/gms);
  return [...statements]
    .map(([, type, path = ""]) => ({
      from,
      to: relative(SRC, join(SRC, dirname(from), path)),
      isType: type !== undefined,
    }))
    .filter(({ to }) => /\.tsx?$/.test(to));
});

describe("the structure", () => {
  test("imports go down only", () => {
    const upward = imports.filter(({ from, to }) => isInside(from) && layerOf(to) > layerOf(from));
    expect(upward).toEqual([]);
  });

  test("a feature never imports another", () => {
    const across = imports.filter(({ from, to }) => {
      const own = featureOf(from);
      const other = featureOf(to);
      return own !== null && other !== null && own !== other;
    });
    expect(across).toEqual([]);
  });

  test("speech and text know nothing of each other", () => {
    const across = imports.filter(
      ({ from, to }) =>
        (from.startsWith("speech/") && to.startsWith("text/")) ||
        (from.startsWith("text/") && to.startsWith("speech/")),
    );
    expect(across).toEqual([]);
  });

  test("what runs elsewhere imports nothing of the server but types", () => {
    const reaching = imports.filter(
      ({ from, to, isType }) =>
        BROWSER.includes(topOf(from)) && !BROWSER.includes(topOf(to)) && !isType,
    );
    expect(reaching).toEqual([]);
  });

  test("there is no cycle", () => {
    expect(findCycle()).toEqual([]);
  });

  test("SQL is spoken in stores and in the platform only", () => {
    const speakers = files.filter((file) => {
      const isHome = /store\.ts$|^platform\/|^schema\.ts$|^http\/secret\.ts$/.test(file);
      return !isHome && readFileSync(join(SRC, file), "utf8").includes("drizzle-orm");
    });
    expect(speakers).toEqual([]);
  });

  test("only the command line sees the environment", () => {
    const readers = files.filter((file) => {
      const isAllowed = file.startsWith("cli/") || file === "main.ts";
      return !isAllowed && /process\.env|Bun\.env/.test(readFileSync(join(SRC, file), "utf8"));
    });
    expect(readers).toEqual([]);
  });

  test("every file has its place", () => {
    const homeless = files.filter((file) => isInside(file) && layerOf(file) < 0);
    expect(homeless).toEqual([]);
  });
});

function topOf(file: string): string {
  return file.split("/")[0] ?? "";
}

function isInside(file: string): boolean {
  return !BROWSER.includes(topOf(file));
}

function layerOf(file: string): number {
  return LAYERS.findIndex((names) =>
    names.some((name) => file === name || file.startsWith(`${name}/`)),
  );
}

function featureOf(file: string): string | null {
  return /^features\/([^/]+)\//.exec(file)?.[1] ?? null;
}

/** The first ring of imports that is found; types do not count, they are gone when it runs. */
function findCycle(): string[] {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const { to } of imports.filter((one) => one.from === file && !one.isType)) {
      const cycle = visit(to, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  return files.map((file) => visit(file, [])).find((cycle) => cycle.length > 0) ?? [];
}
