import { DIALECTS } from "./dialects.ts";

// The load client of bench/fanout.ts, in a process of its own so that its CPU is not the server's.
// Members count what they hear; the first SENDERS of them say something as soon as they have heard
// what they said before. Prints one line of JSON. It ends by itself.

const SENDERS = 8;
const TEXT_BYTES = 100;
const WARM_MS = 1_500;

const [name = "", urlList = "", memberCount = "", secondsText = ""] = process.argv.slice(2);
const urls = urlList.split(",");
const members = Number(memberCount);
const dialect = DIALECTS[name]!;

let deliveries = 0;
let messages = 0;
let isCounting = false;
const latenciesMs: number[] = [];

const openedAt = performance.now();
const sockets: WebSocket[] = [];
for (let start = 0; start < members; start += 100) {
  const some = Array.from({ length: Math.min(100, members - start) }, (_, at) => start + at);
  sockets.push(...(await Promise.all(some.map(open))));
}
const openMs = performance.now() - openedAt;
// Presence of the last ones to come may still be on its way.
await Bun.sleep(1_000);
for (const [index, socket] of sockets.slice(0, SENDERS).entries()) speak(socket, index);
await Bun.sleep(WARM_MS);
console.log(JSON.stringify({ type: "begin" }));
isCounting = true;
const countedAt = performance.now();
await Bun.sleep(Number(secondsText) * 1000);
isCounting = false;
const seconds = (performance.now() - countedAt) / 1000;
latenciesMs.sort((a, b) => a - b);
const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0;
const result = { deliveries, messages, seconds, openMs, p50: at(0.5), p99: at(0.99) };
console.log(JSON.stringify({ type: "end", ...result }));
process.exit(0);

function open(index: number): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(dialect.address(urls[index % urls.length]!, index));
    socket.onerror = () => reject(new Error(`member ${index} was refused`));
    const join = (): void => {
      socket.onmessage = () => {
        if (isCounting) deliveries++;
      };
      resolve(socket);
    };
    socket.onmessage = ({ data }) => {
      if (dialect.greet(String(data), (text) => socket.send(text))) join();
    };
    if (name === "bare" || name === "ws") socket.onopen = join;
  });
}

/** One message in flight: the next is said when this one has come back. */
function speak(socket: WebSocket, index: number): void {
  let said = 0;
  const say = (): void => {
    const text = `${index}-${said} ${performance.now()} `;
    socket.send(dialect.say(text.padEnd(TEXT_BYTES, "x"), index * 1e9 + said));
  };
  socket.onmessage = ({ data }) => {
    const text = dialect.heard(String(data));
    if (text === null) return;
    if (isCounting) deliveries++;
    const [id, sentAt] = text.split(" ", 2);
    if (id !== `${index}-${said}`) return;
    if (isCounting) {
      messages++;
      latenciesMs.push(performance.now() - Number(sentAt));
    }
    said++;
    say();
  };
  say();
}
