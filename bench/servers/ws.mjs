import { once } from "node:events";
import { createClient } from "redis";
import { WebSocketServer } from "ws";

// A broadcast loop over ws on Node. Usage: node ws.mjs [REDIS_URL]

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
const listening = once(server, "listening");
const redisUrl = process.argv[2];
const redis = redisUrl === undefined ? null : await createClient({ url: redisUrl }).connect();
const subscriber = await redis?.duplicate().connect();

function tellAll(text) {
  for (const client of server.clients) if (client.readyState === 1) client.send(text);
}

server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const text = String(data);
    if (redis === null) tellAll(text);
    else void redis.publish("room", text);
  });
});
await subscriber?.subscribe("room", tellAll);
await listening;
console.log(JSON.stringify({ url: `ws://127.0.0.1:${server.address().port}/` }));
