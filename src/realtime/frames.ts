import { type Static, type TObject, type TSchema, Type as t } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { firstCharacters } from "../http/characters.ts";
import { parseBoundedJson } from "../http/json-text.ts";
import { REFUSAL_CODES, type Ref, Refusal } from "./refusal.ts";

/** Values in one frame; more are refused before anything is made of them. Ours have a dozen. */
const FRAME_VALUES_MAX = 1_000;
/** Of the name of a field that is wrong so much is told: it may be as long as a frame. */
const FIELD_CHARACTERS_MAX = 100;

/** A frame's own fields; unknown ones are refused. Every client frame may carry `ref`. */
export function clientFrame<const Name extends string, Fields extends Record<string, TSchema>>(
  type: Name,
  fields: Fields,
  description: string,
) {
  return t.Object(
    { type: t.Literal(type), ref: refField, ...fields },
    { additionalProperties: false, description },
  );
}

export const refField = t.Optional(
  t.Union([t.String({ maxLength: 64 }), t.Integer()], {
    description: "echoed in the answer or the error",
  }),
);

const ROOM_CHARACTERS_MAX = 100;
export const roomField = t.String({
  minLength: 1,
  // In code units, of which a character has two at most; the pattern counts characters. It lets no
  // half of a pair through, which the database could not tell from another half.
  maxLength: ROOM_CHARACTERS_MAX * 2,
  pattern: `^(?:[^\\u0000-\\u001f\\u007f|\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff]){1,${ROOM_CHARACTERS_MAX}}$`,
  description: `at most ${ROOM_CHARACTERS_MAX} characters, any but control characters and |`,
});

/** Frames that both sockets answer themselves. */
export const commonFrames = {
  Ping: clientFrame("ping", {}, "answered by `pong`"),
  Authenticate: clientFrame(
    "authenticate",
    { token: t.String({ maxLength: 4096 }) },
    "renews the token of this socket's user; answered by `authenticated`",
  ),
  Pong: t.Object({ type: t.Literal("pong"), ref: refField }),
  Authenticated: t.Object({
    type: t.Literal("authenticated"),
    expires_at: t.Integer(),
    ref: refField,
  }),
  Error: t.Object(
    {
      type: t.Literal("error"),
      code: t.Union(REFUSAL_CODES.map((code) => t.Literal(code))),
      message: t.String(),
      retryable: t.Boolean(),
      retry_after_ms: t.Optional(t.Integer()),
      ref: refField,
    },
    { description: "comes before every close that is not normal, too" },
  ),
};

/** Checks frames by their `type`. The result is typed; a frame that does not fit throws `Refusal`. */
export type FrameReader<Frames extends TObject> = (frame: RawFrame) => Static<Frames>;

/** A JSON object that a client sent, not looked at yet. */
export type RawFrame = Record<string, unknown>;

/** Compiles the schemas of a dialect's client frames, each with a literal `type`. */
export function createFrameReader<Frames extends TObject>(
  schemas: readonly Frames[],
): FrameReader<Frames> {
  const checks = new Map<unknown, TypeCheck<Frames>>();
  for (const schema of schemas) {
    checks.set(schema.properties["type"]?.["const"], TypeCompiler.Compile(schema));
  }
  return (frame) => {
    const check = checks.get(frame["type"]);
    if (check === undefined) {
      const known = [...checks.keys()].join(", ");
      throw new Refusal("bad_request", `type must be one of ${known}, ping, authenticate`);
    }
    if (!check.Check(frame)) throw misfit(check, frame);
    return frame;
  };
}

/** The refusal of a frame that does not fit its schema; it names the field and not its value. */
export function misfit<Schema extends TSchema>(check: TypeCheck<Schema>, frame: unknown): Refusal {
  const first = check.Errors(frame).First();
  const path = firstCharacters(first?.path ?? "", 1 + FIELD_CHARACTERS_MAX);
  const field = path.slice(1).replaceAll("/", ".");
  return new Refusal(
    "bad_request",
    `${field === "" ? "the frame" : field}: ${first?.message ?? "does not fit"}`,
  );
}

/** Parses a text frame. Throws `Refusal` unless it is a JSON object, and what `parseBoundedJson` does. */
export function parseFrame(text: string): RawFrame {
  let value: unknown;
  try {
    value = parseBoundedJson(text, FRAME_VALUES_MAX);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refusal("bad_request", "the frame is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal("bad_request", "the frame must be a JSON object");
  }
  return value as RawFrame;
}

/** A frame's `ref` where it has a usable one, to echo it even if the rest is wrong. */
export function refOf(frame: RawFrame): Ref | undefined {
  const { ref } = frame;
  if (typeof ref === "number") return Number.isInteger(ref) ? ref : undefined;
  return typeof ref === "string" && ref.length <= 64 ? ref : undefined;
}

export interface SocketDescription {
  summary: string;
  tags: string[];
  /** Every frame of the socket by its name in the documentation. */
  frames: Record<string, TSchema>;
  /** Those among them that clients send. */
  clientFrames: readonly TSchema[];
}

/** How a socket's route appears in the OpenAPI: its frames, by reference, under `x-frames`. */
export function socketDetail({ summary, tags, frames, clientFrames }: SocketDescription) {
  const all = Object.entries({ ...frames, ...commonFrames });
  const fromClient = new Set<TSchema>([
    ...clientFrames,
    commonFrames.Ping,
    commonFrames.Authenticate,
  ]);
  const references = (isClient: boolean): { $ref: string }[] =>
    all
      .filter(([, schema]) => fromClient.has(schema) === isClient)
      .map(([name]) => ({ $ref: `#/components/schemas/${name}` }));
  return {
    summary,
    tags,
    description: "A WebSocket. Text frames are JSON objects with `type`; see `x-frames`.",
    "x-frames": { client: references(true), server: references(false) },
  };
}
