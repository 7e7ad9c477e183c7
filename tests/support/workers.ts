import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../../src/environment.ts";

/** Which worker threads a test looks after, and what runs in them instead of the program's own. */
export interface WorkerWishes {
  name: "speech" | "text";
  replacement?: URL;
}

// The built program loads this file as well, so it imports nothing of the house.

export const LOOK_EVERY_MS = 5;
const PRELOADED = new URL("./workers-child.ts", import.meta.url).pathname;
/** In the folder that the built program was started in: the youngest worker is to be ended. */
export const ENDING_FILE = "end-worker";

/** From now on workers are started as wished; those of that name are put into `started`. */
export function watchWorkers({ name, replacement }: WorkerWishes, started: Worker[]): void {
  const Current = globalThis.Worker;
  globalThis.Worker = class extends Current {
    constructor(url: string | URL, options?: WorkerOptions) {
      const isWatched = options?.name === name;
      super(isWatched && replacement !== undefined ? replacement : url, options);
      if (isWatched) started.push(this);
    }
  };
}

/** What the built program is started with, so that it watches its workers itself. */
export function watchedBuilt({ name, replacement }: WorkerWishes): Environment {
  return {
    BUN_OPTIONS: `--preload=${PRELOADED}`,
    WATCHED_WORKERS: name,
    WATCHED_REPLACEMENT: replacement?.href,
  };
}

/** Ends the youngest watched worker of a built program. */
export async function endBuiltWorker(folder: string): Promise<void> {
  const path = join(folder, ENDING_FILE);
  writeFileSync(path, "");
  while (existsSync(path)) await Bun.sleep(LOOK_EVERY_MS);
}
