/** Tokens as the service counts them. */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

/** What a language model answered. */
export interface Answer {
  /** The model that answered, by the service's name for it. */
  model: string;
  text: string;
  /** Null when the service does not tell. */
  usage: Usage | null;
}

/** Reads the pieces of one streamed answer. */
export interface AnswerReader {
  /** The text that a piece adds, often none. Throws `AnswerUnusable`. */
  take(chunk: unknown): string;
  /** Whether the service said that this is all. */
  isWhole(): boolean;
  answer(): Answer;
}

/** A service's answer is not what it should be. Holds none of its words. */
export class AnswerUnusable extends Error {
  override name = "AnswerUnusable";
}

/** A service that says more is broken, or its model has lost itself in a loop. */
const ANSWER_CHARACTERS_MAX = 200_000;

const MODEL_CHARACTERS_MAX = 200;

/** Reads a whole chat completion. Throws `AnswerUnusable`. */
export function answerOf(completion: unknown, askedModel: string): Answer {
  const choice = choiceOf(completion);
  const message = choice === null ? null : choice["message"];
  if (!isRecord(completion) || !isRecord(message)) throw new AnswerUnusable("it has no message");
  const { content, refusal } = message;
  const text = typeof content === "string" ? content : refusal;
  if (typeof text !== "string") throw new AnswerUnusable("it has no text");
  if (text.length > ANSWER_CHARACTERS_MAX) throw new AnswerUnusable("it is too long");
  return { model: modelOf(completion) ?? askedModel, text, usage: usageOf(completion) };
}

/** Reads chat completion chunks. What models think before they answer is no part of it. */
export function createAnswerReader(askedModel: string): AnswerReader {
  const pieces: string[] = [];
  let characters = 0;
  let model: string | null = null;
  let usage: Usage | null = null;
  let isWhole = false;
  return {
    take: (chunk) => {
      if (!isRecord(chunk)) throw new AnswerUnusable("a piece is no object");
      model ??= modelOf(chunk);
      usage = usageOf(chunk) ?? usage;
      const choice = choiceOf(chunk);
      if (choice === null) return "";
      if (typeof choice["finish_reason"] === "string") isWhole = true;
      const { delta } = choice;
      if (!isRecord(delta)) return "";
      const text = delta["content"] ?? delta["refusal"] ?? "";
      if (typeof text !== "string") throw new AnswerUnusable("a piece has no text");
      characters += text.length;
      if (characters > ANSWER_CHARACTERS_MAX) throw new AnswerUnusable("it is too long");
      if (text !== "") pieces.push(text);
      return text;
    },
    isWhole: () => isWhole,
    answer: () => ({ model: model ?? askedModel, text: pieces.join(""), usage }),
  };
}

function choiceOf(completion: unknown): Record<string, unknown> | null {
  if (!isRecord(completion) || !Array.isArray(completion["choices"])) return null;
  const [choice]: unknown[] = completion["choices"];
  return isRecord(choice) ? choice : null;
}

function modelOf({ model }: Record<string, unknown>): string | null {
  return typeof model === "string" && model !== "" && model.length <= MODEL_CHARACTERS_MAX
    ? model
    : null;
}

/** Groq tells it under a name of its own when it streams. */
function usageOf({ usage, x_groq: groq }: Record<string, unknown>): Usage | null {
  const told = isRecord(usage) ? usage : isRecord(groq) ? groq["usage"] : null;
  if (!isRecord(told)) return null;
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = told;
  if (!isCount(prompt) || !isCount(completion)) return null;
  return {
    promptTokens: prompt,
    completionTokens: completion,
    totalTokens: isCount(total) ? total : prompt + completion,
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
