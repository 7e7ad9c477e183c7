import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { temporaryFolder, until } from "./app.ts";

/** Whether this machine can run the tests that need Redis. */
export const hasRedis = Bun.which("redis-server") !== null;

export interface TestRedis {
  url: string;
  port: number;
  /** What `redis-cli` prints for a command. */
  cli(...args: string[]): Promise<string>;
  /** Ends it in the middle of whatever it does; what it held is gone. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  /** Ends it and leaves nothing behind. */
  dispose(): Promise<void>;
}

/** A real redis-server of its own on a free port, writing nothing to the disk. */
export async function startRedis(): Promise<TestRedis> {
  const folder = temporaryFolder();
  const port = await freePort();
  let server: Bun.Subprocess | null = null;

  const cli = async (...args: string[]): Promise<string> =>
    Bun.spawn(["redis-cli", "-p", String(port), ...args], { stdout: "pipe", stderr: "ignore" })
      .stdout.text()
      .then((text) => text.trim());

  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    cli,
    kill: async () => {
      server?.kill("SIGKILL");
      await server?.exited;
    },
    start: async () => {
      const options = ["--port", String(port), "--save", "", "--appendonly", "no", "--dir", folder];
      server = Bun.spawn(["redis-server", ...options], { stdout: "ignore", stderr: "ignore" });
      await until(async () => (await cli("ping")) === "PONG");
    },
    dispose: async () => {
      await redis.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await redis.start();
  return redis;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
