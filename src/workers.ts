import type { SharedModels } from "./text/texts.ts";

// The worker threads of the program. They are started from this folder because a compiled binary
// finds its workers relative to its entry, src/main.ts.

export function spawnSpeechWorker(): Worker {
  return new Worker(new URL("./speech/worker.ts", import.meta.url), { name: "speech" });
}

export function spawnTextWorker(models: SharedModels): Worker {
  const worker = new Worker(new URL("./text/worker.ts", import.meta.url), { name: "text" });
  worker.postMessage(models);
  return worker;
}

export function spawnReadingWorker(): Worker {
  return new Worker(new URL("./reading.worker.ts", import.meta.url), { name: "reading" });
}
