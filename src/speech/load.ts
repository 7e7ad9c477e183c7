import { tellSpans } from "../platform/traces.worker.ts";
import type { Engine, EngineSource } from "./engine.ts";
import { openOpenAi } from "./openai.ts";
import { openSherpa } from "./sherpa.ts";
import { loadVoskModel, openVosk, prepareVosk } from "./vosk.ts";

export interface LoadedModel {
  engine: Engine;
  /** Where it is in memory, for the other workers of the process to share; null where each has its own. */
  address: number | null;
}

/** Loads what a source names. `address` is where another worker has loaded it already. */
export async function loadEngine(
  source: EngineSource,
  address: number | null = null,
): Promise<LoadedModel> {
  switch (source.engine) {
    case "vosk": {
      await prepareVosk(source);
      const model = address ?? loadVoskModel(source);
      return { engine: openVosk(source, model), address: model };
    }
    case "sherpa":
      return { engine: openSherpa(source), address: null };
    case "openai":
      return {
        engine: openOpenAi(source, source.isTraced === true ? { traces: tellSpans() } : {}),
        address: null,
      };
  }
}
