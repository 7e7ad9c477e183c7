import { setTimeout as sleep } from "node:timers/promises";
import type { OpenAI } from "openai";
import { Problem, type ProblemCode } from "../../http/problem.ts";
import { type Answer, answerOf, createAnswerReader } from "./answers.ts";
import { brokenOff, failureOf, late } from "./failures.ts";
import type { Message } from "./messages.ts";
import { type Family, byLabel, counter } from "../../platform/metrics.ts";
import { type ServiceAddress, createOpenAi, isApiError } from "../../platform/openai.ts";
import { tracedFetch } from "../../platform/traced-fetch.ts";
import { NO_TRACES, type Traces } from "../../platform/traces.ts";
import { fetchBounded } from "./bounded-fetch.ts";

/** A service and the model that is asked when nobody names another. */
export interface InferenceSource extends ServiceAddress {
  model: string | null;
}

export interface InferenceOptions {
  /** How long one answer may take, with all attempts, the waits between them and the last word. */
  deadlineMs?: number;
  /** How often a request that failed in passing is sent again. */
  retriesMax?: number;
  /** The wait before the first of them; it doubles. */
  backoffMs?: number;
  traces?: Traces;
}

export interface InferenceRequest extends Pick<InferenceOptions, "deadlineMs" | "retriesMax"> {
  /** Null or none for the configured one. */
  model?: string | null | undefined;
  messages: readonly Message[];
  /** Who gives up waiting; the service is told at once. */
  signal?: AbortSignal | undefined;
}

/** The time of one answer. */
interface Lifetime {
  /** Aborted when the time is over or nobody waits any more. */
  signal: AbortSignal;
  untilMs: number;
  /** Throws what ended it, once it has. */
  check(): void;
  /** Ends it; what is still under way at the service is cancelled. */
  end(): void;
}

/** What a question may end with instead of an answer. */
const FAILURE_CODES: readonly ProblemCode[] = [
  "invalid",
  "llm_unconfigured",
  "llm_unavailable",
  "llm_rate_limited",
  "draining",
];
/** Statuses of services that may only dislike that they are asked for their usage. */
const PICKY_STATUSES = [400, 422];

/**
 * Asks a language model: OpenAI's, Groq's, or any that speaks `POST /chat/completions`. Nothing is
 * sent before the first question, and no parameter that some of them refuse.
 *
 * Retries: 429 (after as long as it says, if that is within the deadline), 408, 5xx and connections
 * that break before the answer begins. Everything throws `Problem`s without keys, addresses or the
 * service's words: `llm_unconfigured`, `llm_unavailable`, `llm_rate_limited`, `invalid` for a model or
 * a question that the service refuses, `draining` once it is closed; and the signal's own reason when
 * that is aborted.
 */
export class Inference {
  readonly #source: InferenceSource | null;
  readonly #options: Required<InferenceOptions>;
  readonly #closing = new AbortController();
  #client: OpenAI | null = null;
  /** Whether the service tells its usage when asked while it streams; found out with the first. */
  #tellsUsage = true;
  #asked = 0;
  readonly #failed = new Map(FAILURE_CODES.map((code) => [code, 0]));

