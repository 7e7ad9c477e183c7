import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Type as t } from "@sinclair/typebox";
import type { Bytes } from "./cache.ts";
import type { Kept, Source } from "./model.ts";

// How answers are written into the cache: a line of JSON, then the body as it came.

const NEWLINE = 10;
const KEY = "earshot:lookup";

const head = TypeCompiler.Compile(
  t.Object({
    kind: t.Union([t.Literal("found"), t.Literal("missing")]),
    at: t.Number(),
    type: t.String(),
  }),
);

/** The key of an address: nothing of what was asked for can be read from it. */
export function keyOf(source: Source, url: URL): string {
  const hash = new Bun.CryptoHasher("sha256").update(url.href).digest("base64url");
  return `${KEY}:${source.name}:${hash}`;
}

export function encodeKept(kept: Kept): Bytes {
  const { kind, at } = kept;
  const type = kind === "found" ? kept.type : "";
  const line = new TextEncoder().encode(`${JSON.stringify({ kind, at, type })}\n`);
  if (kind === "missing") return line;
  const bytes = new Uint8Array(line.length + kept.body.length);
  bytes.set(line);
  bytes.set(kept.body, line.length);
  return bytes;
}

/** Null for what this version did not write. */
export function decodeKept(bytes: Bytes): Kept | null {
  const cut = bytes.indexOf(NEWLINE);
  if (cut < 0) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes.subarray(0, cut)));
  } catch {
    return null;
  }
  if (!head.Check(value)) return null;
  const { kind, at, type } = value;
  return kind === "missing" ? { kind, at } : { kind, at, type, body: bytes.subarray(cut + 1) };
}
