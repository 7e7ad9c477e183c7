// The worker threads of the program. They are started from this folder because a compiled binary
// finds its workers relative to its entry, src/main.ts.

export function spawnSpeechWorker(): Worker {
  return new Worker(new URL("./speech/worker.ts", import.meta.url), { name: "speech" });
}

export function spawnTextWorker(): Worker {
  return new Worker(new URL("./text/worker.ts", import.meta.url), { name: "text" });
}

export function spawnSearchWorker(): Worker {
  return new Worker(new URL("./features/transcription/search.worker.ts", import.meta.url), {
    name: "search",
  });
}
