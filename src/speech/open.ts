import type { Config } from "../config.ts";
import type { Log } from "../platform/log.ts";
import { EngineMissing } from "./engine-missing.ts";
import { installedModels } from "./installed.ts";
import { type Recognition, type SpeechModel, createRecognition } from "./recognition.ts";
import { VOSK_INFO, locateVosk } from "./vosk.ts";

export interface SpeechSettings {
  /** `auto` does without where nothing is installed. */
  engine: "auto" | "vosk" | "sherpa" | "openai" | "none";
  /** Which installed models; null for all. */
  models: readonly string[] | null;
  modelsDir: string;
  workers: number;
  /** An OpenAI-compatible service; null for none. */
  service: {
    baseUrl: string | null;
    apiKey: string | null;
    model: string;
    isTraced: boolean;
  } | null;
}

export interface OpenRecognitionDependencies {
  settings: SpeechSettings;
  /** The languages that people are served in. */
  languages: readonly string[];
  spawn(): Worker;
  log: Log;
}

/**
 * The recogniser that the settings ask for and this machine has; null for none. Throws
 * `EngineMissing` when what was asked for by name is not here.
 */
export function openRecognition(dependencies: OpenRecognitionDependencies): Recognition | null {
  const { settings, languages, spawn, log } = dependencies;
  if (settings.engine === "none") return null;
  const models = bestFor(languages, modelsFor(settings, log));
  if (models.length > 0) {
    return createRecognition({ spawn, workers: settings.workers, models, log });
  }
  if (settings.engine !== "auto") throw new EngineMissing(missing(settings));
  log.warn({}, "no speech engine is installed: sound is not transcribed, all else works");
  return null;
}

/** What there is, the preferred ones first. */
function modelsFor(settings: SpeechSettings, log: Log): SpeechModel[] {
  const { engine, models: names, modelsDir } = settings;
  const installed = (kind: "sherpa" | "vosk" | null): SpeechModel[] =>
    installedModels({ modelsDir, names, engine: kind, log });
  switch (engine) {
    case "none":
      return [];
    case "sherpa":
      return installed("sherpa");
    case "openai":
      return service(settings);
    case "vosk":
      return names === null ? [...installed("vosk"), ...bundled(modelsDir)] : installed("vosk");
    case "auto":
      return [...installed(null), ...service(settings), ...bundled(modelsDir)];
  }
}

function bundled(modelsDir: string): SpeechModel[] {
  const source = locateVosk(modelsDir);
  return source === null ? [] : [{ source, info: VOSK_INFO }];
}

/** It may know any language. */
function service({ service }: SpeechSettings): SpeechModel[] {
  if (service === null) return [];
  const info = { engine: "openai", model: service.model, languages: [] };
  return [{ source: { engine: "openai", ...service }, info }];
}

/** The first that knows each language; the others would only take memory. */
function bestFor(languages: readonly string[], models: readonly SpeechModel[]): SpeechModel[] {
  const best = languages.map((language) =>
    models.find(({ info }) => info.languages.length === 0 || info.languages.includes(language)),
  );
  return models.filter((model) => best.includes(model));
}

function missing({ engine, modelsDir }: SpeechSettings): string {
  switch (engine) {
    case "openai":
      return "SPEECH_ENGINE=openai needs OPENAI_API_KEY or OPENAI_BASE_URL";
    case "sherpa":
      return `SPEECH_ENGINE=sherpa, but there is no model of it in ${modelsDir}; see \`earshot models list\``;
    default:
      return `SPEECH_ENGINE=${engine}, but its optional packages are not installed here`;
  }
}

/** What of the settings the recognisers need. */
export function speechSettings(config: Config): SpeechSettings {
  const { openAi } = config;
  return {
    engine: config.speechEngine,
    models: config.speechModels,
    modelsDir: config.modelsDir,
    workers: config.speechWorkers,
    service:
      openAi === null
        ? null
        : { ...openAi, model: openAi.speechModel, isTraced: config.traces !== null },
  };
}
