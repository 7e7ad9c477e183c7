import { serveJobs } from "../platform/worker-side.ts";
import { createEntityFinder } from "./entities/finder.ts";
import { loadTagger } from "./entities/tagger.ts";
import { createTextProcessor } from "./pipeline.ts";
import type { SharedModels, TextWork, TextAnswer } from "./texts.ts";
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
  serveJobs<TextWork, TextAnswer>((work) =>
    "topicsOf" in work
      ? { topics: findTopics(work.topicsOf) }
      : processText(work).then((processed) => ({ processed })),
  );
}
