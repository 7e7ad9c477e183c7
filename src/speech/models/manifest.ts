import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type as t } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

const MANIFEST_FILE = "earshot-model.json";

const ModelManifest = t.Object({
  name: t.String(),
  engine: t.Union([t.Literal("sherpa"), t.Literal("vosk")]),
  languages: t.Array(t.String()),
  streaming: t.Boolean(),
  licence: t.String(),
  /** Where the archive is published, also when a mirror gave it. */
  address: t.String(),
  /** Of the archive. */
  sha256: t.String({ pattern: "^[0-9a-f]{64}$" }),
  /** Of the archive. */
  bytes: t.Integer({ minimum: 0 }),
  /** Unix milliseconds. */
  installed_at: t.Integer({ minimum: 0 }),
});

/** What a pull writes down about a model, inside its folder. */
export type ModelManifest = Static<typeof ModelManifest>;

/** `reason` says why there is no manifest although there is a file of that name. */
export interface ManifestFound {
  manifest: ModelManifest | null;
  reason: string | null;
}

/** Reads a model's manifest; a model that a person put there has none. Does not throw. */
export function readManifest(folder: string): ManifestFound {
  let text;
  try {
    text = readFileSync(join(folder, MANIFEST_FILE), "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return { manifest: null, reason: isMissing ? null : `${MANIFEST_FILE} cannot be read` };
  }
  try {
    const found: unknown = JSON.parse(text);
    if (Value.Check(ModelManifest, found)) return { manifest: found, reason: null };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { manifest: null, reason: `${MANIFEST_FILE} is broken` };
}

/** Writes the manifest into a model's folder. */
export async function writeManifest(folder: string, manifest: ModelManifest): Promise<void> {
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
}
