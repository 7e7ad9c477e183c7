import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// What the benches share: starting servers and reading what they use.

export type Server = Bun.Subprocess<"ignore", "pipe", "inherit">;

const TICKS_PER_S = 100;

export function spawn(command: string[], env: Record<string, string> = {}): Server {
  return Bun.spawn(command, {
    cwd: import.meta.dir,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

const FROM_SOURCE = [process.execPath, "../src/main.ts"];

/** Earshot as shipped, without speech and rate limits; `program` is what runs it. */
export function spawnEarshot(
  folder: string,
  env: Record<string, string> = {},
  program: readonly string[] = FROM_SOURCE,
): Server {
  return spawn([...program, "serve"], {
    PORT: "0",
    DATABASE_URL: `sqlite:${join(folder, "earshot.db")}`,
    SPEECH_ENGINE: "none",
    TEXT_WORKERS: "1",
    RATE_LIMITS: "off",
    ...env,
  });
}

/** The address that a server prints in its first lines, for sockets. */
export async function listeningAt(server: Server): Promise<string> {
  for await (const line of lines(server.stdout)) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) return url.replace("http:", "ws:");
  }
  throw new Error("a server did not start");
}

export async function end(servers: Server[]): Promise<void> {
  for (const server of servers) server.kill("SIGKILL");
  await Promise.all(servers.map((server) => server.exited));
}

/** Runs `use` with a folder that is gone afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "earshot-bench-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** Seconds of user and system time of the processes and all their threads. */
export function cpuSeconds(servers: { pid: number }[]): number {
  return servers.reduce((sum, { pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  }, 0);
}

export function rssMb({ pid }: { pid: number }): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
