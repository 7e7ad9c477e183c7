import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { type Environment } from "../../src/environment.ts";
import { createLog } from "../../src/platform/log.ts";

/** The real app on a free port, with a database of its own. */
export interface TestApp extends App {
  wsUrl: string;
  /** Every line of the log so far. */
  lines: string[];
  folder: string;
}

/** What tests that need no speech run with: quick to start. */
export const QUIET: Environment = { SPEECH_ENGINE: "none", TEXT_WORKERS: "1" };

/** Starts the app with `settings` over the quiet ones; `stop()` removes what it wrote. */
export async function startTestApp(settings: Environment = {}): Promise<TestApp> {
  const folder = temporaryFolder();
  const lines: string[] = [];
  const config = readConfig({
    ...QUIET,
    PORT: "0",
    DATABASE_URL: `sqlite:${join(folder, "earshot.db")}`,
    ...settings,
  });
  const log = createLog(config.logLevel, (line) => lines.push(line));
  const app = await startApp(config, log);
  return {
    ...app,
    wsUrl: app.url.replace("http:", "ws:"),
    lines,
    folder,
    stop: async () => {
      await app.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "earshot-test-"));
}

/** Resolves when `condition` holds; rejects when it still does not after `withinMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not happen in time");
    await Bun.sleep(10);
  }
}

/** Posts JSON and returns the response. */
export function postJson(url: string, body: unknown, headers = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}
