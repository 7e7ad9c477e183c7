import type { Environment } from "../../src/environment.ts";
import type { TestApp } from "./app.ts";
import { startHearingApp } from "./speaker.ts";

/** Starts the app with one recogniser, and gives the workers that are started for it by then. */
export async function startWatchedApp(
  settings: Environment = {},
): Promise<{ app: TestApp; speechWorkers: Worker[] }> {
  const Plain = globalThis.Worker;
  const speechWorkers: Worker[] = [];
  globalThis.Worker = class extends Plain {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      if (options?.name === "speech") speechWorkers.push(this);
    }
  };
  try {
    return { app: await startHearingApp({ SPEECH_WORKERS: "1", ...settings }), speechWorkers };
  } finally {
    globalThis.Worker = Plain;
  }
}
