// A text worker that finds what a text tells it to find, a line each, and fails where it says so.

import { existsSync } from "node:fs";
import { serveJobs } from "../../src/platform/worker-side.ts";
import type { Entity, EntityFinder } from "../../src/text/entities/finder.ts";
import { ENTITY_LABELS } from "../../src/text/entities/labels.ts";
import { createTextProcessor } from "../../src/text/pipeline.ts";
import type { TextAnswer, TextWork } from "../../src/text/texts.ts";
import { createTopicFinder } from "../../src/text/topics.ts";

declare const self: Worker;

const LOOK_EVERY_MS = 2;
const thrown = new Set<string>();

/** `PER a name`, `ORG …` and `LOC …` are entities. */
const findEntities: EntityFinder = (text) =>
  text.split("\n").flatMap((line): Entity[] => {
    const label = ENTITY_LABELS.find((each) => line.startsWith(`${each} `));
    const name = line.slice("PER ".length);
    return label === undefined ? [] : [{ text: name, label, start: 0, end: name.length }];
  });

const COMMANDS: Record<string, (argument: string, text: string) => void> = {
  throw: (message) => {
    throw new Error(message);
  },
  "throw-once": (message, text) => {
    if (thrown.has(text)) return;
    thrown.add(text);
    throw new Error(message);
  },
  exit: () => process.exit(3),
  hang: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  /** Waits until there is a file. */
  gate: (path) => {
    while (!existsSync(path)) Bun.sleepSync(LOOK_EVERY_MS);
  },
};

function obey(text: string): void {
  for (const line of text.split("\n")) {
    const [command = "", argument = ""] = line.split(/ (.*)/s);
    COMMANDS[command]?.(argument, text);
  }
}

// The first message brings the models, which are not needed here.
self.addEventListener(
  "message",
  () => {
    const findTopics = createTopicFinder(findEntities);
    const processText = createTextProcessor(findEntities);
    serveJobs<TextWork, TextAnswer>((work) => {
      if ("summaryOf" in work) throw new Error("nobody asks this worker for summaries");
      if (!("topicsOf" in work)) return processText(work).then((processed) => ({ processed }));
      obey(work.topicsOf);
      return { topics: findTopics(work.topicsOf) };
    });
  },
  { once: true },
);
