import { readFile } from "node:fs/promises";
import { Value } from "@sinclair/typebox/value";
import { ConfigError } from "../../environment.ts";
import { BUILT_IN } from "./built-in.ts";
import type { Source } from "./model.ts";
import { readSource } from "./source-entry.ts";
import { SourceMistake, sourceFile } from "./source-schema.ts";

// The file of sources is read once, at start. Whoever writes it is believed to mean well, not to
// write without mistakes: every mistake stops the start and is named.

const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Reads the sources, by name, from the file at `path`, or takes the built-in ones when it is null.
 * Throws `ConfigError`, one line that names the setting, the place in the file and what is wrong.
 */
export async function readSources(path: string | null): Promise<ReadonlyMap<string, Source>> {
  try {
    return parseSources(path === null ? BUILT_IN : await readJson(path));
  } catch (error) {
    if (!(error instanceof SourceMistake)) throw error;
    throw new ConfigError(`PUBLIC_SOURCES: ${error.message}`);
  }
}

/** The sources of a file's content. Throws `SourceMistake`. */
export function parseSources(content: unknown): ReadonlyMap<string, Source> {
  if (!Value.Check(sourceFile, content)) {
    const { path = "", message = "is not as described" } =
      Value.Errors(sourceFile, content).First() ?? {};
    throw new SourceMistake(`${path === "" ? "the file" : path}: ${oneLine(message)}`);
  }
  const sources = new Map<string, Source>();
  for (const entry of content.sources) {
    if (sources.has(entry.name)) throw new SourceMistake(`${entry.name} is there twice`);
    sources.set(entry.name, readSource(entry));
  }
  return sources;
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new SourceMistake(`${JSON.stringify(path)} cannot be read (${oneLine(code)})`);
  });
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    throw new SourceMistake(`the file may have ${FILE_BYTES_MAX} bytes`);
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    // The parser's own message quotes the file, which may hold keys.
    throw new SourceMistake(`${JSON.stringify(path)} is not valid JSON`);
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
