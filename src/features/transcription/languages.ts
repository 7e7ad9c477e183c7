import { Refusal } from "../../realtime/refusal.ts";
import type { EngineInfo } from "../../speech/engine.ts";
import type { Recognition } from "../../speech/recognition.ts";

/** Which languages' sound is recognised here. */
export interface Languages {
  /** Returns the language. Throws `unsupported_language`, saying what there is and what would help. */
  check(language: string): string;
  knows(language: string): boolean;
}

/** `advise` names what could be installed for a language; empty for nothing. */
export function createLanguages(
  recognition: Recognition | null,
  advise: (language: string) => string[],
): Languages {
  const knows = (language: string): boolean => recognition?.modelFor(language) != null;
  return {
    knows,
    check: (language) => {
      if (knows(language)) return language;
      const advice = advise(language);
      const help =
        advice.length === 0 ? "" : `; \`earshot models pull ${advice[0]}\` would bring it`;
      throw new Refusal(
        "unsupported_language",
        `no engine here knows ${language}: ${describe(recognition?.models ?? [])}${help}`,
      );
    },
  };
}

function describe(models: readonly EngineInfo[]): string {
  if (models.length === 0) return "there is no speech engine";
  const known = models.map(
    ({ engine, model, languages }) => `${engine} ${model} (${languages.join(", ")})`,
  );
  return `there is ${known.join(" and ")}`;
}
