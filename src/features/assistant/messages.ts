/** One turn of a conversation with a language model. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** A question, and the answer to it that would be right. */
export interface Example {
  user: string;
  assistant: string;
}

/** What a model is to do: rules, examples and the question itself. */
export interface Task {
  system?: string | undefined;
  examples?: readonly Example[] | undefined;
  prompt: string;
}

/** A task as messages: the rules, each example as a turn of both, then the question. */
export function taskMessages({ system, examples = [], prompt }: Task): Message[] {
  return [
    ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
    ...examples.flatMap(({ user, assistant }): Message[] => [
      { role: "user", content: user },
      { role: "assistant", content: assistant },
    ]),
    { role: "user", content: prompt },
  ];
}
