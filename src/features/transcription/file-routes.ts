import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { type Problem, problemAnswer, problemSchema } from "../../http/problem.ts";
import { patiently } from "../../http/patience.ts";
import type { Log } from "../../platform/log.ts";
import type { EngineInfo } from "../../speech/engine.ts";
import type { FileModels } from "./file-models.ts";
import { streamAnswer } from "./file-stream.ts";
import type { FileTranscriber, ReceivedFile } from "./file-transcriber.ts";
import { ANSWER_FORMATS } from "./file-wishes.ts";
import { fileAnswer, openAiError } from "./openai-answers.ts";

export interface FileRoutesDependencies {
  guard: ReturnType<typeof guard>;
  files: FileTranscriber;
  models: FileModels;
  log: Log;
  /** Unix milliseconds; told as the age of the models. */
  startedAt: number;
}

export const FILES_PATH = "/v1/audio/transcriptions";
const MODELS_PATH = "/v1/models";

const modelSchema = t.Object({
  id: t.String(),
  object: t.Literal("model"),
  created: t.Integer({ description: "Unix seconds" }),
  owned_by: t.String({ description: "the engine" }),
});

/** The routes that clients of OpenAI's know. */
export function fileRoutes({ guard, files, models, log, startedAt }: FileRoutesDependencies) {
  const tags = ["openai"];
  const told = ({ engine }: EngineInfo, id: string) => ({
    id,
    object: "model" as const,
    created: Math.floor(startedAt / 1000),
    owned_by: engine,
  });

  return new Elysia({ name: "files" })
    .use(guard)
    .post(
      FILES_PATH,
      ({ caller, request, server }) =>
        // From before the first byte: how slowly they may come is known where they are read.
        patiently({ request, server }, async () => {
          const file = await files.receive(request, caller.userId);
          return file.wishes.isStreamed
            ? streamAnswer(file, request, log)
            : wholeAnswer(file, request.signal);
        }),
      {
        signedInOrKey: true,
        detail: {
          summary: "Words of a sound file, as OpenAI's service gives them",
          description:
            "Fields that are not known have no effect. `prompt` and `temperature` are taken and have " +
            "none where the engine cannot use them.",
          tags,
          requestBody: {
            required: true,
            content: { "multipart/form-data": { schema: formSchema } },
          },
          responses: {
            200: {
              description: "in the format that was asked for; with `stream`, server-sent events",
              content: {
                "application/json": { schema: answerSchema },
                "text/plain": { schema: { type: "string" } },
                "application/x-subrip": { schema: { type: "string" } },
                "text/vtt": { schema: { type: "string" } },
                "text/event-stream": {
                  schema: {
                    type: "string",
                    description: "`transcript.text.delta`, `transcript.text.done`, `error`",
                  },
                },
              },
            },
            401: problemAnswer,
            403: problemAnswer,
            404: problemAnswer,
            413: problemAnswer,
            422: problemAnswer,
            502: problemAnswer,
            503: problemAnswer,
          },
        },
      },
    )
    .get(
      MODELS_PATH,
      () => ({
        object: "list" as const,
        data: models.all().map((info) => told(info, info.model)),
      }),
      {
        signedInOrKey: true,
        response: {
          200: t.Object({ object: t.Literal("list"), data: t.Array(modelSchema) }),
          401: problemSchema,
        },
        detail: { summary: "The models that listen here", tags },
      },
    )
    .get(`${MODELS_PATH}/:id`, ({ params: { id } }) => told(models.get(id), id), {
      signedInOrKey: true,
      params: t.Object({ id: t.String() }),
      response: { 200: modelSchema, 401: problemSchema, 404: problemSchema },
      detail: { summary: "One model", tags },
    });
}

/** What these routes' problems have besides the usual members, so that OpenAI's clients show them. */
export function openAiMembers(path: string, problem: Problem): Record<string, unknown> {
  const isOurs = path === FILES_PATH || path === MODELS_PATH || path.startsWith(`${MODELS_PATH}/`);
  return isOurs ? { error: openAiError(problem) } : {};
}

async function wholeAnswer(file: ReceivedFile, signal: AbortSignal): Promise<Response> {
  try {
    return fileAnswer(file.wishes, await file.recognise({ signal }));
  } finally {
    await file.close();
  }
}

const FIELDS = {
  model: "an id of GET /v1/models, or whisper-1, gpt-4o-transcribe, gpt-4o-mini-transcribe",
  language: "a code of ISO 639-1; without it, whatever is spoken",
  prompt: "taken, without effect",
  temperature: "taken, without effect",
};

const formSchema = {
  type: "object" as const,
  required: ["file", "model"],
  properties: {
    file: { type: "string" as const, format: "binary" },
    model: { type: "string" as const, description: FIELDS.model },
    language: { type: "string" as const, description: FIELDS.language },
    prompt: { type: "string" as const, description: FIELDS.prompt },
    response_format: { type: "string" as const, enum: [...ANSWER_FORMATS], default: "json" },
    temperature: {
      type: "number" as const,
      minimum: 0,
      maximum: 1,
      description: FIELDS.temperature,
    },
    "timestamp_granularities[]": {
      type: "array" as const,
      items: { type: "string" as const, enum: ["word", "segment"] },
      description: "with `verbose_json`",
    },
    stream: { type: "boolean" as const, description: "with `json` or `text`" },
  },
};

const answerSchema = {
  type: "object" as const,
  required: ["text", "usage"],
  properties: {
    text: { type: "string" as const },
    usage: {
      type: "object" as const,
      properties: {
        type: { type: "string" as const, enum: ["duration"] },
        seconds: { type: "number" as const },
      },
    },
  },
  description: "`verbose_json` adds task, language, duration, segments and words",
};