  constructor(source: InferenceSource | null, options: InferenceOptions = {}) {
    this.#source = source;
    this.#options = {
      deadlineMs: 120_000,
      retriesMax: 2,
      backoffMs: 500,
      traces: NO_TRACES,
      ...options,
    };
  }

  /** Whether there is a service, and a model to ask when nobody names one. */
  get isReady(): boolean {
    return this.#source !== null && this.#source.model !== null;
  }

  /** Ends what is under way, and refuses what comes; whoever waits gets `draining`. */
  close(): void {
    this.#closing.abort(
      new Problem("draining", "The server is stopping; try again soon", { retryAfterMs: 1_000 }),
    );
  }

  /** Questions and what became of them, for whoever watches. */
  measure(): Family[] {
    return [
      counter("earshot_llm_questions_total", "Questions to the language model.", this.#asked),
      counter(
        "earshot_llm_errors_total",
        "Questions that were not answered, by the code of the problem.",
        byLabel("code", this.#failed),
      ),
    ];
  }

  /** The answer's text to one question. */
  async inference(model: string | null, prompt: string, signal?: AbortSignal): Promise<string> {
    const messages = [{ role: "user" as const, content: prompt }];
    return (await this.complete({ model, messages, signal })).text;
  }

  /** The whole answer. */
  async complete(request: InferenceRequest): Promise<Answer> {
    this.#asked++;
    try {
      return await this.#complete(request);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  async #complete(request: InferenceRequest): Promise<Answer> {
    const { client, model, messages, life, timeout } = this.#begin(request);
    try {
      return await this.#retried(request, life, async () => {
        const options = { signal: life.signal, timeout };
        return answerOf(await client.chat.completions.create({ model, messages }, options), model);
      });
    } finally {
      life.end();
    }
  }

  /** The answer piece by piece; it returns the whole. Leaving it early cancels it at the service. */
  async *stream(request: InferenceRequest): AsyncGenerator<string, Answer, undefined> {
    this.#asked++;
    try {
      return yield* this.#stream(request);
    } catch (error) {
      throw this.#noted(error);
    }
  }

  /** Counts why there is no answer; whoever left does not count. */
  #noted(error: unknown): unknown {
    if (error instanceof Problem)
      this.#failed.set(error.code, (this.#failed.get(error.code) ?? 0) + 1);
    return error;
  }

  async *#stream(request: InferenceRequest): AsyncGenerator<string, Answer, undefined> {
    const { client, model, messages, life, timeout } = this.#begin(request);
    const open = (withUsage: boolean): Promise<AsyncIterable<unknown>> =>
      client.chat.completions.create(
        {
          model,
          messages,
          stream: true,
          ...(withUsage ? { stream_options: { include_usage: true } } : {}),
        },
        { signal: life.signal, timeout },
      );
    try {
      const reader = createAnswerReader(model);
      const chunks = await this.#retried(request, life, () => this.#withUsage(open));
      for await (const chunk of chunks) {
        const text = reader.take(chunk);
        if (text !== "") yield text;
      }
      // Streams that were cancelled end like those that are over.
      if (!reader.isWhole()) throw brokenOff();
      return reader.answer();
    } catch (error) {
      life.check();
      throw failureOf(error, isModelNamed(request)).problem;
    } finally {
      life.end();
    }
  }

  /** Opens a stream that tells its usage, or one that does not where the service refuses that. */
  async #withUsage<Opened>(open: (withUsage: boolean) => Promise<Opened>): Promise<Opened> {
    if (!this.#tellsUsage) return open(false);
    try {
      return await open(true);
    } catch (error) {
      if (!isApiError(error) || !PICKY_STATUSES.includes(Number(error.status))) throw error;
      const opened = await open(false);
      this.#tellsUsage = false;
      return opened;
    }
  }

  async #retried<Result>(
    request: InferenceRequest,
    life: Lifetime,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const { retriesMax = this.#options.retriesMax } = request;
    for (let attempt = 0; ; attempt++) {
      let failure;
      try {
        life.check();
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other is the point
        return await send();
      } catch (error) {
        life.check();
        failure = failureOf(error, isModelNamed(request));
      }
      const { problem, isPassing } = failure;
      const jitter = 0.75 + Math.random() / 2;
      const waitMs = problem.extras.retryAfterMs ?? this.#options.backoffMs * 2 ** attempt * jitter;
      const hasTime = performance.now() + waitMs < life.untilMs;
      if (!isPassing || attempt >= retriesMax || !hasTime) throw problem;
      // oxlint-disable-next-line no-await-in-loop
      await sleep(waitMs, undefined, { signal: life.signal }).catch(life.check);
    }
  }

  #begin({
    model: asked,
    messages,
    signal,
    deadlineMs = this.#options.deadlineMs,
  }: InferenceRequest) {
    if (this.#source === null) {
      throw new Problem(
        "llm_unconfigured",
        "No language model is configured here: OPENAI_BASE_URL or OPENAI_API_KEY is needed",
      );
    }
    const model = asked ?? this.#source.model;
    if (model === null) {
      throw new Problem("invalid", "Name a model: this server has none of its own (LLM_MODEL)");
    }
    this.#client ??= createOpenAi(this.#source, tracedFetch(this.#options.traces, fetchBounded));
    return {
      client: this.#client,
      model,
      // Half a character would be refused by services that are not written in JavaScript.
      messages: messages.map(({ role, content }) => ({ role, content: content.toWellFormed() })),
      life: createLifetime([this.#closing.signal, ...(signal ? [signal] : [])], deadlineMs),
      // The lifetime bounds the whole answer; the client's own timeout only what comes before it.
      timeout: 2 * deadlineMs,
    };
  }
}

function isModelNamed({ model = null }: InferenceRequest): boolean {
  return model !== null;
}

function createLifetime(given: readonly AbortSignal[], deadlineMs: number): Lifetime {
  const controller = new AbortController();
  const { signal } = controller;
  const leave = (): void => controller.abort(given.find(({ aborted }) => aborted)?.reason);
  const timer = setTimeout(() => controller.abort(late(deadlineMs)), deadlineMs);
  for (const one of given) one.addEventListener("abort", leave);
  if (given.some(({ aborted }) => aborted)) leave();
  const untilMs = performance.now() + deadlineMs;
  return {
    signal,
    untilMs,
    check: () => signal.throwIfAborted(),
    end: () => {
      clearTimeout(timer);
      for (const one of given) one.removeEventListener("abort", leave);
      controller.abort();
    },
  };
}
