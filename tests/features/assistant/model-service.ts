import type { Message } from "../../../src/features/assistant/messages.ts";

/** One request as the service sees it. */
export interface Asked {
  path: string;
  authorization: string | null;
  body: { model: string; messages: Message[]; stream?: boolean; [field: string]: unknown };
  /** Resolves when whoever asked has gone. */
  gone: Promise<void>;
}

export type Reply = (asked: Asked) => Response | Promise<Response>;

/** A service that speaks OpenAI's chat completions and answers as scripted. */
export interface ModelService {
  url: string;
  asked: Asked[];
  /** What comes next; the last one again and again. */
  script(...replies: Reply[]): void;
  stop(): Promise<void>;
}

/** In the service's errors and headers; nobody may ever be told. */
export const SERVICE_SECRET = "the words of the service";
export const KEY = "sk-a-very-secret-key";
export const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

export function startModelService(...replies: Reply[]): ModelService {
  const asked: Asked[] = [];
  let script = replies;
  let answered = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const gone = Promise.withResolvers<void>();
      request.signal.addEventListener("abort", () => gone.resolve());
      const one: Asked = {
        path: new URL(request.url).pathname,
        authorization: request.headers.get("authorization"),
        body: (await request.json()) as Asked["body"],
        gone: gone.promise,
      };
      asked.push(one);
      const reply = script[Math.min(answered++, script.length - 1)];
      return reply?.(one) ?? new Response(null, { status: 500 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    asked,
    script: (...next) => {
      script = next;
      answered = 0;
    },
    stop: () => server.stop(true),
  };
}

/** Answers at once with all of a text. */
export function says(text: string): Reply {
  return ({ body }) =>
    Response.json({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: `${body.model}-2`,
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: text } }],
      usage: USAGE,
    });
}

/** Puts a text right as the last message gives it. */
export function corrects(correct: (text: string) => string): Reply {
  return (asked) => says(correct(asked.body.messages.at(-1)?.content ?? ""))(asked);
}

export function fails(status: number, headers: Record<string, string> = {}): Reply {
  return () =>
    Response.json({ error: { message: `${SERVICE_SECRET} ${KEY}` } }, { status, headers });
}

/** Never answers. */
export const hangs: Reply = () => new Promise<Response>(() => {});

export function chunk(delta: object, more: object = {}): string {
  const choices = [{ index: 0, delta, finish_reason: null }];
  return `data: ${JSON.stringify({ model: "small-2", choices, ...more })}\n\n`;
}

export const WHOLE = `data: ${JSON.stringify({
  model: "small-2",
  choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
})}\n\ndata: ${JSON.stringify({ model: "small-2", choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`;

/** Streams pieces of an answer, then what `rest` says; "open": nothing more, "cut": nothing. */
export function streams(texts: string[], rest = WHOLE): Reply {
  return () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (text: string): void => controller.enqueue(new TextEncoder().encode(text));
        send(": hello\n\n");
        send(chunk({ role: "assistant", content: "" }));
        for (const text of texts) send(chunk({ content: text }));
        if (rest === "open") return;
        if (rest !== "cut") send(rest);
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

/** Streams as long as anybody listens. */
export const babbles: Reply = ({ gone }) => {
  let isGone = false;
  void gone.then(() => (isGone = true));
  const piece = new TextEncoder().encode(chunk({ content: "blah ".repeat(1_000) }));
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await Bun.sleep(0);
      if (isGone) controller.close();
      else controller.enqueue(piece);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};
