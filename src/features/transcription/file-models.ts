import { Problem } from "../../http/problem.ts";
import { Refusal } from "../../realtime/refusal.ts";
import type { EngineInfo } from "../../speech/engine.ts";
import type { Recognition } from "../../speech/recognition.ts";
import type { Languages } from "./languages.ts";
import { wrongField } from "./uploads.ts";

/** What listens here, under the names that clients of OpenAI's use. */
export interface FileModels {
  /** Each model once, the preferred ones first. */
  all(): readonly EngineInfo[];
  /** Throws `not_found`. */
  get(id: string): EngineInfo;
  /**
   * The language to recognise with, so that the model listens. Throws `not_found` for the model,
   * `invalid` for the language, `upstream_failed` when nothing listens here.
   */
  languageFor(id: string, language: string): string;
}

/** Names that mean whatever listens here: clients have them built in. */
const ALIASES = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"];
const AUTO = "auto";

export function createFileModels(
  recognition: Recognition | null,
  languages: Languages,
): FileModels {
  const models = recognition?.models ?? [];
  const all = models.filter(
    ({ model }, at) => models.findIndex((other) => other.model === model) === at,
  );

  const get = (id: string): EngineInfo => {
    const found = all.find(({ model }) => model === id) ?? (ALIASES.includes(id) ? all[0] : null);
    if (found != null) return found;
    const names = [...all.map(({ model }) => model), ...ALIASES].join(", ");
    throw new Problem("not_found", `There is no such model here; there is ${names}`, {
      errors: [{ path: "/model", message: "is not here" }],
    });
  };

  const isListening = (info: EngineInfo, language: string): boolean =>
    recognition?.modelFor(language)?.model === info.model;

  return {
    all: () => all,
    get,
    languageFor: (id, language) => {
      if (recognition === null || all.length === 0) throw noEngine();
      const info = get(id);
      if (language !== AUTO) checkLanguage(languages, language);
      if (ALIASES.includes(id)) return language;
      if (language === AUTO) {
        const own = info.languages.find((one) => isListening(info, one));
        return isListening(info, AUTO) ? AUTO : (own ?? AUTO);
      }
      if (info.languages.length > 0 && !info.languages.includes(language)) {
        throw wrongField("language", `That model knows ${info.languages.join(", ")} only`);
      }
      return language;
    },
  };
}

function checkLanguage(languages: Languages, language: string): void {
  try {
    languages.check(language);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw wrongField("language", error.message);
  }
}

function noEngine(): Problem {
  return new Problem(
    "upstream_failed",
    "No speech engine is installed here; `earshot models list` shows what there is",
    { status: 503 },
  );
}
