import type { Caller } from "../../http/caller.ts";
import { Problem } from "../../http/problem.ts";
import type { Admission } from "./admission.ts";
import type { Answer } from "./answers.ts";
import type { Inference } from "./inference.ts";
import { type Message, taskMessages } from "./messages.ts";
import { QUESTION_CHARACTERS_MAX } from "./model.ts";

/** What somebody asks: a prompt or messages, not both. */
export interface Question {
  model?: string | undefined;
  prompt?: string | undefined;
  messages?: readonly Message[] | undefined;
}

export interface AssistantService {
  /** The whole answer. */
  ask(caller: Caller, question: Question, signal: AbortSignal): Promise<Answer>;
  /** The answer piece by piece; it returns the whole. */
  stream(
    caller: Caller,
    question: Question,
    signal: AbortSignal,
  ): AsyncGenerator<string, Answer, undefined>;
}

export interface AssistantServiceDependencies {
  inference: Inference;
  admission: Admission;
}

/** Questions of users to the language model, within their limits. */
export function createAssistantService(
  dependencies: AssistantServiceDependencies,
): AssistantService {
  const { inference, admission } = dependencies;
  const request = (question: Question, signal: AbortSignal) => ({
    model: question.model,
    messages: messagesOf(question),
    signal,
  });
  return {
    ask: async (caller, question, signal) => {
      const asked = request(question, signal);
      const leave = await admission.enter(caller);
      try {
        return await inference.complete(asked);
      } finally {
        leave();
      }
    },
    stream: async function* (caller, question, signal) {
      const asked = request(question, signal);
      const leave = await admission.enter(caller);
      try {
        return yield* inference.stream(asked);
      } finally {
        leave();
      }
    },
  };
}

function messagesOf({ prompt, messages }: Question): readonly Message[] {
  if (prompt !== undefined && messages === undefined) return taskMessages({ prompt });
  if (messages === undefined || prompt !== undefined) {
    throw new Problem("invalid", "Give either prompt or messages");
  }
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  if (characters > QUESTION_CHARACTERS_MAX) {
    throw new Problem("invalid", `messages may have ${QUESTION_CHARACTERS_MAX} characters in all`);
  }
  return messages;
}
