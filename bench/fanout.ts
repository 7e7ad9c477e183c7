import { createServer } from "node:net";
import {
  type Server,
  cpuSeconds,
  end,
  lines,
  listeningAt,
  rssMb,
  spawn,
  spawnEarshot,
  withFolder,
} from "./servers.ts";

// What a delivered message costs: Earshot as shipped (durable, with presence and recovery) beside a
// bare Bun broadcast, ws and Socket.IO on Node, all in one run.
//
//   cd bench && bun install && bun fanout.ts [SECONDS] [ROUNDS] [MEMBERS,…]

const SECONDS = Number(process.argv[2] ?? 4);
const ROUNDS = Number(process.argv[3] ?? 2);
const SIZES = (process.argv[4] ?? "200,500,2000").split(",").map(Number);

interface Result {
  cpuUs: number;
  perSecond: number;
  p50: number;
  p99: number;
  rss: number;
}

interface Told {
  type: "begin" | "end";
  deliveries: number;
  seconds: number;
  p50: number;
  p99: number;
}

type Start = (folder: string, redisUrl: string | null) => Server;

const optional = (redisUrl: string | null): string[] => (redisUrl === null ? [] : [redisUrl]);

const SERVERS: Record<string, Start> = {
  bare: (_, redisUrl) => spawn([process.execPath, "servers/bare.ts", ...optional(redisUrl)]),
  earshot: (folder, redisUrl) =>
    spawnEarshot(folder, redisUrl === null ? {} : { REDIS_URL: redisUrl }),
  ws: (_, redisUrl) => spawn(["node", "servers/ws.mjs", ...optional(redisUrl)]),
  socketio: (_, redisUrl) => spawn(["node", "servers/socketio.mjs", ...optional(redisUrl)]),
};

await table("one process", 1, null);
if (Bun.which("redis-server") !== null) {
  const port = await freePort();
  const redis = spawn(["redis-server", "--port", String(port), "--save", "", "--appendonly", "no"]);
  await Bun.sleep(500);
  await table("two processes through Redis", 2, `redis://127.0.0.1:${port}`);
  redis.kill();
  await redis.exited;
}

async function table(title: string, processes: number, redisUrl: string | null): Promise<void> {
  console.log(`\n${title}; 8 senders, one message of 100 bytes in flight each\n`);
  console.log(
    "| members | server | CPU µs/delivery | × bare | deliveries/s | p50 ms | p99 ms | RSS MB |",
  );
  console.log("|--:|---|--:|--:|--:|--:|--:|--:|");
  for (const members of SIZES) {
    const rounds: Record<string, Result[]> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of Object.keys(SERVERS)) {
        (rounds[name] ??= []).push(await measure(name, members, processes, redisUrl));
      }
    }
    const best = (name: string): Result =>
      rounds[name]!.toSorted((a, b) => a.cpuUs - b.cpuUs)[Math.floor((ROUNDS - 1) / 2)]!;
    for (const name of Object.keys(SERVERS)) {
      const { cpuUs, perSecond, p50, p99, rss } = best(name);
      const ratio = cpuUs / best("bare").cpuUs;
      console.log(
        `| ${members} | ${name} | ${cpuUs.toFixed(2)} | ${ratio.toFixed(2)} | ${Math.round(perSecond).toLocaleString("en")} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${Math.round(rss)} |`,
      );
    }
  }
}

function measure(
  name: string,
  members: number,
  processes: number,
  redisUrl: string | null,
): Promise<Result> {
  return withFolder(async (folder) => {
    const servers = Array.from({ length: processes }, () => SERVERS[name]!(folder, redisUrl));
    try {
      const urls = (await Promise.all(servers.map(listeningAt))).join(",");
      const load = spawn([process.execPath, "load.ts", name, urls, `${members}`, `${SECONDS}`]);
      let before = 0;
      for await (const line of lines(load.stdout)) {
        const told = JSON.parse(line) as Told;
        if (told.type === "begin") before = cpuSeconds(servers);
        if (told.type !== "end") continue;
        return {
          cpuUs: ((cpuSeconds(servers) - before) * 1e6) / told.deliveries,
          perSecond: told.deliveries / told.seconds,
          p50: told.p50,
          p99: told.p99,
          rss: servers.reduce((sum, server) => sum + rssMb(server), 0),
        };
      }
      throw new Error(`the load on ${name} ended early`);
    } finally {
      await end(servers);
    }
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}
