import type { CatalogueEntry } from "../speech/models/catalogue.ts";
import type { InstalledModel } from "../speech/models/installed.ts";
import { formatBytes } from "./progress.ts";

/** A model as `models list` shows it; null and empty are not known. */
export interface Row {
  name: string;
  installed: boolean;
  folder: string | null;
  engine: string | null;
  languages: readonly string[];
  streaming: boolean | null;
  bytes: number | null;
  licence: string | null;
  address: string | null;
  sha256: string | null;
  about: string | null;
  /** Why a manifest that is there does not count. */
  reason: string | null;
}

/** The catalogue in its order, then what else is installed. */
export function rowsOf(
  catalogue: readonly CatalogueEntry[],
  models: readonly InstalledModel[],
): Row[] {
  const installed = new Map(models.map((model) => [model.name, model]));
  const others = models.filter(({ name }) => !catalogue.some((entry) => entry.name === name));
  return [
    ...catalogue.map((entry) => rowOf(entry.name, entry, installed.get(entry.name))),
    ...others.map((model) => rowOf(model.name, undefined, model)),
  ];
}

/** What is installed counts before what could be. */
function rowOf(
  name: string,
  entry: CatalogueEntry | undefined,
  model: InstalledModel | undefined,
): Row {
  const known = model?.manifest ?? entry;
  return {
    name,
    installed: model !== undefined,
    folder: model?.folder ?? null,
    engine: known?.engine ?? null,
    languages: known?.languages ?? [],
    streaming: known?.streaming ?? null,
    bytes: known?.bytes ?? null,
    licence: known?.licence ?? null,
    address: known?.address ?? null,
    sha256: known?.sha256 ?? null,
    about: entry?.about ?? null,
    reason: model?.reason ?? null,
  };
}

/** The rows for people, in columns. */
export function asTable(rows: readonly Row[]): string {
  const head = ["", "NAME", "LANGUAGES", "STREAMING", "SIZE", "LICENCE", ""];
  const cells = rows.map((row) => [
    row.installed ? "*" : "",
    row.name,
    row.languages.join(",") || "?",
    row.streaming === null ? "?" : yesNo(row.streaming),
    row.bytes === null ? "size not known" : formatBytes(row.bytes),
    row.licence ?? "?",
    row.reason ?? row.about ?? "put there by hand",
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...cells].map((line) => line[column]?.length ?? 0)),
  );
  const lines = [head, ...cells].map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", "* installed; sizes are those of the downloads"].join("\n");
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
