// A chat client without any library: it comes back by itself, misses nothing and says nothing twice.
// Run it with: npx -y bun@1.4.5 docs/examples/chat.mjs ROOM NAME (or Node 22), then type lines.
// EARSHOT is the server's address, EARSHOT_TOKEN an access token where one is needed.

import { createInterface } from "node:readline";

const [room = "lobby", name = "Ann"] = process.argv.slice(2);
const url = process.env.EARSHOT ?? "http://127.0.0.1:3000";
const address = `${url.replace(/^http/, "ws")}/v1/ws/chat?name=${encodeURIComponent(name)}`;
const FINAL_CLOSES = [4400, 4401, 4403];

let token = process.env.EARSHOT_TOKEN ?? null; // a guest gets one, to come back as the same guest
let socket = null;
let last = null; // the place of the last message that was shown
let isIn = false; // everything that was missed is shown, and live messages follow
let isEnding = false;
let tries = 0;
let heardAt = 0;
const unsent = new Map(); // what was not answered by `sent` yet, by its client_id

function connect() {
  const protocols = token === null ? ["earshot.v1"] : ["earshot.v1", `bearer.${token}`];
  const opened = new WebSocket(address, protocols);
  socket = opened;
  // What an older socket still has to tell is none of our business.
  opened.onmessage = ({ data }) => socket === opened && take(JSON.parse(data));
  opened.onclose = ({ code }) => void (socket === opened && comeBack(code));
  opened.onerror = () => void (socket === opened && comeBack(1006)); // Node: no close without an open
}

async function comeBack(code) {
  socket = null;
  isIn = false;
  if (FINAL_CLOSES.includes(code)) end(1, `the server closed the socket with ${code}`);
  // Why a socket is refused is not told to programs; the same question over HTTP is answered.
  if (await isRefused()) end(1, "the server does not know this token");
  const waitMs = Math.min(5_000, 250 * 2 ** tries++);
  setTimeout(connect, waitMs / 2 + (Math.random() * waitMs) / 2);
}

async function isRefused() {
  if (token === null) return false;
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/v1/auth/me`, { headers }).catch(() => null);
  return answer?.status === 401;
}

function take(frame) {
  heardAt = Date.now();
  switch (frame.type) {
    case "welcome":
      tries = 0;
      token = frame.guest_token ?? token;
      return join();
    case "joined":
      if (!frame.recovered) {
        if (last !== null) console.error("some messages are not kept any more");
        const first = frame.messages[0]?.offset ?? frame.offset + 1;
        last = { epoch: frame.epoch, offset: first - 1 };
      }
      return catchUp(frame);
    case "history":
      return catchUp(frame);
    case "message":
      return show(frame);
    case "gap":
      last.offset = Math.max(last.offset, frame.to);
      return;
    case "sent":
      unsent.delete(frame.client_id);
      return endIfDone();
    case "left":
      return end(1, "you are not in the room any more");
    case "error":
      return refused(frame);
    // Every other type is left alone: there will be new ones.
  }
}

function join() {
  send({ type: "join", room, ref: "join", ...(last !== null && { after: last }) });
}

function askForMore() {
  send({ type: "history", room, after: last.offset, ref: "history" });
}

function catchUp({ messages, more }) {
  for (const message of messages) show(message);
  if (more) return askForMore();
  isIn = true;
  for (const say of unsent.values()) send(say);
}

function show({ epoch, offset, user, kind, text }) {
  if (offset <= last.offset) return; // a page and a live message may overlap
  last = { epoch, offset };
  console.log(`${user.name} ${kind === "text" ? "says" : kind}: ${text}`);
}

function refused({ code, message, retryable, retry_after_ms: waitMs = 1_000, ref }) {
  console.error(`${code}: ${message}`);
  if (retryable) {
    const here = socket; // after a break everything is asked again anyway
    const again = { join, history: askForMore }[ref] ?? (() => send(unsent.get(ref)));
    if (ref !== undefined) setTimeout(() => here === socket && again(), waitMs);
  } else if (ref === "join") {
    end(1, "the room cannot be entered");
  } else if (unsent.delete(ref)) {
    endIfDone();
  }
}

function send(frame) {
  if (frame !== undefined && socket?.readyState === 1) socket.send(JSON.stringify(frame));
}

function endIfDone() {
  if (isEnding && unsent.size === 0) end(0);
}

function end(status, why) {
  if (why !== undefined) console.error(why);
  socket?.close(1000);
  process.exit(status);
}

connect();
// A socket that is silent for `limits.idle_ms` is closed, and one that does not answer is dead.
setInterval(() => {
  const pinged = socket;
  const pingedAt = Date.now();
  send({ type: "ping" });
  setTimeout(() => {
    if (pinged?.readyState !== 1 || pinged !== socket || heardAt >= pingedAt) return;
    pinged.close();
    void comeBack(1006);
  }, 10_000);
}, 30_000);

for await (const text of createInterface({ input: process.stdin })) {
  const id = crypto.randomUUID();
  const say = { type: "say", room, client_id: id, text, ref: id };
  unsent.set(id, say);
  if (isIn) send(say);
}
isEnding = true;
endIfDone();
