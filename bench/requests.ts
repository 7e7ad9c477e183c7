import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Server,
  cpuSeconds,
  end,
  listeningAt,
  spawn,
  spawnEarshot,
  withFolder,
} from "./servers.ts";

// What the smallest request costs: Earshot as shipped, with its limits, ids, headers and metrics, and with
// traces of all or a tenth of its requests, beside a bare Elysia and a bare Bun server.
//
//   bun requests.ts [REQUESTS a round] [ROUNDS]

const REQUESTS = Number(process.argv[2] ?? 20_000);
const ROUNDS = Number(process.argv[3] ?? 6);
const CALLERS = 16;
const WARM_REQUESTS = 10_000;

/** Takes traces and forgets them. */
const collector = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    await request.arrayBuffer();
    return new Response(null);
  },
});
const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.origin };
const SAMPLED = {
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: "0.1",
};

interface Peer {
  name: string;
  server: Server;
  url: string;
  /** CPU of the server in microseconds a request, round by round. */
  costs: number[];
}

await withFolder(async (folder) => {
  const earshot = (name: string, env: Record<string, string>): Server => {
    const own = join(folder, name);
    mkdirSync(own);
    return spawnEarshot(own, { RATE_LIMITS: "on", ...env });
  };
  const started: [string, Server][] = [
    ["bare Bun", spawn([process.execPath, "servers/bare-requests.ts", "bun"])],
    ["bare Elysia", spawn([process.execPath, "servers/bare-requests.ts", "elysia"])],
    ["Earshot", earshot("plain", {})],
    ["Earshot, a tenth traced", earshot("tenth", { ...traced, ...SAMPLED })],
    ["Earshot, all traced", earshot("all", traced)],
  ];
  try {
    const peers: Peer[] = [];
    for (const [name, server] of started) {
      const url = (await listeningAt(server)).replace("ws:", "http:").replace(/\/$/, "");
      await ask(url, WARM_REQUESTS);
      peers.push({ name, server, url, costs: [] });
    }
    // Back and forth, so that a machine that tires or is disturbed is not one peer's fault.
    for (let round = 0; round < ROUNDS; round++) {
      for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
        const before = cpuSeconds([peer.server]);
        await ask(peer.url, REQUESTS);
        peer.costs.push(((cpuSeconds([peer.server]) - before) * 1e6) / REQUESTS);
      }
    }
    console.log("| GET /healthz | CPU µs a request, median (least) | × bare Bun |\n|---|--:|--:|");
    const bare = median(peers[0]?.costs ?? []);
    for (const { name, costs } of peers) {
      const [middle, least] = [median(costs), Math.min(...costs)];
      console.log(
        `| ${name} | ${middle.toFixed(1)} (${least.toFixed(1)}) | ${(middle / bare).toFixed(2)} |`,
      );
    }
  } finally {
    await end(started.map(([, server]) => server));
    await collector.stop(true);
  }
});

async function ask(url: string, count: number): Promise<void> {
  let left = count;
  const call = async (): Promise<void> => {
    while (left-- > 0) await (await fetch(`${url}/healthz`)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
