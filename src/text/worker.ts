import { serveJobs } from "../platform/worker-side.ts";
import { createEntityFinder } from "./entities/finder.ts";
import { readShippedModel } from "./entities/shipped.ts";
import { loadTagger } from "./entities/tagger.ts";
import { createTextProcessor } from "./pipeline.ts";

const finder = createEntityFinder({
  en: loadTagger(await readShippedModel("en")),
  hi: loadTagger(await readShippedModel("hi")),
});
serveJobs(createTextProcessor(finder));
