import { connect } from "node:net";

// The crowd of bench/flood.ts, in a process of its own so that it slows down nobody but the server.

const [url = "", secondsText = "0"] = process.argv.slice(2);
const BREAKERS = 1_000;
const endAt = performance.now() + Number(secondsText) * 1000;
const isOver = (): boolean => performance.now() >= endAt;

await Promise.all([flood(), neverRead(), breakMany()]);
process.exit(0);

/** Sends as fast as the socket takes it; comes back whenever it is shown out. */
async function flood(): Promise<void> {
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
async function neverRead(): Promise<void> {
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
async function breakMany(): Promise<void> {
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
