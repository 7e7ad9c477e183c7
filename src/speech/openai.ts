import { setTimeout as sleep } from "node:timers/promises";
import type { OpenAI } from "openai";
import { createOpenAi, isApiError, isConnectionError, retryAfterMs } from "../platform/openai.ts";
import { tracedFetch } from "../platform/traced-fetch.ts";
import { NO_TRACES, type Traces } from "../platform/traces.ts";
import { toPcm16 } from "./blocks.ts";
import {
  ENGINE_RATE_HZ,
  type Heard,
  type OneShotEngine,
  type OpenAiSource,
  ServiceFailed,
} from "./engine.ts";
import { AnswerUnusable, heardOf } from "./openai-answer.ts";
import { languageCode } from "./whisper-languages.ts";

export interface OpenAiOptions {
  /** How long one request may take. */
  attemptMs?: number;
  /** How long all requests for one stretch of sound may take, with the waits between. */
  deadlineMs?: number;
  /** How often a request that failed in passing is sent again. */
  retriesMax?: number;
  /** The wait before the first of them; it doubles. */
  backoffMs?: number;
  traces?: Pick<Traces, "isOn" | "begin" | "within">;
}

/** Longer answers are dropped unread: the words of an hour need a tenth of it. */
export const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;

/** Services refuse sound of less than 100 ms; shorter sound is filled up with silence. */
const SAMPLES_MIN = ENGINE_RATE_HZ / 8;

const WAV_HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;

type Format = "verbose_json" | "json";

/** The service answered that it does not take this request. */
class Refused extends ServiceFailed {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message, false);
  }
}

/**
 * Any service that speaks OpenAI's `POST /audio/transcriptions`. Words come with their times where
 * the service knows `verbose_json`. Nothing is sent before the first sound.
 *
 * Retries: 429 (after as long as it says), 408, 5xx, timeouts and broken connections. What it throws
 * is always a `ServiceFailed` without keys, addresses or words of the service.
 */
export function openOpenAi(source: OpenAiSource, options: OpenAiOptions = {}): OneShotEngine {
  const {
    attemptMs = 30_000,
    deadlineMs = 60_000,
    retriesMax = 2,
    backoffMs = 500,
    traces = NO_TRACES,
  } = options;
  let client: OpenAI | null = null;
  /** What this service takes; found out with the first sound. */
  let format: Format = "verbose_json";

  async function post(
    wav: Uint8Array<ArrayBuffer>,
    language: string | null,
    asked: Format,
    signal: AbortSignal,
  ): Promise<unknown> {
    client ??= createOpenAi(source, tracedFetch(traces, fetchBounded));
    return client.audio.transcriptions.create(
      {
        file: new File([wav], "sound.wav", { type: "audio/wav" }),
        model: source.model,
        response_format: asked,
        ...(asked === "verbose_json" ? { timestamp_granularities: ["word"] } : {}),
        ...(language === null ? {} : { language: languageCode(language) }),
      },
      // The signal bounds the whole answer; the client's own timeout only what comes before it.
      { signal, timeout: 2 * attemptMs },
    );
  }

  async function ask(
    send: (signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal,
    untilMs: number,
  ): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      const leftMs = untilMs - performance.now();
      const allowedMs = Math.max(1, Math.min(attemptMs, leftMs));
      const timeout = AbortSignal.timeout(allowedMs);
      let failure: ServiceFailed;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other is the point
        return await send(AbortSignal.any([signal, timeout]));
      } catch (error) {
        if (signal.aborted) throw givenUp();
        failure = timeout.aborted ? late(allowedMs) : failureOf(error);
      }
      const waitMs = failure.retryAfterMs ?? backoffMs * 2 ** attempt * (0.75 + Math.random() / 2);
      const hasTime = performance.now() + waitMs < untilMs;
      if (!failure.isPassing || attempt >= retriesMax || !hasTime) throw failure;
      // oxlint-disable-next-line no-await-in-loop
      await sleep(waitMs, undefined, { signal }).catch(() => {
        throw givenUp();
      });
    }
  }

  return {
    kind: "one-shot",
    transcribe: async (samples, language, signal): Promise<Heard> => {
      if (signal.aborted) throw givenUp();
      const wav = wavOf(samples);
      const untilMs = performance.now() + deadlineMs;
      const asked = format;
      let answer: unknown;
      try {
        answer = await ask((one) => post(wav, language, asked, one), signal, untilMs);
      } catch (error) {
        const mayBeFormat = error instanceof Refused && [400, 422].includes(error.status);
        if (asked === "json" || !mayBeFormat) throw error;
        answer = await ask((one) => post(wav, language, "json", one), signal, untilMs);
        format = "json";
      }
      try {
        return heardOf(answer, (samples.length * 1000) / ENGINE_RATE_HZ);
      } catch (error) {
        throw failureOf(error);
      }
    },
  };
}

