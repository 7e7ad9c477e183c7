import { serveJobs } from "../platform/worker-side.ts";
import { createEntityFinder } from "./entities/finder.ts";
import { loadTagger } from "./entities/tagger.ts";
import { createTextProcessor } from "./pipeline.ts";
import type { SharedModels, TextWork, TextAnswer } from "./texts.ts";
import { createSummariser } from "./summary.ts";
import { createTopicFinder } from "./topics.ts";

declare const self: Worker;

// The first message brings the models, which all text workers read from the same memory.
self.addEventListener("message", ({ data }: MessageEvent<SharedModels>) => start(data), {
  once: true,
});

function start(models: SharedModels): void {
  const findEntities = createEntityFinder({
    en: loadTagger(models.en),
    hi: loadTagger(models.hi),
  });
  const processText = createTextProcessor(findEntities);
  const findTopics = createTopicFinder(findEntities);
  const summariser = createSummariser();
  serveJobs<TextWork, TextAnswer>((work) => {
    if ("topicsOf" in work) return { topics: findTopics(work.topicsOf) };
    if ("summaryOf" in work) {
      return summariser.work(work.summaryOf).then((sentences) => ({ sentences }));
    }
    return processText(work).then((processed) => ({ processed }));
  });
}
