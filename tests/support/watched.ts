import type { Environment } from "../../src/environment.ts";
import type { TestApp } from "./app.ts";
import { isBuilt } from "./server.ts";
import { startHearingApp } from "./speaker.ts";
import { type WorkerWishes, endBuiltWorker, watchWorkers, watchedBuilt } from "./workers.ts";

const WISHES: WorkerWishes = { name: "speech" };

/** Starts the app with one recogniser, and can end the worker that was started for it. */
export async function startWatchedApp(
  settings: Environment = {},
): Promise<{ app: TestApp; endWorker: () => Promise<void> }> {
  const wanted = { SPEECH_WORKERS: "1", ...settings };
  if (isBuilt) {
    const app = await startHearingApp({ ...wanted, ...watchedBuilt(WISHES) });
    return { app, endWorker: () => endBuiltWorker(app.folder) };
  }
  const Plain = globalThis.Worker;
  const started: Worker[] = [];
  watchWorkers(WISHES, started);
  try {
    const app = await startHearingApp(wanted);
    return { app, endWorker: async () => started.at(-1)?.terminate() };
  } finally {
    globalThis.Worker = Plain;
  }
}