/** Fetches answers up to a size, and of failures nothing but the status and the headers. */
async function fetchBounded(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(input, init);
  const { status, headers } = response;
  if (!response.ok) {
    await response.body?.cancel();
    return new Response(null, { status: Math.max(status, 300), headers });
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > RESPONSE_BYTES_MAX) throw new AnswerUnusable("it is too long");
    chunks.push(chunk);
  }
  // Whatever type it claims to be of, it is to be JSON.
  return new Response(Buffer.concat(chunks), {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** What a client may know of a failure. */
function failureOf(error: unknown): ServiceFailed {
  if (isConnectionError(error)) {
    if (error.cause instanceof AnswerUnusable) return unusable();
    return new ServiceFailed("the speech service cannot be reached", true);
  }
  if (!isApiError(error) || error.status === undefined) return unusable();
  const { status } = error;
  switch (status) {
    case 401:
      return new Refused("the speech service refused the key (401)", status);
    case 403:
      return new Refused("the speech service does not allow this (403)", status);
    case 404:
      return new Refused("the speech service has no such address or model (404)", status);
    case 429: {
      const waitMs = retryAfterMs(error.headers);
      return new ServiceFailed("the speech service is over its limit (429)", true, waitMs);
    }
    default:
  }
  if (status === 408 || status >= 500) {
    const waitMs = retryAfterMs(error.headers);
    return new ServiceFailed(`the speech service failed (${status})`, true, waitMs);
  }
  return new Refused(`the speech service refused the request (${status})`, status);
}

function late(ms: number): ServiceFailed {
  const seconds = Math.max(0.1, Math.round(ms / 100) / 10);
  return new ServiceFailed(`the speech service did not answer in ${seconds} s`, true);
}

function unusable(): ServiceFailed {
  return new ServiceFailed("the speech service gave no usable answer", false);
}

function givenUp(): ServiceFailed {
  return new ServiceFailed("nobody waits for these words any more", true);
}

/** A WAV file of 16 kHz, mono, 16 bits (Multimedia Programming Interface 1.0, 1991). */
function wavOf(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const dataBytes = Math.max(samples.length, SAMPLES_MIN) * BYTES_PER_SAMPLE;
  const file = new Uint8Array(WAV_HEADER_BYTES + dataBytes);
  const view = new DataView(file.buffer);
  const text = new TextEncoder();
  file.set(text.encode("RIFF"), 0);
  view.setUint32(4, file.length - 8, true);
  file.set(text.encode("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, ENGINE_RATE_HZ, true);
  view.setUint32(28, ENGINE_RATE_HZ * BYTES_PER_SAMPLE, true);
  view.setUint16(32, BYTES_PER_SAMPLE, true);
  view.setUint16(34, BYTES_PER_SAMPLE * 8, true);
  file.set(text.encode("data"), 36);
  view.setUint32(40, dataBytes, true);
  const pcm = toPcm16(samples);
  file.set(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength), WAV_HEADER_BYTES);
  return file;
}
