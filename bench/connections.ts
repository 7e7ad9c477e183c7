import {
  cpuSeconds,
  end,
  lines,
  listeningAt,
  rssMb,
  spawn,
  spawnEarshot,
  withFolder,
} from "./servers.ts";

// What an idle member costs: sockets that have joined rooms of 100, with presence on.
//
//   cd bench && bun connections.ts [MEMBERS,…]

const SIZES = (process.argv[2] ?? "10000,19500").split(",").map(Number);
const CLIENTS = 4;
const IDLE_S = 10;

console.log("| members | joined in s | members/s | KB each | RSS MB | idle CPU % of a core |");
console.log("|--:|--:|--:|--:|--:|--:|");
for (const members of SIZES) await withFolder((folder) => measure(folder, members));

async function measure(folder: string, members: number): Promise<void> {
  const server = spawnEarshot(folder);
  const clients: ReturnType<typeof spawn>[] = [];
  const idle = (url: string, from: number, count: number) => {
    const client = spawn([process.execPath, "idle.ts", url, String(from), String(count)]);
    clients.push(client);
    return lines(client.stdout).next();
  };
  try {
    const url = await listeningAt(server);
    // What every process needs for its first members is not counted.
    await idle(url, 1_000_000, 200);
    await Bun.sleep(2_000);
    const emptyMb = rssMb(server);
    const startedAt = performance.now();
    const share = Math.ceil(members / CLIENTS);
    await Promise.all(Array.from({ length: CLIENTS }, (_, at) => idle(url, at * share, share)));
    const seconds = (performance.now() - startedAt) / 1000;
    await Bun.sleep(3_000);
    const cpu = cpuSeconds([server]);
    await Bun.sleep(IDLE_S * 1000);
    const idlePercent = ((cpuSeconds([server]) - cpu) / IDLE_S) * 100;
    const fullMb = rssMb(server);
    const kbEach = ((fullMb - emptyMb) * 1024) / members;
    console.log(
      `| ${members} | ${seconds.toFixed(1)} | ${Math.round(members / seconds)} | ${kbEach.toFixed(1)} | ${Math.round(fullMb)} | ${idlePercent.toFixed(1)} |`,
    );
  } finally {
    await end([server, ...clients]);
  }
}
