import { end, listeningAt, rssMb, spawn, spawnEarshot, withFolder } from "./servers.ts";

// What a crowd does to the others: one client that sends as fast as it can, one that never reads and
// a thousand that connect and break, while ten members talk. Rate limits are on, as shipped.
//
//   cd bench && bun flood.ts [SECONDS]

const SECONDS = Number(process.argv[2] ?? 6);
const TALKERS = 10;

console.log("| phase | p50 ms | p99 ms | messages | RSS MB |");
console.log("|---|--:|--:|--:|--:|");

await withFolder(async (folder) => {
  const server = spawnEarshot(folder, { RATE_LIMITS: "on" });
  try {
    const url = await listeningAt(server);
    const latenciesMs: number[] = [];
    const talkers = await Promise.all(
      Array.from({ length: TALKERS }, (_, at) => talk(url, at + 1, latenciesMs)),
    );
    const phase = async (name: string): Promise<void> => {
      latenciesMs.length = 0;
      await Bun.sleep(SECONDS * 1000);
      const sorted = latenciesMs.toSorted((a, b) => a - b);
      const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
      console.log(
        `| ${name} | ${at(0.5)} | ${at(0.99)} | ${sorted.length} | ${Math.round(rssMb(server))} |`,
      );
    };
    await phase("before");
    const crowd = spawn([process.execPath, "crowd.ts", url, String(SECONDS)]);
    await phase("during");
    await crowd.exited;
    await phase("after");
    for (const talker of talkers) talker.close();
  } finally {
    await end([server]);
  }
});

/** Says something every 100 ms and notes how long it takes to come back. */
function talk(url: string, userId: number, latenciesMs: number[]): Promise<WebSocket> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url}/v1/ws/chat?room=talk&user_id=${userId}&name=t${userId}`);
    let said = 0;
    const say = (): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      const text = `${userId} ${performance.now()}`;
      socket.send(JSON.stringify({ type: "say", room: "talk", client_id: `${said++}`, text }));
    };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; text: string };
      if (frame.type === "joined") {
        setInterval(say, 100);
        resolve(socket);
      }
      if (frame.type !== "message" || !frame.text.startsWith(`${userId} `)) return;
      latenciesMs.push(performance.now() - Number(frame.text.split(" ")[1]));
    };
  });
}
