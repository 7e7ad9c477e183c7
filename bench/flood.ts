import { connect } from "node:net";
import { end, listeningAt, rssMb, spawnEarshot, withFolder } from "./servers.ts";

// What a crowd does to the others: one client that sends as fast as it can, one that never reads and
// a thousand that connect and break, while ten members talk. Rate limits are on, as shipped.
//
//   cd bench && bun flood.ts [SECONDS]

const SECONDS = Number(process.argv[2] ?? 6);
const TALKERS = 10;
const BREAKERS = 1_000;

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
    let isOver = false;
    const crowd = Promise.all([
      floodFrom(url, () => isOver),
      neverRead(url, () => isOver),
      breakMany(url, () => isOver),
    ]);
    await phase("during");
    isOver = true;
    await crowd;
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

/** Sends as fast as the socket takes it; comes back whenever it is shown out. */
async function floodFrom(url: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const socket = new WebSocket(`${url}/v1/ws/chat?room=talk&user_id=900&name=flood`);
    await new Promise((resolve) => (socket.onopen = resolve));
    const frame = JSON.stringify({ type: "typing", room: "talk" });
    while (!isOver() && socket.readyState === WebSocket.OPEN) {
      for (let at = 0; at < 500; at++) socket.send(frame);
      await Bun.sleep(1);
    }
    socket.close();
  }
}

/** Joins the same room and takes nothing from its socket. */
async function neverRead(url: string, isOver: () => boolean): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(
    `GET /v1/ws/chat?room=talk&user_id=901&name=deaf HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  socket.pause();
  while (!isOver()) await Bun.sleep(50);
  socket.destroy();
}

/** Connects and breaks, a thousand times, ten at once. */
async function breakMany(url: string, isOver: () => boolean): Promise<void> {
  let left = BREAKERS;
  const one = async (): Promise<void> => {
    while (left-- > 0 && !isOver()) {
      const socket = new WebSocket(`${url}/v1/ws/chat?room=talk&user_id=${2_000 + left}`);
      await new Promise((resolve) => {
        socket.onopen = resolve;
        socket.onerror = resolve;
      });
      socket.terminate();
    }
  };
  await Promise.all(Array.from({ length: 10 }, one));
}
