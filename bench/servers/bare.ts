import { createClient } from "redis";

// The least that could broadcast: every text goes to everyone. Usage: bun bare.ts [REDIS_URL]

const redisUrl = process.argv[2];
const redis = redisUrl === undefined ? null : await createClient({ url: redisUrl }).connect();
const subscriber = await redis?.duplicate().connect();

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("a socket")),
  websocket: {
    open: (socket) => void socket.subscribe("room"),
    message: (_socket, text) => {
      if (redis === null) server.publish("room", text);
      else void redis.publish("room", String(text));
    },
  },
});
await subscriber?.subscribe("room", (text) => void server.publish("room", text));
console.log(JSON.stringify({ url: `ws://127.0.0.1:${server.port}/` }));
