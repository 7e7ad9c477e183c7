// A process of bench/connections.ts: `count` members that join and then say nothing.
// Prints a line when all have joined, then waits; it ends by itself.

export {};

const [url = "", fromText = "0", countText = "0"] = process.argv.slice(2);
const from = Number(fromText);
const count = Number(countText);
const ROOM_SIZE = 100;
const AT_ONCE = 50;
const LIFE_MS = 180_000;

const sockets: WebSocket[] = [];
let next = from;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < from + count) sockets.push(await join(next++));
  }),
);
console.log(JSON.stringify({ joined: sockets.length }));
await Bun.sleep(LIFE_MS);

function join(index: number): Promise<WebSocket> {
  const room = `room${Math.floor(index / ROOM_SIZE)}`;
  const query = `room=${room}&user_id=${index + 1}&name=member${index}`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url}/v1/ws/chat?${query}`);
    socket.onerror = () => reject(new Error(`member ${index} was refused`));
    socket.onmessage = ({ data }) => {
      if (String(data).startsWith('{"type":"joined"')) resolve(socket);
    };
  });
}
