import { deflateSync } from "node:zlib";
import { type Problem, statusOf } from "../../http/problem.ts";
import type { FileSegment, FileWords } from "../../speech/recognise-file.ts";
import { WHISPER_LANGUAGES, languageCode } from "../../speech/whisper-languages.ts";
import { srtOf, vttOf } from "../../text/subtitles.ts";
import { timesOf } from "../../text/word-times.ts";
import type { FileWishes } from "./file-wishes.ts";

/** The words of a file, and what is known of their language when no segment tells its own. */
export interface Recognised extends FileWords {
  language: string | null;
}

/** OpenAI's `error`, a member of the problem details: their clients show its message. */
export interface OpenAiError {
  message: string;
  type: "invalid_request_error" | "server_error";
  code: string;
  /** The field that is wrong. */
  param: string | null;
}

/** Confidences are raised to this before their logarithm is taken. */
const CONFIDENCE_MIN = 1e-6;
/** Whisper counts in hundredths of a second. */
const SEEK_MS = 10;

/** The whole answer in the format that was asked for. */
export function fileAnswer(wishes: FileWishes, words: Recognised): Response {
  switch (wishes.format) {
    case "json":
      return Response.json({ text: textOf(words.segments), usage: usageOf(words) });
    case "verbose_json":
      return Response.json(verbose(wishes, words));
    case "text":
      return plain(textOf(words.segments), "text/plain");
    case "srt":
      return plain(srtOf(words.segments), "application/x-subrip");
    case "vtt":
      return plain(vttOf(words.segments), "text/vtt");
  }
}

/** The texts of all utterances, a space between them. */
function textOf(segments: readonly FileSegment[]): string {
  let text = "";
  for (const segment of segments) text += deltaOf(segment, text === "");
  return text;
}

/** What an utterance adds to the text. */
export function deltaOf({ text }: FileSegment, isFirst: boolean): string {
  const said = text.trim();
  return said === "" || isFirst ? said : ` ${said}`;
}

/** The event that ends a stream. */
export function doneEvent(words: FileWords): object {
  return { type: "transcript.text.done", text: textOf(words.segments), usage: usageOf(words) };
}

/** A problem as their clients understand it. */
export function openAiError(problem: Problem): OpenAiError {
  const { code, message, extras } = problem;
  const param = extras.errors?.[0]?.path.slice(1) ?? null;
  return {
    message,
    type: statusOf(problem) < 500 ? "invalid_request_error" : "server_error",
    code: code === "not_found" && param === "model" ? "model_not_found" : code,
    param,
  };
}

function usageOf({ durationMs }: FileWords): object {
  return { type: "duration", seconds: durationMs / 1000 };
}

function verbose(wishes: FileWishes, words: Recognised): object {
  const segments = words.segments.filter(({ text }) => text.trim() !== "");
  return {
    task: "transcribe",
    language: languageName(languageOf(words)),
    duration: words.durationMs / 1000,
    text: textOf(segments),
    ...(wishes.hasSegments
      ? { segments: segments.map((segment, id) => told(segment, id, wishes.temperature)) }
      : {}),
    ...(wishes.hasWords ? { words: segments.flatMap(wordsOf) } : {}),
    usage: usageOf(words),
  };
}

function told(segment: FileSegment, id: number, temperature: number): object {
  const { startMs, endMs } = segment;
  // As theirs: each begins with the space that stands before it.
  const text = deltaOf(segment, false);
  const bytes = Buffer.from(text);
  return {
    id,
    seek: Math.round(startMs / SEEK_MS),
    start: startMs / 1000,
    end: endMs / 1000,
    text,
    tokens: [],
    temperature,
    avg_logprob: logProbability(segment),
    compression_ratio: bytes.length / deflateSync(bytes).length,
    no_speech_prob: 0,
  };
}

/** The mean over the words whose confidence is known; 0 when none is. */
function logProbability({ words }: FileSegment): number {
  let sum = 0;
  let count = 0;
  for (const { confidence } of words) {
    if (confidence === null) continue;
    sum += Math.log(Math.max(confidence, CONFIDENCE_MIN));
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** The recogniser's words; where it has no times, each takes a share of its utterance. */
function wordsOf({ text, startMs, endMs, words }: FileSegment): object[] {
  const tell = (word: string, from: number, to: number): object => ({
    word,
    start: from / 1000,
    end: to / 1000,
  });
  if (words.length > 0) return words.map((one) => tell(one.word, one.startMs, one.endMs));
  const texts = text.match(/\S+/gu) ?? [];
  return timesOf(texts, [], startMs, endMs).map((time, at) =>
    tell(texts[at] ?? "", time.startMs, time.endMs),
  );
}

/** The language of most of the text. */
function languageOf({ segments, language }: Recognised): string {
  const lengths = new Map<string, number>();
  for (const { language: own, text } of segments) {
    if (own !== null) lengths.set(own, (lengths.get(own) ?? 0) + text.length);
  }
  const [longest] = [...lengths].sort(([, a], [, b]) => b - a);
  if (longest !== undefined) return longest[0];
  if (language !== null) return language;
  return /\p{Script=Devanagari}/u.test(textOf(segments)) ? "hi" : "en";
}

/** `english` of `en`; a code that nobody knows stays as it is. */
function languageName(tag: string): string {
  const code = languageCode(tag);
  if (!WHISPER_LANGUAGES.includes(code)) return code;
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  return names.of(code)?.toLowerCase() ?? code;
}

function plain(text: string, type: string): Response {
  return new Response(text, { headers: { "content-type": `${type}; charset=utf-8` } });
}
