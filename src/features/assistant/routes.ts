import { Elysia, t } from "elysia";
import type { Caller } from "../../http/caller.ts";
import { identity } from "../../http/identity.ts";
import type { guard } from "../../http/guard.ts";
import { patiently } from "../../http/patience.ts";
import { problemAnswer, problemSchema } from "../../http/problem.ts";
import type { Log } from "../../platform/log.ts";
import { roomField } from "../../realtime/frames.ts";
import { streamAnswer } from "./answer-stream.ts";
import {
  SENTENCES_DEFAULT,
  answerJson,
  inferenceBody,
  summaryBody,
  summarySchema,
} from "./model.ts";
import type { Talk } from "./said.ts";
import type { AssistantService } from "./service.ts";
import type { Summary, SummaryRequest } from "./summaries.ts";

export interface AssistantRoutesDependencies {
  guard: ReturnType<typeof guard>;
  service: AssistantService;
  summarise(request: SummaryRequest): Promise<Summary>;
  readTranscription(caller: Caller, id: number): Promise<Talk>;
  readRoom(caller: Caller, room: string): Promise<Talk>;
  log: Log;
}

const tags = ["assistant"];
const query = t.Object(identity, { additionalProperties: false });
const refused = {
  401: problemSchema,
  403: problemSchema,
  404: problemSchema,
  422: problemSchema,
  429: problemSchema,
  503: problemSchema,
};

/** Every route of the feature. */
export function assistantRoutes(dependencies: AssistantRoutesDependencies) {
  return new Elysia({ name: "assistant" })
    .use(inferenceRoute(dependencies))
    .use(summaryRoutes(dependencies));
}

function inferenceRoute({ guard, service, log }: AssistantRoutesDependencies) {
  return new Elysia({ name: "inference" }).use(guard).post(
    "/v1/inference",
    ({ caller, body: { stream = false, ...question }, request, server }) =>
      patiently({ request, server }, async () => {
        if (!stream) return answerJson(await service.ask(caller, question, request.signal));
        const open = (signal: AbortSignal) => service.stream(caller, question, signal);
        return streamAnswer({ open, request, log });
      }),
    {
      signedIn: true,
      query,
      body: inferenceBody,
      detail: {
        summary: "Ask the language model",
        description:
          "`prompt`, or `messages` with the roles system, user and assistant; examples of what is " +
          "wanted are messages. With `stream`, server-sent events: `delta` {text}, then `done` with " +
          "the whole answer, or `error` with problem details. Whoever leaves cancels the answer.",
        tags,
        responses: {
          200: {
            description: "the answer; with `stream`, server-sent events",
            content: {
              "application/json": { schema: { $ref: "#/components/schemas/Answer" } },
              "text/event-stream": {
                schema: { type: "string", description: "`delta`, `done`, `error`" },
              },
            },
          },
          401: problemAnswer,
          422: problemAnswer,
          429: problemAnswer,
          503: problemAnswer,
        },
      },
    },
  );
}

function summaryRoutes({ guard, summarise, ...readers }: AssistantRoutesDependencies) {
  const { readTranscription, readRoom } = readers;
  const description =
    "By the language model; without one, or when it does not answer, the sentences that say most. " +
    "`source` says which.";
  const body = t.Optional(summaryBody);
  const response = { 200: summarySchema, ...refused };
  return new Elysia({ name: "summaries" })
    .use(guard)
    .post(
      "/v1/transcriptions/:id/summary",
      async ({ caller, params: { id }, body, request, server }) => {
        const sentences = body?.sentences ?? SENTENCES_DEFAULT;
        const readTalk = () => readTranscription(caller, id);
        return patiently({ request, server }, () =>
          summarise({ caller, readTalk, sentences, signal: request.signal }),
        );
      },
      {
        signedIn: true,
        params: t.Object({ id: t.Integer({ minimum: 1 }) }),
        query,
        body,
        response,
        detail: { summary: "What a transcription says, in short", description, tags },
      },
    )
    .post(
      "/v1/rooms/:room/summary",
      async ({ caller, params: { room }, body, request, server }) => {
        const sentences = body?.sentences ?? SENTENCES_DEFAULT;
        const readTalk = () => readRoom(caller, room);
        return patiently({ request, server }, () =>
          summarise({ caller, readTalk, sentences, signal: request.signal }),
        );
      },
      {
        signedIn: true,
        params: t.Object({ room: roomField }),
        query,
        body,
        response,
        detail: { summary: "What was said last in a room, in short", description, tags },
      },
    );
}
