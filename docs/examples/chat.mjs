// A chat client without any library: it comes back by itself and misses nothing.
// Run it with: npx -y bun@1.4.5 docs/examples/chat.mjs ROOM NAME, then type lines.

import { createInterface } from "node:readline";

const [room = "lobby", name = "Ann"] = process.argv.slice(2);
const url = process.env.EARSHOT ?? "ws://127.0.0.1:3000";
const unsent = new Map(); // what was not answered by `sent` yet, by its client_id
let last = null; // the place of the last message that was shown
let socket;

function connect() {
  socket = new WebSocket(`${url}/v1/ws/chat?name=${encodeURIComponent(name)}`);
  socket.onopen = () => send({ type: "join", room, ...(last ? { after: last } : {}) });
  socket.onclose = () => setTimeout(connect, 500 + Math.random() * 500);
  socket.onmessage = ({ data }) => take(JSON.parse(data));
}

function take(frame) {
  if (frame.type === "joined" || frame.type === "history") {
    if (frame.type === "joined" && !frame.recovered) last = null;
    for (const message of frame.messages) show(message);
    if (frame.more) send({ type: "history", room, after: last.offset });
    else for (const say of unsent.values()) send(say);
  }
  if (frame.type === "message") show(frame);
  if (frame.type === "sent") unsent.delete(frame.client_id);
  if (frame.type === "error") console.error(frame.message);
}

function show({ epoch, offset, user, kind, text }) {
  if (last !== null && offset <= last.offset) return; // seen already
  last = { epoch, offset };
  console.log(`${user.name} ${kind === "text" ? "says" : kind}: ${text}`);
}

function send(frame) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

connect();
setInterval(() => send({ type: "ping" }), 30_000); // a socket that is silent for long is closed
for await (const text of createInterface({ input: process.stdin })) {
  const say = { type: "say", room, client_id: crypto.randomUUID(), text };
  unsent.set(say.client_id, say);
  send(say);
}
process.exit(0);
