import { rmSync } from "node:fs";
import { join } from "node:path";
import { startApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import type { Environment } from "../../src/environment.ts";
import { createLog } from "../../src/platform/log.ts";
import { QUIET, isBuilt, startTestServer, temporaryFolder } from "./server.ts";

export { QUIET, temporaryFolder };

/** The real app on a free port, with a database of its own: in this process, or the built program. */
export interface TestApp {
  /** The process that it runs in. */
  pid: number;
  url: string;
  port: number;
  wsUrl: string;
  /** Every line of the log so far; the built program's come a little later. */
  lines: string[];
  folder: string;
  /** Stops it as a signal would, and removes what it wrote. */
  stop(): Promise<void>;
}

/** Starts the app with `settings` over the quiet ones; rejects when they cannot be used. */
export function startTestApp(settings: Environment = {}): Promise<TestApp> {
  return isBuilt ? startBuilt(settings) : startHere(settings);
}

async function startHere(settings: Environment): Promise<TestApp> {
  const folder = temporaryFolder();
  const lines: string[] = [];
  const config = readConfig({
    ...QUIET,
    PORT: "0",
    DATABASE_URL: `sqlite:${join(folder, "earshot.db")}`,
    ...settings,
  });
  const log = createLog(config.logLevel, (line) => lines.push(line));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const app = await startApp(config, log).catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    pid: process.pid,
    url: app.url,
    port: app.port,
    wsUrl: app.url.replace("http:", "ws:"),
    lines,
    folder,
    stop: async () => {
      await app.stop();
      remove();
    },
  };
}

async function startBuilt(settings: Environment): Promise<TestApp> {
  const server = await startTestServer(settings);
  const { pid, url, wsUrl, folder, lines } = server;
  return {
    pid,
    url,
    port: Number(new URL(url).port),
    wsUrl,
    lines,
    folder,
    stop: async () => {
      server.signal("SIGTERM");
      const code = await server.exited;
      await server.dispose();
      if (code !== 0) throw new Error(`the server ended with ${code}: ${lines.join("\n")}`);
    },
  };
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
