import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../platform/log.ts";
import { EngineMissing } from "./engine-missing.ts";
import { type InstalledModel, listInstalled, looksLikeModel } from "./models/installed.ts";
import type { SpeechModel } from "./recognition.ts";
import { describeSherpaModel, SherpaModelBroken } from "./sherpa-models.ts";
import { locateSherpa } from "./sherpa.ts";
import { locateVosk } from "./vosk.ts";

export interface InstalledDependencies {
  modelsDir: string;
  /** The names of those that count; null for all. */
  names: readonly string[] | null;
  /** Of which engines; null for all. */
  engine: "sherpa" | "vosk" | null;
  log: Log;
}

/** Without any of these the engine does not start, and nobody would be heard by other models either. */
const VOSK_FILES = ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph"];
/** Taken for a model's languages when neither it nor its name tells them. */
const LANGUAGES_GUESSED = ["en"];

/**
 * The models that were pulled or put into `modelsDir`, those that tell words while they are spoken
 * first. A model that cannot be used is passed over with a warning, but one that was named throws
 * `EngineMissing`.
 */
export function installedModels(dependencies: InstalledDependencies): SpeechModel[] {
  const { modelsDir, names, engine, log } = dependencies;
  const there = listInstalled(modelsDir).filter(({ folder }) => looksLikeModel(folder));
  for (const name of names ?? []) {
    if (there.some((model) => model.name === name)) continue;
    throw new EngineMissing(
      `SPEECH_MODEL: there is no model ${JSON.stringify(name)} in ${modelsDir}; see \`earshot models list\``,
    );
  }
  const usable = there
    .filter(({ name }) => names === null || names.includes(name))
    .flatMap((installed) => {
      try {
        const found =
          engineOf(installed) === "vosk" ? voskModel(installed) : sherpaModel(installed);
        return engine === null || found.model.info.engine === engine ? [found] : [];
      } catch (error) {
        const isBroken = error instanceof SherpaModelBroken || error instanceof EngineMissing;
        if (!isBroken) throw error;
        if (names !== null) throw new EngineMissing(error.message);
        log.warn({ model: installed.name, reason: error.message }, "a model cannot be used");
        return [];
      }
    });
  const along = usable.filter(({ isStreaming }) => isStreaming);
  const rest = usable.filter(({ isStreaming }) => !isStreaming);
  return [...along, ...rest].map(({ model }) => model);
}

interface Usable {
  model: SpeechModel;
  isStreaming: boolean;
}

function engineOf({ folder, manifest }: InstalledModel): "sherpa" | "vosk" {
  if (manifest !== null) return manifest.engine;
  const isVosk = ["am/final.mdl", "final.mdl"].some((file) => existsSync(join(folder, file)));
  return isVosk ? "vosk" : "sherpa";
}

function sherpaModel({ name, folder, manifest }: InstalledModel): Usable {
  if (locateSherpa() === null) {
    throw new EngineMissing(`${name} needs the optional package sherpa-onnx-node`);
  }
  const { isStreaming, takesLanguage, modelConfig, featureConfig, languages } =
    describeSherpaModel(folder);
  const known = manifest?.languages ?? languages ?? LANGUAGES_GUESSED;
  return {
    isStreaming,
    model: {
      source: { engine: "sherpa", isStreaming, takesLanguage, modelConfig, featureConfig },
      info: { engine: "sherpa", model: name, languages: known },
    },
  };
}

function voskModel({ name, folder, manifest }: InstalledModel): Usable {
  const bundled = locateVosk(dirname(folder));
  if (bundled === null) throw new EngineMissing(`${name} needs the optional package vosk`);
  const missing = VOSK_FILES.find((file) => !existsSync(join(folder, file)));
  if (missing !== undefined) throw new EngineMissing(`${folder} has no ${missing}`);
  const named = /-(en|hi)-/.exec(`${name}-`)?.[1];
  const languages = manifest?.languages ?? (named === undefined ? LANGUAGES_GUESSED : [named]);
  return {
    isStreaming: true,
    model: {
      source: { ...bundled, modelPath: folder },
      info: { engine: "vosk", model: name, languages },
    },
  };
}
