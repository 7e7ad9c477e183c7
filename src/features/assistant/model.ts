import { Type as t } from "@sinclair/typebox";
import type { Answer } from "./answers.ts";

/** Messages of one question, and the characters in all of them together. */
const MESSAGES_MAX = 200;
export const QUESTION_CHARACTERS_MAX = 200_000;
const MODEL_CHARACTERS_MAX = 200;

/** Sentences of a summary. */
const SENTENCES_MAX = 10;
export const SENTENCES_DEFAULT = 4;

const content = t.String({ minLength: 1, maxLength: QUESTION_CHARACTERS_MAX });
const role = t.Union([t.Literal("system"), t.Literal("user"), t.Literal("assistant")]);

export const inferenceBody = t.Object(
  {
    model: t.Optional(
      t.String({
        minLength: 1,
        maxLength: MODEL_CHARACTERS_MAX,
        description: "one of the service's; without it, the configured one",
      }),
    ),
    prompt: t.Optional(content),
    messages: t.Optional(
      t.Array(t.Object({ role, content }, { additionalProperties: false }), {
        minItems: 1,
        maxItems: MESSAGES_MAX,
        description: "instead of `prompt`; examples are turns of `user` and `assistant`",
      }),
    ),
    stream: t.Optional(t.Boolean({ description: "server-sent events: `delta`, `done`, `error`" })),
  },
  { additionalProperties: false, description: "`prompt` or `messages`" },
);

const count = t.Integer({ minimum: 0 });

export const answerSchema = t.Object({
  model: t.String({ description: "the model that answered" }),
  text: t.String(),
  usage: t.Union(
    [t.Object({ prompt_tokens: count, completion_tokens: count, total_tokens: count }), t.Null()],
    { description: "null when the service does not tell" },
  ),
});

export const summaryBody = t.Object(
  {
    sentences: t.Optional(
      t.Integer({
        minimum: 1,
        maximum: SENTENCES_MAX,
        default: SENTENCES_DEFAULT,
        description: "at most so many",
      }),
    ),
  },
  { additionalProperties: false },
);

export const summarySchema = t.Object({
  summary: t.String({ description: "when extractive, a sentence a line" }),
  source: t.Union([t.Literal("model"), t.Literal("extractive")]),
  model: t.Union([t.String(), t.Null()], { description: "null when extractive" }),
});

/** An answer as it is told. */
export function answerJson({ model, text, usage }: Answer) {
  return {
    model,
    text,
    usage:
      usage === null
        ? null
        : {
            prompt_tokens: usage.promptTokens,
            completion_tokens: usage.completionTokens,
            total_tokens: usage.totalTokens,
          },
  };
}
