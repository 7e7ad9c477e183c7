import { Problem } from "../../http/problem.ts";
import { codeOfLanguage, languageCode } from "../../speech/whisper-languages.ts";
import { wrongField } from "./uploads.ts";

export const ANSWER_FORMATS = ["json", "text", "srt", "verbose_json", "vtt"] as const;
export type AnswerFormat = (typeof ANSWER_FORMATS)[number];

/** What the fields of a form ask for. */
export interface FileWishes {
  model: string;
  /** A language's code, or `auto`. */
  language: string;
  format: AnswerFormat;
  temperature: number;
  hasSegments: boolean;
  hasWords: boolean;
  isStreamed: boolean;
}

const GRANULARITIES = ["word", "segment"];
/** Clients write lists in each of these ways. */
const GRANULARITY_FIELD = /^timestamp_granularities(\[\d*\])?$/;
/** Formats whose beginning can be told before the end is known. */
const STREAMED_FORMATS: readonly AnswerFormat[] = ["json", "text"];

/**
 * Reads the fields as OpenAI's service does; those it does not know have no effect, because clients
 * send new ones all the time. Throws `invalid`, naming the field.
 */
export function wishesOf(fields: ReadonlyMap<string, readonly string[]>): FileWishes {
  const one = (name: string): string => fields.get(name)?.[0]?.trim() ?? "";
  const model = one("model");
  if (model === "")
    throw wrongField("model", "`model` is needed; GET /v1/models names what is here");
  const format = formatOf(one("response_format"));
  const granularities = granularitiesOf(fields);
  const isStreamed = truthOf(one("stream"));
  if (granularities.length > 0 && format !== "verbose_json") {
    throw wrongField(
      "timestamp_granularities",
      "`timestamp_granularities[]` goes with the response_format verbose_json only",
    );
  }
  if (isStreamed && !STREAMED_FORMATS.includes(format)) {
    throw wrongField("stream", `\`stream\` goes with ${STREAMED_FORMATS.join(" or ")} only`);
  }
  return {
    model,
    language: languageOf(one("language")),
    format,
    temperature: temperatureOf(one("temperature")),
    hasSegments: granularities.length === 0 || granularities.includes("segment"),
    hasWords: granularities.includes("word"),
    isStreamed,
  };
}

function formatOf(text: string): AnswerFormat {
  if (text === "") return "json";
  const format = ANSWER_FORMATS.find((one) => one === text);
  if (format !== undefined) return format;
  throw wrongField("response_format", `\`response_format\` is one of ${ANSWER_FORMATS.join(", ")}`);
}

function granularitiesOf(fields: ReadonlyMap<string, readonly string[]>): string[] {
  const values = [...fields].flatMap(([name, list]) => (GRANULARITY_FIELD.test(name) ? list : []));
  if (values.every((value) => GRANULARITIES.includes(value))) return values;
  throw wrongField(
    "timestamp_granularities",
    `\`timestamp_granularities[]\` is any of ${GRANULARITIES.join(", ")}`,
  );
}

function temperatureOf(text: string): number {
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  throw wrongField("temperature", "`temperature` is a number from 0 to 1");
}

function truthOf(text: string): boolean {
  switch (text.toLowerCase()) {
    case "":
    case "0":
    case "false":
      return false;
    case "1":
    case "true":
      return true;
    default:
      throw wrongField("stream", "`stream` is true or false");
  }
}

/** Codes, tags (`en-US`) and English names are understood. */
function languageOf(text: string): string {
  if (text === "" || text.toLowerCase() === "auto") return "auto";
  const code = codeOfLanguage(text) ?? languageCode(text);
  if (/^[a-z]{2,3}$/.test(code)) return code;
  throw new Problem("invalid", "`language` is a code of ISO 639-1, such as en", {
    errors: [{ path: "/language", message: "is not a code of ISO 639-1" }],
  });
}
