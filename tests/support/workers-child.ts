// What the built program loads before its own, when a test looks after its workers.

import { existsSync, rmSync } from "node:fs";
import { ENDING_FILE, LOOK_EVERY_MS, type WorkerWishes, watchWorkers } from "./workers.ts";

const { WATCHED_WORKERS, WATCHED_REPLACEMENT } = process.env;
const started: Worker[] = [];

watchWorkers(
  {
    name: WATCHED_WORKERS as WorkerWishes["name"],
    ...(WATCHED_REPLACEMENT !== undefined && { replacement: new URL(WATCHED_REPLACEMENT) }),
  },
  started,
);

setInterval(() => {
  if (!existsSync(ENDING_FILE)) return;
  started.at(-1)?.terminate();
  rmSync(ENDING_FILE);
}, LOOK_EVERY_MS).unref();
