import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** A tag and a length, each a varint of ten bytes at the most. */
const FIELD_HEADER_BYTES_MAX = 20;
/** A model has a dozen fields and one for each of its properties. */
const FIELDS_MAX = 10_000;

/** The identifier of ONNX Runtime's own format, a FlatBuffer. */
const ORT_IDENTIFIER = "ORTM";

/**
 * Whether a file ends where a model does. The runtime ends the whole process over one that was cut
 * short, so this walks over the outermost fields of the Protocol Buffer (`ModelProto` of the ONNX
 * specification), which reads a few bytes of each. Files of ONNX Runtime's own format are only
 * looked at at their beginning.
 */
export function isWholeModel(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const size = fstatSync(file).size;
    if (size === 0) return false;
    const head = Buffer.alloc(FIELD_HEADER_BYTES_MAX);
    let at = 0;
    for (let fields = 0; at < size && fields < FIELDS_MAX; fields++) {
      const read = readSync(file, head, 0, head.length, at);
      if (at === 0 && head.toString("latin1", 4, 8) === ORT_IDENTIFIER) return true;
      const bytes = fieldBytes(head.subarray(0, read));
      if (bytes === null) return false;
      at += bytes;
    }
    return at === size;
  } finally {
    closeSync(file);
  }
}

/** How long the field is that begins here, its header included; null when it is none. */
function fieldBytes(head: Uint8Array): number | null {
  const tag = readVarint(head, 0);
  if (tag === null || tag.value < 8) return null;
  switch (tag.value % 8) {
    case 0:
      return readVarint(head, tag.end)?.end ?? null;
    case 1:
      return tag.end + 8;
    case 2: {
      const length = readVarint(head, tag.end);
      return length === null ? null : length.end + length.value;
    }
    case 5:
      return tag.end + 4;
    default:
      return null;
  }
}

function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | null {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte % 128) * scale;
    if (byte < 128) return { value, end: at + 1 };
    scale *= 128;
  }
  return null;
}
