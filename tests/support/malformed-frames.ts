import type { TObject, TSchema } from "@sinclair/typebox";
import * as fc from "fast-check";

// Frames that no client should send: fields as JSON text, so that what no serialiser writes can be written too.

type Field = [key: string, value: string];
export type Sent = string | Uint8Array<ArrayBuffer>;

const deep = (levels: number, open: string, close: string): string =>
  open.repeat(levels) + close.repeat(levels);

const ODD_VALUES = ["null", "true", "false", "[]", "[null]", '["say"]', "undefined", "'text'"];
const ODD_NUMBERS = [
  "0",
  "-0",
  "-1",
  "1.5",
  "1e-9",
  "1e308",
  "1e999",
  "-1e999",
  "NaN",
  "Infinity",
  "0x10",
  "01",
  "9007199254740993",
  "99999999999999999999999999",
];
const ODD_TEXTS = [
  '""',
  '" "',
  '"\\u0000"',
  '"a|b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u202e\\u2066"',
  '"x',
  '"\\u001b[2J"',
  '"\n"',
  '"\u0001"',
  '"__proto__"',
  '"constructor"',
  '"toString"',
];
const ODD_OBJECTS = [
  "{}",
  '{"":""}',
  '{"length":1e9}',
  '{"__proto__":{"type":"ping"}}',
  '{"constructor":{"prototype":{"type":"ping"}}}',
  '{"then":{}}',
  '{"toJSON":1}',
];
const ODD_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "toJSON",
  "then",
  "type",
  "ref",
  "Type",
  "type\0",
  "",
  "0",
  "length",
  "room",
  "user_id",
  "audio",
  "after",
];

const hostileValue: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(...ODD_VALUES, ...ODD_NUMBERS, ...ODD_TEXTS, ...ODD_OBJECTS),
  },
  { weight: 2, arbitrary: fc.json() },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }).map(jsonOf) },
  { weight: 2, arbitrary: fc.double().map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 90, max: 9_000 }).map((n) => jsonOf("é".repeat(n))) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2_000 }).map((n) => deep(n, "[", "]")) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2_000 }).map((n) => deep(n, '{"a":[', "]}")) },
);
const hostileKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...ODD_KEYS),
  fc.string({ maxLength: 10 }),
);

export function jsonOf(value: unknown): string {
  return JSON.stringify(value);
}

/** JSON texts that fit a schema. */
function fitting(schema: TSchema, name: string): fc.Arbitrary<string> {
  if (schema["const"] !== undefined) return fc.constant(jsonOf(schema["const"]));
  if (Array.isArray(schema["anyOf"])) {
    return fc.oneof(...(schema["anyOf"] as TSchema[]).map((one) => fitting(one, name)));
  }
  switch (schema["type"]) {
    case "integer": {
      const { minimum: min = -5, maximum: max = 2 ** 40 } = schema as { [bound: string]: number };
      return fc
        .oneof(fc.integer({ min, max: Math.min(max, min + 20) }), fc.constant(max))
        .map(String);
    }
    case "boolean":
      return fc.boolean().map(String);
    case "object":
      return fieldsOf(schema as TObject).map(written);
    default:
      if (name === "room") return fc.constantFrom("room one", "room two", "कमरा").map(jsonOf);
      if (name === "audio") return fc.oneof(audioText, fc.string().map(jsonOf));
      return fc.string({ minLength: 1, maxLength: 30 }).map(jsonOf);
  }
}

/** Sound that is not quite sound, in base64. */
const audioText: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("", "RIFF", "RIFF$\0\0\0WAVE", "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0"),
    fc.uint8Array({ maxLength: 60 }),
  )
  .map(([start, rest]) => jsonOf(btoa(start + String.fromCharCode(...rest))));

function fieldsOf({ properties, required = [] }: TObject): fc.Arbitrary<Field[]> {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const field = fitting(schema, name).map((value): Field => [jsonOf(name), value]);
    return required.includes(name) ? field : fc.option(field, { nil: null, freq: 2 });
  });
  return fc.tuple(...fields).map((all) => all.filter((field) => field !== null));
}

function written(fields: readonly Field[]): string {
  return `{${fields.map(([key, value]) => `${key}:${value}`).join(",")}}`;
}

const change = fc.record({
  how: fc.constantFrom("value", "value", "drop", "add", "twice", "rename"),
  at: fc.nat(20),
  key: hostileKey.map(jsonOf),
  value: hostileValue,
});
/** What happens to the text of a frame as a whole; mostly nothing. */
const damage = fc.oneof(
  { weight: 12, arbitrary: fc.constant((text: string) => text) },
  {
    weight: 1,
    arbitrary: fc.nat(1_000).map((at) => (text: string) => text.slice(0, at % (text.length + 1))),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(1_000), fc.string({ unit: "binary", maxLength: 3 })).map(
      ([at, junk]) =>
        (text: string) =>
          text.slice(0, at % (text.length + 1)) + junk + text.slice(at % (text.length + 1)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      (text: string) => `[${text}]`,
      (text: string) => jsonOf(text),
      (text: string) => `\ufeff${text}`,
      (text: string) => text + text,
      () => "",
      () => deep(30_000, "[", "]"),
      () => deep(7_000, '{"type":', "}"),
    ),
  },
);

export function malformed(schema: TObject): fc.Arbitrary<string> {
  return fc
    .tuple(fieldsOf(schema), fc.array(change, { minLength: 0, maxLength: 3 }), damage)
    .map(([fields, changes, hurt]) => {
      for (const { how, at, key, value } of changes) {
        const index = at % Math.max(1, fields.length);
        const [oldKey, oldValue] = fields[index] ?? [key, value];
        if (how === "value") fields[index] = [oldKey, value];
        else if (how === "drop") fields.splice(index, 1);
        else if (how === "add") fields.push([key, value]);
        else if (how === "twice") fields.push([oldKey, value]);
        else fields[index] = [key, oldValue];
      }
      return hurt(written(fields));
    });
}

export const junk: fc.Arbitrary<Sent> = fc
  .uint8Array({ minLength: 0, maxLength: 400 })
  .map((bytes) => new Uint8Array(bytes));
/** Rare, for each one ends its socket or costs much. */
export const huge: fc.Arbitrary<Sent> = fc.constantFrom<Sent[]>(
  jsonOf({ type: "say", room: "room one", client_id: "huge", text: "a".repeat(70_000) }),
  new Uint8Array(70_000),
);
