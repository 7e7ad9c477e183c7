import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Environment } from "../../src/environment.ts";
import { QUIET, temporaryFolder } from "./app.ts";

/** The program from source, or the built one that is to be tested in its place. */
const { EARSHOT_BINARY } = process.env;
const PROGRAM =
  EARSHOT_BINARY === undefined
    ? [process.execPath, join(import.meta.dir, "../../src/main.ts")]
    : [resolve(EARSHOT_BINARY)];

/** The program as an operator runs it, in a process of its own. */
export interface TestServer {
  url: string;
  wsUrl: string;
  folder: string;
  /** Standard output so far, a line of JSON each. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** The exit code; null when a signal ended it. */
  exited: Promise<number | null>;
  /** Ends it, if it still runs, and removes its folder unless it was given. */
  dispose(): Promise<void>;
}

/** Runs `earshot ARGUMENTS` with `settings` and nothing of this process's own. */
export function runEarshot(args: string[], settings: Environment = {}, cwd = process.cwd()) {
  return Bun.spawn([...PROGRAM, ...args], {
    env: { PATH: process.env["PATH"] ?? "", TMPDIR: process.env["TMPDIR"] ?? "/tmp", ...settings },
    cwd,
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Starts `earshot serve` on a free port and waits until it listens. */
export async function startTestServer(
  settings: Environment = {},
  givenFolder?: string,
): Promise<TestServer> {
  const folder = givenFolder ?? temporaryFolder();
  const database = `sqlite:${join(folder, "earshot.db")}`;
  const server = runEarshot(
    ["serve"],
    { ...QUIET, PORT: "0", DATABASE_URL: database, ...settings },
    folder,
  );
  let output = "";
  let url = "";
  const listening = Promise.withResolvers<void>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of server.stdout) {
      output += decoder.decode(bytes, { stream: true });
      url ||= /"url":"([^"]+)"/.exec(output)?.[1] ?? "";
      if (url !== "") listening.resolve();
    }
    listening.reject(
      new Error(`the server did not start: ${await new Response(server.stderr).text()}`),
    );
  })();
  await listening.promise;
  return {
    url,
    wsUrl: url.replace("http:", "ws:"),
    folder,
    output: () => output,
    signal: (name) => server.kill(name),
    exited: server.exited.then(() => server.exitCode),
    dispose: async () => {
      server.kill("SIGKILL");
      await server.exited;
      await reading;
      if (givenFolder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
