import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { FormatRegistry, type TObject, type TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import * as fc from "fast-check";
import { chatClientFrames, chatFrames } from "../../src/features/chat/model.ts";
import {
  OneFrame,
  streamingClientFrames,
  transcriptionFrames,
} from "../../src/features/transcription/model.ts";
import { commonFrames } from "../../src/realtime/frames.ts";
import { CLOSE } from "../../src/realtime/refusal.ts";
import { type TestApp, startTestApp, until } from "../support/app.ts";
import { type Frame, type TestSocket, openSocket } from "../support/socket.ts";
import { hasVosk } from "../support/sound.ts";

// Frames as no client should send them, made from the schemas of those that it should. The same are
// made again with EARSHOT_SEED=… as printed.

const SEED = Number(process.env["EARSHOT_SEED"] ?? randomInt(2 ** 31));
/** So many must have been worked on; those that follow a close in their batch are not. */
const FRAMES_MIN = 50_000;
const BARRIER_MS_MAX = 20_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

if (!FormatRegistry.Has("uuid")) FormatRegistry.Set("uuid", (text) => UUID.test(text));

// ---- What may be answered: derived from what is documented.

const commonClient: TSchema[] = [commonFrames.Ping, commonFrames.Authenticate];

function answersOf(frames: Record<string, TSchema>, clientFrames: readonly TSchema[]) {
  const answers = new Map<unknown, { check: TypeCheck<TSchema>; fields: Set<string> }>();
  for (const schema of Object.values({ ...frames, ...commonFrames })) {
    if (clientFrames.includes(schema) || commonClient.includes(schema)) continue;
    const { properties } = schema as TObject;
    const fields = new Set(Object.keys(properties));
    answers.set(properties["type"]?.["const"], { check: TypeCompiler.Compile(schema), fields });
  }
  return (frame: Frame): boolean => {
    // The one answer without a frame type has a language in that place.
    const answer = answers.get("message_id" in frame ? undefined : frame.type);
    if (answer === undefined || !answer.check.Check(frame)) return false;
    return Object.keys(frame).every((field) => answer.fields.has(field));
  };
}

const isChatAnswer = answersOf(chatFrames, chatClientFrames);
const isSpeechAnswer = answersOf(transcriptionFrames, [...streamingClientFrames, OneFrame]);

// ---- What is sent: fields as JSON text, so that what no serialiser writes can be written too.

type Field = [key: string, value: string];
type Sent = string | Uint8Array<ArrayBuffer>;

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

function jsonOf(value: unknown): string {
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

function malformed(schema: TObject): fc.Arbitrary<string> {
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

const common = [commonFrames.Ping, commonFrames.Authenticate];
const junk: fc.Arbitrary<Sent> = fc
  .uint8Array({ minLength: 0, maxLength: 400 })
  .map((bytes) => new Uint8Array(bytes));
/** Rare, for each one ends its socket or costs much. */
const huge: fc.Arbitrary<Sent> = fc.constantFrom<Sent[]>(
  jsonOf({ type: "say", room: "room one", client_id: "huge", text: "a".repeat(70_000) }),
  new Uint8Array(70_000),
);

interface Door {
  path: string;
  isAnswer(frame: Frame): boolean;
  /** Sent first on every new socket. */
  first: object[][];
  frames: fc.Arbitrary<Sent>;
  count: number;
  batch: number;
}

const from = (schemas: readonly TObject[]): fc.Arbitrary<Sent> =>
  fc.oneof(...schemas.map((schema) => malformed(schema)));

const DOORS: Record<string, Door> = {
  chat: {
    path: "/v1/ws/chat",
    isAnswer: isChatAnswer,
    first: [[{ type: "join", room: "room one" }], []],
    frames: fc.oneof(
      { weight: 2_000, arbitrary: from([...chatClientFrames, ...common]) },
      { weight: 60, arbitrary: junk },
      { weight: 1, arbitrary: huge },
    ),
    count: 28_000,
    batch: 100,
  },
  streaming: {
    path: "/v1/ws/transcription",
    isAnswer: isSpeechAnswer,
    first: [
      [{ type: "start" }],
      [{ type: "start", encoding: "pcm_f32le", sample_rate: 8_000, room: "room one" }],
      [{ type: "start", encoding: "wav" }],
      [],
    ],
    frames: fc.oneof(
      { weight: 30, arbitrary: from([...streamingClientFrames, ...common]) },
      { weight: 2, arbitrary: junk },
    ),
    count: 5_000,
    batch: 10,
  },
  oneFrame: {
    path: "/v1/ws/transcription",
    isAnswer: isSpeechAnswer,
    first: [[{ user_id: 1, language: "en", audio: "hello" }], []],
    frames: fc.oneof(
      { weight: 30, arbitrary: from([OneFrame, OneFrame, OneFrame, ...common]) },
      { weight: 1, arbitrary: junk },
    ),
    count: 24_000,
    batch: 40,
  },
};
const SOCKETS_PER_DOOR = 6;
/** Then the next one begins in another way. */
const BATCHES_PER_SOCKET = 15;
const CLOSES: number[] = Object.values(CLOSE);

let app: TestApp;
const rejections: unknown[] = [];
const onRejection = (error: unknown): void => void rejections.push(error);

beforeAll(async () => {
  process.on("unhandledRejection", onRejection);
  app = await startTestApp({ RATE_LIMITS: "off", SPEECH_ENGINE: hasVosk ? "vosk" : "none" });
  await until(async () => (await fetch(`${app.url}/readyz`)).ok);
});

afterAll(async () => {
  await app.stop();
  process.off("unhandledRejection", onRejection);
});

interface Outcome {
  answered: number;
  errors: number;
  closes: number;
  faults: Set<string>;
}

/** Sends every frame of a share, batch by batch, on as many sockets as it takes. */
async function press(
  door: Door,
  variant: number,
  share: readonly Sent[],
  outcome: Outcome,
): Promise<void> {
  let socket: TestSocket | null = null;
  let looked = 0;
  let opened = variant;
  const look = ({ frames }: TestSocket): void => {
    for (const frame of frames.slice(looked)) {
      if (!door.isAnswer(frame)) outcome.faults.add(`not documented: ${jsonOf(frame)}`);
      if (frame.type === "error") outcome.errors++;
      if (frame["code"] === "internal") outcome.faults.add(`an error of ours: ${jsonOf(frame)}`);
    }
    looked = frames.length;
  };

  for (let at = 0, batch = 0; at < share.length; at += door.batch, batch++) {
    if (socket === null) {
      socket = await openSocket(app.wsUrl + door.path);
      looked = 0;
      for (const frame of door.first[opened++ % door.first.length] ?? []) socket.send(frame);
    }
    for (const frame of share.slice(at, at + door.batch)) socket.sendRaw(frame);
    const ref = `barrier ${batch}`;
    socket.send({ type: "ping", ref });
    const code = await Promise.race([pongOf(socket, ref), socket.closed.then(({ code }) => code)]);
    look(socket);
    if (code === null) {
      outcome.answered += Math.min(door.batch, share.length - at);
      if (batch % BATCHES_PER_SOCKET !== BATCHES_PER_SOCKET - 1) continue;
      socket.close();
      socket = null;
      continue;
    }
    outcome.closes++;
    if (!CLOSES.includes(code)) outcome.faults.add(`closed with ${code}`);
    const before = socket.frames.at(-1);
    if (code !== CLOSE.done && before?.type !== "error") {
      outcome.faults.add(`closed with ${code} after ${jsonOf(before)}`);
    }
    socket = null;
  }
  socket?.close();
}

/** Resolves with null when everything before has been answered. */
async function pongOf(socket: TestSocket, ref: string): Promise<null> {
  for (;;) {
    // A ping among the frames has a pong of its own.
    const pong = await socket.next("pong", BARRIER_MS_MAX);
    if (pong["ref"] === ref) return null;
  }
}

test(`at least ${FRAMES_MIN} malformed frames are answered as documented and break nothing`, async () => {
  console.log(`malformed frames: EARSHOT_SEED=${SEED}`);
  const outcome: Outcome = { answered: 0, errors: 0, closes: 0, faults: new Set() };
  const startedAt = performance.now();
  await Promise.all(
    Object.values(DOORS).flatMap((door) => {
      const frames = fc.sample(door.frames, { numRuns: door.count, seed: SEED });
      return Array.from({ length: SOCKETS_PER_DOOR }, (_, share) =>
        press(
          door,
          share,
          frames.filter((_, at) => at % SOCKETS_PER_DOOR === share),
          outcome,
        ),
      );
    }),
  );
  const { answered, errors, closes, faults } = outcome;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`malformed frames: ${answered} in ${seconds} s, ${errors} errors, ${closes} closes`);
  expect([...faults].slice(0, 10)).toEqual([]);
  expect(answered).toBeGreaterThanOrEqual(FRAMES_MIN);
  expect(errors).toBeGreaterThan(answered / 4);
  expect(rejections).toEqual([]);
  expect(app.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
}, 60_000);

test("afterwards people can still talk", async () => {
  const [asha, ben] = await Promise.all(
    ["asha", "ben"].map((name) => openSocket(`${app.wsUrl}/v1/ws/chat?room=calm&name=${name}`)),
  );
  await Promise.all([asha?.next("joined"), ben?.next("joined")]);
  asha?.send({ type: "say", room: "calm", client_id: "1", text: "all quiet" });
  expect(await asha?.next("sent")).toMatchObject({ client_id: "1", offset: 1 });
  expect(await ben?.next("message")).toMatchObject({ text: "all quiet", offset: 1 });
  const spoken = await openSocket(`${app.wsUrl}/v1/ws/transcription`);
  spoken.send({ user_id: 7, language: "en", audio: "still here" });
  expect(await spoken.next()).toMatchObject({ text: "still here", type: "en" });
  for (const socket of [asha, ben, spoken]) socket?.close();
});
