import type { FoundLanguage } from "./finder.ts";
import type { TrainingOptions } from "./training.ts";

/** What was found to train best, by leaving one whole set out and testing on it. */
export function trainingOptionsFor(language: FoundLanguage): TrainingOptions {
  // Hindi has no capitals to take away.
  const hasCase = language === "en";
  return {
    epochs: hasCase ? 6 : 8,
    tableBits: 18,
    lowerShare: hasCase ? 0.35 : 0,
    upperShare: hasCase ? 0.08 : 0,
    titleShare: hasCase ? 0.05 : 0,
    hiddenShare: 0.1,
    featureCountMin: 2,
    rate: 0.05,
    entityMargin: 1,
    seed: 1,
  };
}
