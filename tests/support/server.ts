import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Environment } from "../../src/environment.ts";

const { EARSHOT_BINARY } = process.env;

/** Whether the built program is tested, in the place of the source. */
export const isBuilt = EARSHOT_BINARY !== undefined;

/** What tests that need no speech run with: quick to start. */
export const QUIET: Environment = { SPEECH_ENGINE: "none", TEXT_WORKERS: "1" };

const PROGRAM =
  EARSHOT_BINARY === undefined
    ? [process.execPath, join(import.meta.dir, "../../src/main.ts")]
    : [resolve(EARSHOT_BINARY)];

/** A server in a process of its own. */
export interface Listening {
  pid: number;
  url: string;
  wsUrl: string;
  /** Every whole line of standard output so far, JSON each; those of now come a little later. */
  lines: string[];
  /** Standard output so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** The exit code; null when a signal ended it. */
  exited: Promise<number | null>;
  /** Ends it, if it still runs. */
  end(): Promise<void>;
}

/** The program as an operator runs it. */
export interface TestServer extends Listening {
  folder: string;
  /** Ends it, if it still runs, and removes its folder unless it was given. */
  dispose(): Promise<void>;
}

type Piped = Bun.Subprocess<Blob, "pipe", "pipe">;

/** Runs `earshot ARGUMENTS` with `settings`, `input`, and nothing of this process's own. */
export function runEarshot(
  args: string[],
  settings: Environment = {},
  cwd = process.cwd(),
  input = "",
): Piped {
  return Bun.spawn([...PROGRAM, ...args], {
    env: { PATH: process.env["PATH"] ?? "", TMPDIR: process.env["TMPDIR"] ?? "/tmp", ...settings },
    cwd,
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Waits until a server that was just started listens; rejects with what it complained of instead. */
export async function whenListening(server: Piped): Promise<Listening> {
  let output = "";
  let rest = "";
  let url = "";
  const lines: string[] = [];
  const listening = Promise.withResolvers<void>();
  // Read from the start: a pipe that is full would hold the server up.
  const complaints = new Response(server.stderr).text();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of server.stdout) {
      const text = decoder.decode(bytes, { stream: true });
      output += text;
      const whole = (rest + text).split("\n");
      rest = whole.pop() ?? "";
      lines.push(...whole);
      url ||= /"url":"([^"]+)"/.exec(output)?.[1] ?? "";
      if (url !== "") listening.resolve();
    }
    listening.reject(new Error(`the server did not start: ${await complaints}`));
  })();
  await listening.promise;
  return {
    pid: server.pid,
    url,
    wsUrl: url.replace("http:", "ws:"),
    lines,
    output: () => output,
    signal: (name) => server.kill(name),
    // All that it wrote has been read by then.
    exited: server.exited.then(async () => {
      await reading;
      return server.exitCode;
    }),
    end: async () => {
      server.kill("SIGKILL");
      await server.exited;
      await reading;
    },
  };
}

/** Starts `earshot serve` on a free port and waits until it listens. */
export async function startTestServer(
  settings: Environment = {},
  givenFolder?: string,
): Promise<TestServer> {
  const folder = givenFolder ?? temporaryFolder();
  const database = `sqlite:${join(folder, "earshot.db")}`;
  const wanted = { ...QUIET, PORT: "0", DATABASE_URL: database, ...settings };
  const remove = (): void => {
    if (givenFolder === undefined) rmSync(folder, { recursive: true, force: true });
  };
  try {
    const server = await whenListening(runEarshot(["serve"], wanted, folder));
    return { ...server, folder, dispose: () => server.end().then(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "earshot-test-"));
}
