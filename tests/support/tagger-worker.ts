import type { SharedModel } from "../../src/text/entities/model.ts";
import { loadTagger } from "../../src/text/entities/tagger.ts";

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ shared: SharedModel; tokens: string[] }>) => {
  self.postMessage(loadTagger(data.shared).tag(data.tokens));
};
